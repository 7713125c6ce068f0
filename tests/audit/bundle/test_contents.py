"""What a bundle holds of IPFS: what the replay of its rounds reads, and how it is read from the file."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pytest

from audit.bundle.checking import verify_bundle
from audit.bundle.container import Container, write_container
from audit.bundle.contents import contents_of, rounds_of
from audit.bundle.making import BundleOptions, Sources, make_bundle
from audit.bundle.manifest import CHAIN_NAMES, Manifest, Member
from audit.bundle.store import BundleStore
from audit.findings import Outcome
from audit.replay import ReplayOptions
from protocol import ledger_events as ev
from protocol.cid import cid_of_bytes
from protocol.errors import (
    BlockStoreError,
    ConfigError,
    ContentMismatchError,
    ContentMissingError,
    ContentTooLargeError,
    StoreError,
)
from protocol.identifiers import CID
from protocol.verdicts import VerdictCode
from tests.audit.bundle.stage import members_of
from tests.audit.bundle.test_container import END, ROUND
from tests.audit.paper_chain import paper_chain
from tests.audit.stage import LIMITS, honest_network, logs_of, store_of
from tests.protocol.builders import Network

MIB = 1 << 20


def names_of(network: Network, first: int) -> list[str]:
    lineage = network.history.lineages[network.lineage_id]
    return [content.what for content in contents_of(lineage, rounds_of(lineage, range(first, 9)))]


def test_a_round_needs_its_parent_plan_updates_verdicts_and_model() -> None:
    network = honest_network(rounds=2, sites=3)
    updates = [f"update {index} of round 2" for index in range(3)]
    assert names_of(network, 2) == [
        "parent model of round 2", "plan of round 2", *updates, "verdict list of round 2", "model of round 2",
    ]  # fmt: skip


def test_the_parent_of_one_round_is_the_model_of_the_one_before_and_is_held_once() -> None:
    assert names_of(honest_network(rounds=2, sites=3), 1).count("model of round 1") == 1
    assert "parent model of round 2" not in names_of(honest_network(rounds=2, sites=3), 1)


def test_behind_an_aborted_round_the_parent_is_the_older_model() -> None:
    network = honest_network(rounds=1, sites=3)
    network.open_round()
    network.emit(ev.RoundAborted(network.lineage_id, 2, network.sites[0].account), at=network.view.opened.attest_by)
    network.open_round()
    lineage = network.history.lineages[network.lineage_id]
    made = lineage.rounds[1].outcome
    assert isinstance(made, ev.RoundFinalized)
    assert contents_of(lineage, rounds_of(lineage, range(3, 9)))[0].cid == made.model_cid
    assert names_of(network, 2) == ["parent model of round 2", "plan of round 2", "plan of round 3"]


def test_a_range_without_rounds_is_the_operators_mistake() -> None:
    network = honest_network(rounds=2, sites=3)
    for rounds in (range(3, 10), range(1)):
        with pytest.raises(ConfigError, match="none of these rounds"):
            rounds_of(network.history.lineages[network.lineage_id], rounds)


def test_what_the_aggregators_could_not_fetch_is_no_obstacle(tmp_path: Path) -> None:
    network = Network(sites_count=6)
    network.open_round()
    registrations = [network.register(site) for site in network.sites[:5]]
    network.revoke(network.sites[0])
    network.envelopes.pop((1, 1))
    network.conclude()
    outcome = network.view.outcome
    assert isinstance(outcome, ev.RoundFinalized)
    assert outcome.codes[1] == VerdictCode.NOT_FETCHED
    store = store_of(network)
    for registration in registrations[:2]:
        store.forget(registration.event.envelope_cid)
    chain = paper_chain(logs_of(network), network.identity)
    made = make_bundle(
        tmp_path / "bundle", Sources(chain.deployment, chain.checkpoint, chain, [store]), tmp_path, BundleOptions()
    )
    assert len(made.missing) == 1
    assert made.missing[0].startswith("update 1 of round 1 (")
    found = verify_bundle(
        tmp_path / "bundle", chain.checkpoint, ReplayOptions(keys=[network.auditor_key], limits=LIMITS)
    )
    assert [content.what for content in found.lacking] == ["update 1 of round 1"]
    assert [each.outcome for each in found.replayed.rounds] == [Outcome.SAME]
    assert found.replayed.rounds[0].model_recomputed


# ------------------------------------------------------------------------------------------------ the store


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Container]:
    false = {"content/QmbFMke1KXqnYyBBWxB74N4c5SBnJMVAiMNRcGu6x1AwQH": b"not empty"}
    contents = dict.fromkeys(CHAIN_NAMES, b"") | {f"content/{cid_of_bytes(b'plan')}": b"plan"} | false
    with (tmp_path / "bundle").open("wb") as out:
        write_container(out, Manifest(END, ROUND, 1, members_of(contents)), (iter([c]) for c in contents.values()))
    with Container(tmp_path / "bundle") as container:
        yield container


def test_content_comes_out_whole_or_not_at_all(opened: Container, tmp_path: Path) -> None:
    store, plan, to = BundleStore(opened), cid_of_bytes(b"plan"), tmp_path / "got"
    assert store.fetch(plan, to, max_bytes=4, timeout_seconds=1) == 4
    assert to.read_bytes() == b"plan"
    to.unlink()
    with pytest.raises(ContentTooLargeError):
        store.fetch(plan, to, max_bytes=3, timeout_seconds=1)
    with pytest.raises(ContentMissingError):
        store.fetch(cid_of_bytes(b"other"), to, max_bytes=9, timeout_seconds=1)
    with pytest.raises(ContentMismatchError):
        store.fetch(cid_of_bytes(b""), to, max_bytes=9, timeout_seconds=1)
    with pytest.raises(StoreError):
        store.fetch(plan, tmp_path / "none" / "got", max_bytes=9, timeout_seconds=1)
    assert [path.name for path in tmp_path.iterdir()] == ["bundle"]


def test_a_bundle_does_not_change(opened: Container, tmp_path: Path) -> None:
    store, plan = BundleStore(opened), cid_of_bytes(b"plan")
    assert (store.holds(plan), store.holds(CID.zero())) == (True, False)
    store.pin(plan, timeout_seconds=1)
    with pytest.raises(ContentMissingError):
        store.pin(CID.zero(), timeout_seconds=1)
    for change in (lambda: store.add(tmp_path / "bundle"), lambda: store.unpin(plan)):
        with pytest.raises(BlockStoreError, match="does not change"):
            change()


def test_memory_is_bounded_by_pieces_and_not_by_members(tmp_path: Path) -> None:
    piece, count = bytes(MIB), 24
    sizes = (*((name, 0) for name in CHAIN_NAMES), (f"content/{CID.zero()}", count))
    members = tuple(Member(name, size * MIB, members_of({name: b""})[0].sha256) for name, size in sizes)
    tracemalloc.start()
    try:
        with (tmp_path / "bundle").open("wb") as out:
            write_container(out, Manifest(END, ROUND, 1, members), (iter([piece] * size) for _, size in sizes))
        with Container(tmp_path / "bundle") as container:
            assert sum(map(len, container.pieces(members[-1].name))) == count * MIB
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 6 * MIB
