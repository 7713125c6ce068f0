"""What changed between two rounds or models is said in sentences, and only what changed."""

from __future__ import annotations

from typing import Any

import pytest

from audit.chain_walk import walk_chain
from audit.difference import changes
from audit.names import Names
from audit.sides import find_side, with_plans
from protocol import ledger_events as ev
from protocol.errors import AuditError, ConfigError
from protocol.identifiers import aggregator_id_of, lineage_id_of
from protocol.plan import TrainingSettings
from tests.audit.stage import LIMITS, honest_network, logs_of, store_of
from tests.protocol.builders import Network, account_of, random_delta

NAMES = Names(["tests", "aggregator-0", "aggregator-1", *(f"site-{number}" for number in range(6))])


def compared(network: Network, before: str = "1", after: str = "2", *, plans: bool = False) -> list[str]:
    told = [(network.identity, walk_chain(logs_of(network), network.identity, NAMES))]
    sides = [find_side(told, word, None, NAMES) for word in (before, after)]
    if plans:
        sides = list(with_plans(sides, [store_of(network)], LIMITS))
    return [change.sentence for change in changes(*sides, NAMES)]


def two_rounds(sites: int = 4, **second_plan: Any) -> Network:
    network = honest_network(rounds=1, sites=sites)
    network.open_round(**second_plan)
    network.register_all()
    network.conclude()
    return network


def test_two_rounds_alike_differ_in_nothing() -> None:
    assert compared(two_rounds()) == []
    assert compared(two_rounds(), plans=True) == []


def test_a_setting_of_the_plan_is_named_with_both_values() -> None:
    training = TrainingSettings(epochs=2, batch_size=32, learning_rate="0.001", clip_norm="5", seed=7)
    network = two_rounds(max_norm="50", training=training)
    assert compared(network, plans=True) == [
        "max norm: 100 becomes 50",
        "training, epochs: 1 becomes 2",
        "training, learning rate: 0.002 becomes 0.001",
    ]
    assert compared(network) == []


def test_sites_that_join_leave_and_are_refused_are_named() -> None:
    network = honest_network(rounds=1, sites=5)
    network.emit(ev.SiteLeft(network.sites[0].site_id))
    network.open_round(selected=network.sites[1:], max_norm="1")
    for site in network.sites[1:4]:
        network.register(site)
    network.register(network.sites[4], delta=random_delta(network.tensors, seed=8, scale=5.0))
    network.conclude()
    assert compared(network) == [
        "site site-0 is not asked any more (it left)",
        "site site-0: accepted becomes no update",
        "site site-4: accepted becomes refused (the update is longer than the plan's norm bound; verdict 90)",
    ]
    assert compared(network, "2", "1")[-2:] == [
        "site site-0: no update becomes accepted",
        "site site-4: refused (the update is longer than the plan's norm bound; verdict 90) becomes accepted",
    ]


def test_weights_and_consent_roots_are_compared() -> None:
    network = honest_network(rounds=1)
    network.publish_consent(network.sites[2])
    network.open_round()
    for site in network.sites:
        network.register(site, num_examples=200 if site.ordinal == 1 else 100)
    network.conclude()
    assert compared(network) == [
        "the weight of site site-1: 2 becomes 4",
        "the consent root of site site-2: version 1 becomes 2",
    ]


def test_who_decides_is_compared() -> None:
    network = honest_network(rounds=1, aggregators_count=2)
    ids = tuple(aggregator_id_of(f"aggregator-{number}") for number in range(2))
    network.emit(ev.AggregatorSetChanged(2, 1, ids[:1]))
    network.emit(ev.AuditorKeyPublished(2, account_of("auditor"), network.backbone_digest, network.put(b"key")))
    network.open_round(min_accepted=4)
    network.events[-1] = ev.LocatedEvent(
        network.events[-1].position,
        ev.RoundOpened(*(
            2 if name == "aggregator_set_version" else getattr(network.events[-1].event, name)
            for name in ev.RoundOpened.__dataclass_fields__
        )),
    )  # fmt: skip
    assert compared(network)[:4] == [
        "the aggregators who may vote: aggregator-0, aggregator-1 becomes aggregator-0",
        "the votes that decide: 2 becomes 1",
        "the epoch of the auditor's key: 1 becomes 2",
        "updates that must pass: 3 becomes 4",
    ]


def test_models_are_found_by_their_digests_and_genesis_by_its_number() -> None:
    network = two_rounds()
    rounds = network.history.lineages[network.lineage_id].rounds
    outcomes = [rounds[number].outcome for number in (1, 2)]
    digests = [str(outcome.model_digest) for outcome in outcomes if isinstance(outcome, ev.RoundFinalized)]
    assert compared(network, *digests) == []
    from_genesis = compared(network, "0", "1")
    assert "site site-1: no update becomes accepted" in from_genesis
    genesis = str(network.history.lineages[network.lineage_id].created.model_digest)
    assert compared(network, genesis, "1") == from_genesis


@pytest.mark.parametrize(
    ("word", "error"),
    [("9", ConfigError), ("0x" + "ab" * 32, ConfigError), ("0x12", ConfigError), ("x", ConfigError)],
)
def test_what_the_chain_does_not_know_is_said(word: str, error: type[Exception]) -> None:
    with pytest.raises(error):
        compared(honest_network(rounds=1), "1", word)


def test_a_lineage_must_be_named_where_there_are_several() -> None:
    network = honest_network(rounds=1)
    created = network.history.lineages[network.lineage_id].created
    fields = {name: getattr(created, name) for name in ev.LineageCreated.__dataclass_fields__}
    network.emit(ev.LineageCreated(**(fields | {"lineage_id": lineage_id_of("other")})))
    with pytest.raises(ConfigError, match="say which with --lineage"):
        compared(network, "0", "1")
    told = [(network.identity, walk_chain(logs_of(network), network.identity, NAMES))]
    sides = [find_side(told, "0", lineage_id_of(slug), NAMES) for slug in ("tests", "other")]
    (change,) = changes(*sides, Names(["tests", "other"]))
    assert change.sentence == "the lineage: tests becomes other"


def test_a_plan_that_is_missing_or_another_is_named() -> None:
    network = two_rounds()
    told = [(network.identity, walk_chain(logs_of(network), network.identity, NAMES))]
    side, plan_cid = find_side(told, "2", None, NAMES), network.view.opened.plan_cid
    store = store_of(network)
    store.forget(plan_cid)
    with pytest.raises(AuditError, match=str(plan_cid)):
        with_plans([side], [store], LIMITS)
    network.events = [
        ev.LocatedEvent(entry.position, ev.RoundOpened(*(
            network.put(b"no plan") if name == "plan_cid" else getattr(entry.event, name)
            for name in ev.RoundOpened.__dataclass_fields__
        ))) if isinstance(entry.event, ev.RoundOpened) else entry
        for entry in network.events
    ]  # fmt: skip
    told = [(network.identity, walk_chain(logs_of(network), network.identity, NAMES))]
    with pytest.raises(AuditError, match="are not those of its digest on chain"):
        with_plans([find_side(told, "2", None, NAMES)], [store_of(network)], LIMITS)
