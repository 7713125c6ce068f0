"""The explorer keeps in step with the chain, and asks for each transaction's cost once."""

from __future__ import annotations

import dataclasses
import threading
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from audit.explorer.chronicle import COSTS_AT_ONCE, Chronicle
from audit.explorer.following import following
from audit.index.costs import CostSum, TxCost
from audit.index.searching import Search
from protocol import ledger_events as ev
from protocol.errors import LedgerUnavailableError
from protocol.identifiers import BlockHash, TxHash
from tests.audit.explorer.made_up import MadeUpNetwork, ToldChain, app_of, chronicle_of, digest, lineage_id, site

ROUNDS, SITES = 4, 30


@pytest.fixture(scope="module")
def told() -> list[ev.LocatedEvent]:
    return MadeUpNetwork(ROUNDS, SITES).events


def learn_all(chronicle: Chronicle) -> None:
    while chronicle.learn_costs():
        pass


def test_costs_are_asked_for_once_newest_first_and_many_at_a_time(told: list[ev.LocatedEvent], tmp_path: Path) -> None:
    chain = ToldChain(told)
    chronicle = chronicle_of(chain, tmp_path)
    transactions = len({e.position.tx_hash for e in told})
    assert transactions > COSTS_AT_ONCE
    assert chronicle.learn_costs()
    newest = chronicle.costs.of_rounds(lineage_id(), ROUNDS, ROUNDS)[ROUNDS]
    assert newest.complete
    assert not chronicle.costs.of_rounds(lineage_id(), 1, 1)[1].complete
    learn_all(chronicle)
    assert sum(chain.asked) == transactions
    assert COSTS_AT_ONCE // 2 < max(chain.asked) <= COSTS_AT_ONCE
    again = chronicle_of(chain, tmp_path)
    learn_all(again)
    assert sum(chain.asked) == transactions
    with again.seen() as seen:
        assert seen.costs == CostSum(transactions, transactions)


def test_no_screen_asks_the_chain_for_costs(told: list[ev.LocatedEvent], tmp_path: Path) -> None:
    chain = ToldChain(told)
    chronicle = chronicle_of(chain, tmp_path)
    client = TestClient(app_of(chronicle, MadeUpNetwork(1, 1).names), base_url="http://127.0.0.1")
    assert f"0 of {len({e.position.tx_hash for e in told})} transactions are known so far" in client.get("/").text
    assert "not known yet" in client.get(f"/round/{lineage_id()}/1").text
    assert chain.asked == []
    learn_all(chronicle)
    assert "are known so far" not in client.get("/").text


def test_a_sum_says_what_is_left_out(told: list[ev.LocatedEvent], tmp_path: Path) -> None:
    chronicle = chronicle_of(ToldChain(told), tmp_path)
    of_round = sorted({e.position.tx_hash for e in told if getattr(e.event, "round", None) == 2})
    chain = ToldChain(told)
    known = chain.costs(of_round[:2])
    chronicle.costs.add(known)
    chronicle.costs.add(known)
    found = chronicle.costs.of_rounds(lineage_id(), 1, ROUNDS)[2]
    assert found == CostSum(len(of_round), 2, sum(c.gas_used for c in known), sum(c.call_bytes for c in known))
    assert chronicle.costs.of_transactions(of_round) == {cost.tx_hash: cost for cost in known}


def test_new_blocks_are_shown_after_a_look(told: list[ev.LocatedEvent], tmp_path: Path) -> None:
    half = len(told) // 2
    chain = ToldChain(told[:half])
    chronicle = chronicle_of(chain, tmp_path)
    learn_all(chronicle)
    chain.told = told
    chronicle.look()
    with chronicle.seen() as seen:
        assert seen.history.position == told[-1].position
        assert seen.head.number == told[-1].position.block_number
        assert not seen.costs.complete
    learn_all(chronicle)
    with chronicle.seen() as seen:
        assert seen.costs.complete


def test_what_left_the_chain_leaves_the_screens(told: list[ev.LocatedEvent], tmp_path: Path) -> None:
    chain = ToldChain(told)
    chronicle = chronicle_of(chain, tmp_path)
    learn_all(chronicle)
    kept = len(told) - 20
    moved = [
        dataclasses.replace(
            e,
            position=dataclasses.replace(
                e.position, block_hash=BlockHash(digest("fork", place)), timestamp=e.position.timestamp + 1
            ),
        )
        for place, e in enumerate(told[kept:-5])
    ]
    chain.told = told[:kept] + moved
    asked = sum(chain.asked)
    chronicle.look()
    learn_all(chronicle)
    assert chronicle.find(Search()) == chain.told
    with chronicle.seen() as seen:
        assert seen.history.position == moved[-1].position
        assert seen.costs.complete
    # In another block the same transaction may cost something else.
    assert sum(chain.asked) == asked + len({e.position.tx_hash for e in moved})


