"""Honest rounds are the same, with a key and without."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pytest

from audit.findings import Outcome, Piece, WhyMissing
from audit.pieces import FetchLimits
from audit.replay import Step
from protocol import ledger_events as ev
from protocol.errors import BlockStoreUnavailableError, ConfigError, ContentMissingError, MalformedError
from protocol.identifiers import CID, lineage_id_of
from protocol.recipient_keys import RecipientPrivateKey
from protocol.verdicts import VerdictCode
from tests.audit.stage import honest_network, left_over, logs_of, only_round, run, store_of
from tests.fakes.block_store import FakeBlockStore
from tests.protocol.builders import Network, random_delta


def test_every_round_of_an_honest_network_is_recomputed_to_the_same_bytes() -> None:
    finding = run(honest_network(rounds=3))
    assert [found.outcome for found in finding.rounds] == [Outcome.SAME] * 3
    assert all(found.model_recomputed and found.opened for found in finding.rounds)
    assert finding.same
    assert finding.all_differences == ()


def test_two_aggregators_who_agree_are_the_same() -> None:
    assert run(honest_network(rounds=1, aggregators_count=2)).same


def test_without_a_key_everything_public_is_checked_and_nothing_counts_as_recomputed() -> None:
    finding = run(honest_network(), keyless=True)
    assert finding.same
    assert [found.outcome for found in finding.rounds] == [Outcome.SAME] * 2
    assert not any(found.opened or found.model_recomputed for found in finding.rounds)


def test_a_key_of_another_epoch_is_said_and_falls_back_to_what_is_public() -> None:
    found = only_round(run(honest_network(rounds=1), keys=(RecipientPrivateKey.generate(),)))
    assert not found.opened
    assert "none of the auditor's keys is among this round's recipients" in found.notes


def test_each_refusal_that_an_honest_aggregator_makes_is_recomputed() -> None:
    network = Network(sites_count=7)
    network.open_round(max_norm="1")
    honest, again = network.sites[0], network.sites[1]
    network.register(honest)
    network.register(again, delta=network.delta(honest))
    network.register(network.sites[2], event={"weight": 3})
    network.register(network.sites[3], delta=random_delta(network.tensors, seed=5, scale=1.0))
    for site in network.sites[4:]:
        network.register(site)
    result = network.conclude()
    assert VerdictCode.DUPLICATE_EXACT in result.codes
    assert len(set(result.codes)) >= 3
    assert run(network).same
    assert run(network, keyless=True).same


def test_a_revoked_update_is_left_out_and_its_envelope_is_not_needed() -> None:
    network = Network(sites_count=5)
    network.open_round()
    registrations = [network.register(site) for site in network.sites[:4]]
    network.revoke(network.sites[0])
    network.conclude()
    store = store_of(network)
    store.forget(registrations[0].event.envelope_cid)
    assert run(network, store).same
    assert run(network, store, keyless=True).same


def test_consent_that_was_withdrawn_before_close_is_found_without_a_key() -> None:
    network = Network(sites_count=5)
    network.open_round()
    for site in network.sites[:4]:
        network.register(site)
    network.withdraw(network.sites[1])
    result = network.conclude()
    assert result.codes[1] == VerdictCode.CONSENT_WITHDRAWN
    assert run(network).same
    assert run(network, keyless=True).same


def test_a_round_that_failed_with_too_few_updates_is_recomputed_as_failed() -> None:
    network = Network(sites_count=4)
    network.open_round()
    for site in network.sites[:2]:
        network.register(site)
    network.conclude()
    finding = run(network)
    assert only_round(finding).outcome is Outcome.SAME
    assert only_round(finding).model_digest is None
    assert finding.same


def test_a_live_round_has_no_result_yet() -> None:
    network = honest_network(rounds=1)
    network.open_round()
    network.register(network.sites[0])
    assert only_round(run(network), 2).outcome is Outcome.LIVE


def test_an_aborted_round_is_named_and_the_next_one_is_built_on_the_old_head() -> None:
    network = honest_network(rounds=1)
    network.open_round()
    network.register(network.sites[0])
    view = network.view
    network.emit(ev.RoundAborted(network.lineage_id, 2, network.sites[0].account), at=view.opened.attest_by)
    network.open_round()
    network.register_all()
    network.conclude()
    finding = run(network)
    assert [found.outcome for found in finding.rounds] == [Outcome.SAME, Outcome.ABORTED, Outcome.SAME]
    assert finding.same


def test_one_round_can_be_replayed_alone() -> None:
    finding = run(honest_network(rounds=3), rounds=range(2, 3))
    assert [found.round_id.number for found in finding.rounds] == [2]
    assert finding.same


def test_an_unknown_lineage_or_round_is_the_operators_mistake() -> None:
    network = honest_network(rounds=1)
    with pytest.raises(ConfigError, match="no lineage"):
        run(network, lineage_id=lineage_id_of("nowhere"))
    with pytest.raises(ConfigError, match="none of these rounds"):
        run(network, rounds=range(9, 10))


def test_a_model_that_is_gone_is_missing_and_later_rounds_are_still_recomputed() -> None:
    network = honest_network(rounds=2)
    outcome = network.history.lineages[network.lineage_id].rounds[1].outcome
    assert isinstance(outcome, ev.RoundFinalized)
    store = store_of(network)
    store.forget(outcome.model_cid)
    finding = run(network, store)
    first, second = finding.rounds
    assert [(lost.piece, lost.why) for lost in first.missing] == [(Piece.GLOBAL_MODEL, WhyMissing.NOT_DELIVERED)]
    assert first.outcome is Outcome.MISSING
    assert first.model_recomputed
    assert second.outcome is Outcome.SAME


def test_the_second_endpoint_is_asked_when_the_first_has_damaged_content() -> None:
    network = honest_network(rounds=1)
    damaged = store_of(network)
    for cid in list(damaged.contents):
        damaged.damage(cid)
    assert run(network, damaged, store_of(network)).same


def test_an_endpoint_that_is_down_is_no_finding() -> None:
    network = honest_network(rounds=1)
    down = FakeBlockStore()
    down.is_down = True
    assert run(network, down, store_of(network)).same
    with pytest.raises(BlockStoreUnavailableError):
        run(network, down)


def test_logs_with_a_gap_are_refused() -> None:
    events = [entry for entry in logs_of(honest_network(rounds=1)) if not isinstance(entry.event, ev.LineageCreated)]
    with pytest.raises(MalformedError, match="logs are missing"):
        run(honest_network(rounds=1), events=events)


@pytest.mark.parametrize("keyless", [False, True])
def test_progress_counts_rounds_and_their_updates(keyless: bool) -> None:
    steps: list[Step] = []
    run(honest_network(rounds=2), progress=steps.append, keyless=keyless)
    counted = [(step.done, step.total, step.taken, step.updates) for step in steps]
    assert counted == [(number, 2, taken, 4) for number in range(2) for taken in range(5)]


def test_a_round_whose_updates_cancel_out_publishes_its_parent_and_the_next_one_starts_from_it() -> None:
    network = Network(sites_count=3)
    one, other = (random_delta(network.tensors, seed=seed, scale=4.0) for seed in (1, 2))
    whole = [{name: np.round(values) for name, values in delta.items()} for delta in (one, other)]
    whole.append({name: -values - whole[1][name] for name, values in whole[0].items()})
    network.open_round()
    for site, delta in zip(network.sites, whole, strict=True):
        network.register(site, delta=delta)
    genesis = network.model
    network.conclude()
    assert network.model == genesis
    network.open_round()
    network.register_all()
    network.conclude()
    assert run(network).same


class MeetingStore(FakeBlockStore):
    """Delivers envelopes only when all of them were asked for: whoever fetches one after the other waits in vain."""

    def __init__(self, network: Network, envelopes: set[CID]) -> None:
        super().__init__()
        self.contents = dict(network.blocks)
        self._envelopes = envelopes
        self._all_here = threading.Barrier(len(envelopes), timeout=20)

    def fetch(self, cid: CID, destination: Path, *, max_bytes: int, timeout_seconds: float) -> int:
        if cid in self._envelopes:
            self._all_here.wait()
        return super().fetch(cid, destination, max_bytes=max_bytes, timeout_seconds=timeout_seconds)


@pytest.mark.parametrize("keyless", [False, True])
def test_updates_are_fetched_at_the_same_time(keyless: bool) -> None:
    network = honest_network(rounds=1, sites=3)
    envelopes = {registration.event.envelope_cid for registration in network.view.registrations}
    limits = FetchLimits(timeout_seconds=1.0, threads=3)
    assert run(network, MeetingStore(network, envelopes), limits=limits, keyless=keyless).same


class LastUpdateWaits(FakeBlockStore):
    """Delivers the last envelope only when the first update was taken up for judging."""

    def __init__(self, network: Network, last: CID) -> None:
        super().__init__()
        self.contents = dict(network.blocks)
        self.taken = threading.Event()
        self._last = last

    def fetch(self, cid: CID, destination: Path, *, max_bytes: int, timeout_seconds: float) -> int:
        if cid == self._last and not self.taken.wait(20):
            raise ContentMissingError(cid, timeout_seconds)
        return super().fetch(cid, destination, max_bytes=max_bytes, timeout_seconds=timeout_seconds)


@pytest.mark.parametrize("keyless", [False, True])
def test_judging_begins_while_later_updates_are_on_their_way(keyless: bool) -> None:
    network = honest_network(rounds=1)
    store = LastUpdateWaits(network, network.view.registrations[-1].event.envelope_cid)
    finding = run(network, store, keyless=keyless, progress=lambda step: step.taken == 2 and store.taken.set())
    assert finding.same


def test_the_work_folder_is_empty_afterwards_and_holds_no_more_than_one_round_meanwhile(tmp_path: Path) -> None:
    network = honest_network(rounds=3)
    between, within = [], []

    def count(step: Step) -> None:
        files = sum(path.is_file() for path in left_over(tmp_path))
        (within if step.taken else between).append(files)

    run(network, work_folder=tmp_path, progress=count)
    # Between rounds the parent model alone is kept; within one, its envelopes, two models and the list of verdicts.
    assert max(between) <= 1
    assert max(within) <= 4 + 3
    assert left_over(tmp_path) == []
