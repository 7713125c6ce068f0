"""What the aggregator's own process published, replayed: the two rooms share protocol/ and nothing else."""

from __future__ import annotations

from pathlib import Path

from audit.findings import Outcome
from audit.replay import ReplayOptions, replay
from protocol import ledger_events as ev
from protocol.verdicts import VerdictCode
from tests.aggregator.network import Network
from tests.audit.stage import LIMITS


def replayed(network: Network) -> list[Outcome]:
    ledger = network.governor
    events = ledger.events(ledger.identity.deployment_block_number, ledger.head().number)
    options = ReplayOptions(keys=[network.auditor_key], limits=LIMITS)
    finding = replay(ledger.identity, events, [network.store], options)
    assert finding.all_differences == ()
    assert finding.all_missing == ()
    return [found.outcome for found in finding.rounds]


def test_rounds_of_the_aggregators_process_are_recomputed(tmp_path: Path) -> None:
    network = Network(tmp_path, sites=4, max_rounds=2)
    member = network.members[0]
    member.start()
    member.settle()
    view, plan = network.live, network.plan()
    for site in network.sites[:3]:
        site.register(plan, view)
    network.sites[3].register(plan, view, envelope=lambda sealed: sealed[:-1])
    member.settle()
    assert replayed(network) == [Outcome.SAME, Outcome.LIVE]
    network.register_all()
    member.settle()
    outcome = network.round(1).outcome
    assert isinstance(outcome, ev.RoundFinalized)
    assert outcome.codes[3] == VerdictCode.ENVELOPE_MALFORMED
    assert replayed(network) == [Outcome.SAME, Outcome.SAME]


def test_a_failed_round_of_the_aggregators_process_is_recomputed(tmp_path: Path) -> None:
    network = Network(tmp_path, max_rounds=1)
    member = network.members[0]
    member.start()
    member.settle()
    network.world.advance(1000)
    member.settle()
    assert isinstance(network.round(1).outcome, ev.RoundFailed)
    assert replayed(network) == [Outcome.SAME]
