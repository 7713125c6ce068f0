"""Stages for audits: a network of builders, its event logs as a chain would hold them, its content in a block store."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

from audit.findings import Difference, ReplayFinding, RoundFinding, Topic
from audit.pieces import FetchLimits
from audit.replay import ReplayOptions, replay
from protocol import ledger_events as ev
from protocol.ports import BlockStore
from tests.fakes.block_store import FakeBlockStore
from tests.protocol.builders import Network

LIMITS = FetchLimits(timeout_seconds=1.0, threads=2)


def honest_network(rounds: int = 2, sites: int = 4, **arguments: Any) -> Network:
    network = Network(sites_count=sites, **arguments)
    for _ in range(rounds):
        network.open_round()
        network.register_all()
        network.conclude()
    return network


def logs_of(network: Network) -> list[ev.LocatedEvent]:
    """The network's events with each outcome in the transaction of the vote that decided it, as on a chain."""
    located: list[ev.LocatedEvent] = []
    for entry in network.events:
        position = entry.position
        if isinstance(entry.event, ev.RoundFinalized | ev.RoundFailed):
            vote = located[-1].position
            position = dataclasses.replace(vote, log_index=vote.log_index + 1)
        located.append(ev.LocatedEvent(position, entry.event))
    return located


def store_of(network: Network) -> FakeBlockStore:
    store = FakeBlockStore()
    store.contents = dict(network.blocks)
    store.pins = set(store.contents)
    return store


def run(
    network: Network,
    *stores: BlockStore,
    keyless: bool = False,
    events: list[ev.LocatedEvent] | None = None,
    **options: Any,
) -> ReplayFinding:
    keys = () if keyless else (network.auditor_key,)
    wanted = ReplayOptions(**({"keys": keys, "limits": LIMITS} | options))
    logs = logs_of(network) if events is None else events
    return replay(network.identity, logs, stores or (store_of(network),), wanted)


def only_round(finding: ReplayFinding, number: int = 1) -> RoundFinding:
    (found,) = [round_ for round_ in finding.rounds if round_.round_id.number == number]
    return found


def topics(found: RoundFinding) -> set[Topic]:
    return {difference.topic for difference in found.differences}


def change(events: list[ev.LocatedEvent], kind: type, number: int = 1, **fields: Any) -> list[ev.LocatedEvent]:
    """The logs with fields of one round's events of a kind changed: what a lying RPC endpoint would show."""
    return [
        dataclasses.replace(entry, event=dataclasses.replace(entry.event, **fields))
        if isinstance(entry.event, kind) and getattr(entry.event, "round", number) == number
        else entry
        for entry in events
    ]


def about(found: RoundFinding, topic: Topic) -> list[Difference]:
    return [difference for difference in found.differences if difference.topic is topic]


def left_over(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*"))
