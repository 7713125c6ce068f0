"""Mutations of the logs as a whole: order, time, gaps, and logs of another network."""

from __future__ import annotations

import dataclasses

from protocol import ledger_events as ev
from protocol.identifiers import AccountAddress, BlockHash, lineage_id_of
from tests.tamper.catalogue import CHAIN, REPLAY, chapter
from tests.tamper.recording import LAST, SECOND, Recording

mutation = chapter("The history as a whole", REPLAY)
RULE, NETWORK, ROUND = "different (chain-rule)", "network", f"tests round {LAST}"


@mutation(CHAIN, "refused", "out of chain order", where=NETWORK)
def two_events_swapped(it: Recording) -> None:
    """Two events change their places"""
    place = it.place(ev.AggregatorAdmitted)
    it.events[place], it.events[place + 1] = it.events[place + 1], it.events[place]


@mutation(CHAIN, "refused", "out of chain order", where=NETWORK)
def an_event_told_twice(it: Recording) -> None:
    """An event is told twice"""
    place = it.place(ev.UpdateRegistered, round=LAST)
    it.events.insert(place, it.events[place])


@mutation(CHAIN, RULE, "is older than block", where=ROUND)
def a_registration_before_its_round(it: Recording) -> None:
    """A block's time is set back, so that a late update looks early"""
    it.move(it.place(ev.UpdateRegistered, round=LAST), timestamp=1_000_001)


@mutation(CHAIN, RULE, "is older than block", where=ROUND)
def a_block_of_the_future(it: Recording) -> None:
    """A block's time is set forward, so that a consent looks expired"""
    it.move(it.place(ev.UpdateRegistered, round=LAST), timestamp=9_000_000)


@mutation(CHAIN, RULE, "has two hashes or two times", where=ROUND)
def two_hashes_of_a_block(it: Recording) -> None:
    """Two events of one block name two block hashes"""
    it.move(it.place(ev.RoundFinalized, round=LAST), block_hash=BlockHash(b"\x07" * 32))


@mutation(CHAIN, RULE, "are one block, or hold one transaction", where=ROUND)
def one_transaction_in_two_blocks(it: Recording) -> None:
    """One transaction stands in two blocks"""
    place = it.place(ev.UpdateRegistered, round=LAST, index=1)
    it.move(place, tx_hash=it.events[place - 1].position.tx_hash)


@mutation(CHAIN, RULE, "first governor: logs are missing", where=NETWORK)
def the_beginning_left_out(it: Recording) -> None:
    """The first event of the contract is left out"""
    del it.events[0]


@mutation(CHAIN, RULE, "begin before the contract's deployment", where=NETWORK)
def logs_from_before(it: Recording) -> None:
    """An event is older than the contract's deployment"""
    it.move(0, block_number=0)


@mutation(CHAIN, "refused", "logs are missing", where=NETWORK)
def a_lineage_left_out(it: Recording) -> None:
    """A lineage's creation is left out"""
    del it.events[it.place(ev.LineageCreated)]


@mutation(CHAIN, "refused", "logs are missing", where=NETWORK)
def an_opening_left_out(it: Recording) -> None:
    """A round's opening is left out"""
    del it.events[it.place(ev.RoundOpened, round=LAST)]


@mutation(CHAIN, "different (vote)", "its result is not there", where=ROUND)
def the_end_cut_off(it: Recording) -> None:
    """The newest events are left out, from a result on"""
    del it.events[it.place(ev.RoundFinalized, round=LAST) :]


@mutation(CHAIN, "refused", "logs are missing", where=NETWORK)
def the_middle_cut_out(it: Recording) -> None:
    """The events of many blocks are left out"""
    del it.events[it.place(ev.RoundOpened, round=2) : it.place(ev.UpdateRegistered, round=LAST, index=2)]


@mutation(CHAIN, "different (vote)", "voted for another result", where=ROUND)
def another_chain(it: Recording) -> None:
    """The logs are those of another chain"""
    it.identity = dataclasses.replace(it.identity, chain_id=1)


@mutation(CHAIN, "different (vote)", "voted for another result", where=ROUND)
def another_contract(it: Recording) -> None:
    """The logs are those of another contract on the same chain"""
    it.identity = dataclasses.replace(it.identity, contract_address=AccountAddress(b"\x0c" * 20))


@mutation(CHAIN, "different (verdict)", "40 context mismatch", where="second round 1")
def another_contracts_envelopes(it: Recording) -> None:
    """A failed round's logs are copied from another contract"""
    it.identity = dataclasses.replace(it.identity, contract_address=AccountAddress(b"\x0c" * 20))
    it.attest(1, lineage=SECOND, kind=ev.RoundFailed)


@mutation(CHAIN, RULE, "that the site had registered before", where="copy round 1")
def a_lineage_copied(it: Recording) -> None:
    """A lineage's rounds are told again as another lineage's"""
    for entry in [e for e in it.events if getattr(e.event, "lineage_id", None) == lineage_id_of(SECOND)]:
        it.insert(len(it.events) - 3, dataclasses.replace(entry.event, lineage_id=lineage_id_of("copy")))