def test_a_transaction_that_is_in_no_block_any_more_is_not_asked_for_without_end(
    told: list[ev.LocatedEvent], tmp_path: Path
) -> None:
    class Forgetful(ToldChain):
        def costs(self, tx_hashes: list[TxHash]) -> list[TxCost]:
            return super().costs(tx_hashes)[1:]

    chain = Forgetful(told)
    chronicle = chronicle_of(chain, tmp_path)
    learn_all(chronicle)
    with chronicle.seen() as seen:
        assert seen.costs.transactions - seen.costs.known == len(chain.asked)


def test_a_silent_chain_is_said_on_every_screen_and_the_rest_stays(told: list[ev.LocatedEvent], tmp_path: Path) -> None:
    chain = ToldChain(told)
    chronicle = chronicle_of(chain, tmp_path)
    client = TestClient(app_of(chronicle, MadeUpNetwork(1, 1).names), base_url="http://127.0.0.1")
    chain.down = True
    with pytest.raises(LedgerUnavailableError):
        chronicle.look()
    told_once = threading.Event()

    class Watched(Chronicle):
        def tell_trouble(self, trouble: str) -> None:
            super().tell_trouble(trouble)
            told_once.set()

    chronicle.__class__ = Watched
    with following(chronicle, 60.0):
        assert told_once.wait(30)
    answer = client.get(f"/site/{site(1)}")
    assert answer.status_code == 200
    assert "This may be old. The chain is down." in answer.text


def test_the_follower_learns_everything_and_ends(told: list[ev.LocatedEvent], tmp_path: Path) -> None:
    chain = ToldChain(told)
    chronicle = chronicle_of(chain, tmp_path)
    whole = threading.Event()

    class Watched(Chronicle):
        def learn_costs(self) -> bool:
            more = super().learn_costs()
            if not more:
                whole.set()
            return more

    chronicle.__class__ = Watched
    before = threading.active_count()
    with following(chronicle, 60.0):
        assert whole.wait(30)
    assert threading.active_count() == before
    with chronicle.seen() as seen:
        assert seen.costs.complete
        assert seen.trouble == ""


def lost(told: list[ev.LocatedEvent], kind: type, nth: int = -1) -> list[ev.LocatedEvent]:
    """The same without one event of a kind."""
    place = [place for place, e in enumerate(told) if isinstance(e.event, kind)][nth]
    return told[:place] + told[place + 1 :]


def broken_in(chronicle: Chronicle) -> tuple[str, ...]:
    with chronicle.seen() as seen:
        return seen.broken


def test_honest_logs_break_no_rule_however_they_come(told: list[ev.LocatedEvent], tmp_path: Path) -> None:
    chain = ToldChain(told[:20])
    chronicle = chronicle_of(chain, tmp_path)
    for block in range(20, told[-1].position.block_number + 7, 7):
        chain.told = [e for e in told if e.position.block_number <= block]
        chronicle.look()
        assert broken_in(chronicle) == ()


def test_an_event_that_is_left_out_of_new_blocks_is_said_and_no_longer_once_it_is_told(
    told: list[ev.LocatedEvent], tmp_path: Path
) -> None:
    half = len(told) // 2
    chain = ToldChain(told[:half])
    chronicle = chronicle_of(chain, tmp_path)
    assert broken_in(chronicle) == ()
    chain.told = lost(told, ev.RoundFinalized)
    chronicle.look()
    said = broken_in(chronicle)
    held_back = "the votes decided the round, and its result is not there: logs are missing"
    assert [sentence.partition(": ")[2] == held_back for sentence in said].count(True) == 1
    chronicle.look()
    assert broken_in(chronicle) == said
    # As after a reorganisation: the newest blocks have other hashes, and tell everything.
    kept = half - 5
    chain.told = told[:kept] + [
        dataclasses.replace(
            e, position=dataclasses.replace(e.position, block_hash=BlockHash(digest("fork", e.position.block_number)))
        )
        for e in told[kept:]
    ]
    chronicle.look()
    assert broken_in(chronicle) == ()


def test_logs_that_are_not_whole_end_what_is_shown_and_the_rest_is_still_read(
    told: list[ev.LocatedEvent], tmp_path: Path
) -> None:
    chain = ToldChain(lost(told[:-10], ev.UpdateRegistered, nth=3))
    chronicle = chronicle_of(chain, tmp_path)
    (said,) = broken_in(chronicle)
    assert "a registration is out of its place: logs are missing; nothing from there on can be checked" in said
    with chronicle.seen() as seen:
        position = seen.history.position
    chain.told = lost(told, ev.UpdateRegistered, nth=3)
    for _ in range(2):
        chronicle.look()
    assert broken_in(chronicle) == (said,)
    with chronicle.seen() as seen:
        assert seen.history.position == position
        assert seen.head.number == told[-1].position.block_number
    assert chronicle.find(Search()) == chain.told
