"""The contract's rules, checked again from the logs: each broken rule is named, and honest logs break none."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import pytest

from audit.chain_walk import walk_chain
from audit.names import Names
from protocol import ledger_events as ev
from protocol.errors import MalformedError
from protocol.identifiers import AccountAddress, Digest, digest_of, site_id_of
from protocol.ledger_events import LocatedEvent
from tests.audit.stage import change, honest_network, logs_of
from tests.protocol.builders import Network, account_of


def faults_of(network: Network, events: list[LocatedEvent] | None = None) -> list[str]:
    walk = walk_chain(logs_of(network) if events is None else events, network.identity, Names())
    lists = [walk.of_network, *walk.of_lineages.values(), *walk.of_rounds.values()]
    return [difference.sentence for differences in lists for difference in differences]


def changed(kind: type, **fields: Any) -> Callable[[Network], list[LocatedEvent]]:
    def apply(network: Network) -> list[LocatedEvent]:
        return change(logs_of(network), kind, **fields)

    return apply


def inserted(make: Callable[[Network], ev.LedgerEvent], before: type) -> Callable[[Network], list[LocatedEvent]]:
    """The logs with one more event in front of the first of a kind (in its transaction's place)."""

    def apply(network: Network) -> list[LocatedEvent]:
        events = logs_of(network)
        index = next(i for i, entry in enumerate(events) if isinstance(entry.event, before))
        return [*events[:index], LocatedEvent(events[index].position, make(network)), *later(events[index:])]

    return apply


def appended(make: Callable[[Network], ev.LedgerEvent]) -> Callable[[Network], list[LocatedEvent]]:
    def apply(network: Network) -> list[LocatedEvent]:
        events = logs_of(network)
        last = events[-1].position
        position = dataclasses.replace(last, block_number=last.block_number + 1, log_index=0)
        return [*events, LocatedEvent(position, make(network))]

    return apply


def later(events: list[LocatedEvent]) -> list[LocatedEvent]:
    return [
        LocatedEvent(dataclasses.replace(e.position, log_index=e.position.log_index + 1000), e.event) for e in events
    ]


def reopened(network: Network, **fields: Any) -> ev.RoundOpened:
    return dataclasses.replace(network.view.opened, **({"round": 2} | fields))


CASES = {
    "a site's ordinal": (changed(ev.SiteAdmitted, ordinal=7), "with ordinal 7"),
    "a site admitted twice": (
        appended(lambda n: ev.SiteAdmitted(n.sites[0].site_id, account_of("new"), 4, digest_of("k"))),
        "admitted twice",
    ),
    "an account used twice": (
        appended(lambda n: ev.SiteAdmitted(site_id_of("new"), n.sites[0].account, 4, digest_of("k"))),
        "account that another site uses",
    ),
    "an account rotated to a used one": (
        appended(
            lambda n: ev.SiteAccountRotated(n.sites[0].site_id, n.sites[0].account, n.sites[1].account, digest_of("k"))
        ),
        "one that a site uses already",
    ),
    "the set's version": (changed(ev.AggregatorSetChanged, version=2), "version 2 does not follow"),
    "the set's threshold": (changed(ev.AggregatorSetChanged, threshold=2), "has the threshold 2"),
    "the set's members": (
        changed(ev.AggregatorSetChanged, aggregator_ids=(digest_of("x"),)),
        "was not admitted",
    ),
    "the auditor's epoch": (changed(ev.AuditorKeyPublished, epoch=3), "epoch 3 does not follow"),
    "an undeclarable use": (
        appended(lambda n: ev.AuditorKeyUsed(9, n.lineage_id, 1, 1)),
        "epoch 9 was declared",
    ),
    "a consent root's version": (changed(ev.ConsentRootPublished, version=2), "version 2, not 1"),
    "a consent root over nobody": (changed(ev.ConsentRootPublished, patients=0), "over no receipt"),
    "a consent root that had expired": (changed(ev.ConsentRootPublished, valid_until=5), "had expired"),
    "a consent root of a suspended site": (
        inserted(lambda n: ev.SiteSuspended(n.sites[0].site_id), ev.ConsentRootPublished),
        "not active",
    ),
    "a withdrawal": (
        appended(lambda n: ev.ConsentWithdrawn(n.sites[0].site_id, 5)),
        "to 5, not to 2",
    ),
    "a second seal": (
        lambda n: [
            *(events := appended(lambda _: ev.SuiteSealed(1, account_of("next")))(n)),
            *[LocatedEvent(dataclasses.replace(events[-1].position, log_index=1), events[-1].event)],
        ],
        "sealed twice",
    ),
    "the lineage's scheme": (changed(ev.LineageCreated, commitment_scheme=2), "commitment scheme 2"),
    "a late key": (
        appended(
            lambda n: ev.RoundKeyAnnounced(n.aggregators[0].aggregator_id, n.lineage_id, 1, *[digest_of("k")] * 2)
        ),
        "after its opening",
    ),
    "minAccepted below the floor": (changed(ev.RoundOpened, min_accepted=2), "needs 2 of them"),
    "the deadline": (changed(ev.RoundOpened, deadline=5), "not in order"),
    "an attest-by beyond every patience": (changed(ev.RoundOpened, attest_by=2**64 - 1), "more than 90 days"),
    "an unknown set": (changed(ev.RoundOpened, aggregator_set_version=4), "another aggregator set"),
    "an opener outside of the set": (changed(ev.RoundOpened, aggregator_id=digest_of("x")), "outside of the set"),
    "a selection of nobody": (changed(ev.RoundOpened, selected=(0b111111,)), "not admitted"),
    "a round out of order": (appended(lambda n: reopened(n, round=5)), "does not follow 1"),
    "a round on an old parent": (appended(reopened), "not the lineage's head"),
    "a round after the seal": (
        inserted(lambda _: ev.SuiteSealed(1, account_of("next")), ev.RoundOpened),
        "after the suite was sealed",
    ),
    "a round while one is live": (
        lambda n: [e for e in appended(reopened)(n) if not isinstance(e.event, ev.RoundFinalized)],
        "had no outcome",
    ),
    "an update of weight zero": (changed(ev.UpdateRegistered, weight=0), "has the weight 0"),
    "an update's scheme": (changed(ev.UpdateRegistered, commitment_scheme=2), "commitment scheme 2"),
    "an update without consent": (changed(ev.UpdateRegistered, consent_version=7), "without consent in force"),
    "an update of a suspended site": (
        inserted(lambda n: ev.SiteSuspended(n.sites[0].site_id), ev.RoundOpened),
        "not active or not selected",
    ),
    "a second update": (
        changed(ev.UpdateRegistered, site_id=site_id_of("site-0")),
        "second of the round",
    ),
    "an envelope twice": (
        changed(ev.UpdateRegistered, site_id=site_id_of("site-0"), envelope_digest=digest_of("e")),
        "had registered before",
    ),
    "an update after close": (
        appended(lambda n: dataclasses.replace(n.view.registrations[0].event, index=4)),
        "after close",
    ),
    "a revocation after close": (
        appended(lambda n: ev.UpdateRevoked(n.lineage_id, 1, n.sites[0].site_id, 0)),
        "revoked after close",
    ),
    "a revocation by another": (
        appended(lambda n: ev.UpdateRevoked(n.lineage_id, 1, n.sites[0].site_id, 1)),
        "not by its site",
    ),
    "a vote from outside": (changed(ev.ResultAttested, aggregator_id=digest_of("x")), "not in the round's set"),
    "a vote after the outcome": (
        appended(lambda n: n.view.attestations[0][0]),
        "voted twice",
    ),
    "a second outcome": (appended(lambda n: n.view.outcome), "second outcome"),
    "an early abort": (
        appended(lambda n: ev.RoundAborted(n.lineage_id, 1, account_of("x"))),
        "before its time",
    ),
    "too few codes": (changed(ev.RoundFinalized, codes=b"\0\0\0", accepted=0b111), "3 verdict codes for 4"),
    "a model with too few updates": (
        changed(ev.RoundFinalized, codes=bytes([0, 0, 90, 90]), accepted=0b11),
        "too few updates",
    ),
    "no model at all": (changed(ev.RoundFinalized, model_digest=Digest.zero()), "without a model"),
}


def test_honest_logs_break_no_rule() -> None:
    assert faults_of(honest_network(rounds=2, aggregators_count=2)) == []


@pytest.mark.parametrize(("tamper", "named"), CASES.values(), ids=CASES)
def test_a_broken_rule_is_named(tamper: Callable[[Network], list[LocatedEvent]], named: str) -> None:
    network = honest_network(rounds=1)
    found = faults_of(network, tamper(network))
    assert any(named in sentence for sentence in found), found


def test_an_update_out_of_order_shows_that_logs_are_missing() -> None:
    network = honest_network(rounds=1)
    with pytest.raises(MalformedError, match="logs are missing"):
        faults_of(network, change(logs_of(network), ev.UpdateRegistered, index=9))


def test_a_revoked_update_that_was_accepted_is_named() -> None:
    network = Network(sites_count=5)
    network.open_round()
    for site in network.sites[:4]:
        network.register(site)
    network.revoke(network.sites[0])
    network.conclude()
    events = change(logs_of(network), ev.RoundFinalized, codes=bytes(4), accepted=0b1111)
    assert "update 0 was accepted although its site had revoked it" in faults_of(network, events)


def test_a_result_before_close_is_named() -> None:
    network = Network(sites_count=5)
    network.open_round()
    for site in network.sites[:4]:
        network.register(site)
    network.conclude()
    early = [
        LocatedEvent(dataclasses.replace(e.position, timestamp=network.view.opened_at.timestamp), e.event)
        if isinstance(e.event, ev.ResultAttested | ev.RoundFinalized)
        else e
        for e in logs_of(network)
    ]
    found = faults_of(network, early)
    assert "the round has a result from before its close" in found
    assert any("voted before close" in sentence for sentence in found)


def test_the_facts_of_an_opening_are_those_of_its_moment() -> None:
    network = honest_network(rounds=1)
    new_key = digest_of("test-new-key")
    network.emit(ev.AuditorKeyPublished(2, AccountAddress(b"\x09" * 20), new_key, network.put(b"key")))
    network.open_round()
    walk = walk_chain(network.events, network.identity, Names())
    first, second = walk.openings.values()
    assert (first.auditor_key.epoch, second.auditor_key.epoch) == (1, 2)  # type: ignore[union-attr]
    assert first.head_digest != second.head_digest
    assert {aggregator_id for aggregator_id, _ in second.announced_keys} == {network.aggregators[0].aggregator_id}
