"""A chain that is replaced while a daemon follows it ends the daemon: waiting brings no old chain back."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

import aggregator.daemon
import node.daemon
from gateways.repeating import repeat
from protocol.errors import FederationError, WrongChainError
from tests.aggregator.network import Network
from tests.fakes.ledger_world import FakeWorld
from tests.node.site_world import SiteWorld


def a_node(folder: Path) -> tuple[FakeWorld, Callable[[], bool], tuple[type[FederationError], ...]]:
    site = SiteWorld(folder / "node")
    return site.world, site.start().step, node.daemon.WAITS_FOR


def an_aggregator(folder: Path) -> tuple[FakeWorld, Callable[[], bool], tuple[type[FederationError], ...]]:
    network = Network(folder)
    return network.world, network.members[0].start().step, aggregator.daemon.WAITS_FOR


@pytest.mark.parametrize("daemon_over", [a_node, an_aggregator])
def test_a_daemon_ends_when_another_chain_answers_and_waits_while_none_does(
    tmp_path: Path,
    daemon_over: Callable[[Path], tuple[FakeWorld, Callable[[], bool], tuple[type[FederationError], ...]]],
) -> None:
    world, step, waits_for = daemon_over(tmp_path)
    happenings = iter(["stops", "is started anew"])

    def sleep(_seconds: float) -> None:
        if next(happenings) == "stops":
            world.chain.down = True
        else:
            world.chain.down = False
            world.chain.begin_anew()

    with pytest.raises(WrongChainError) as ended:
        repeat(step, waits_for=waits_for, poll_seconds=1, max_backoff_seconds=1, sleep=sleep)
    assert ended.value.exit_code == 4
    assert next(happenings, None) is None
