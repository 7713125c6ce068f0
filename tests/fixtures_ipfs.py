"""Real IPFS for tests: embedded Kubo cores in private swarms on loopback."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from gateways.block_store import KuboBlockStore
from gateways.embedded_kubo.repository import write_swarm_key
from gateways.embedded_kubo.supervisor import EmbeddedKubo


@dataclass(frozen=True)
class IPFSSwarm:
    """Two connected cores, for all tests of a session."""

    folder: Path
    swarm_key: Path
    here: EmbeddedKubo
    there: EmbeddedKubo

    @property
    def here_store(self) -> KuboBlockStore:
        return KuboBlockStore(self.here.rpc_url)

    @property
    def there_store(self) -> KuboBlockStore:
        return KuboBlockStore(self.there.rpc_url)


@pytest.fixture(scope="session")
def ipfs_swarm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[IPFSSwarm]:
    folder = tmp_path_factory.mktemp("ipfs")
    swarm_key = folder / "swarm.key"
    write_swarm_key(swarm_key)
    with ExitStack() as processes:
        here = processes.enter_context(EmbeddedKubo(folder / "here", swarm_key))
        there = processes.enter_context(EmbeddedKubo(folder / "there", swarm_key, peers=here.peer_addresses))
        swarm = IPFSSwarm(folder, swarm_key, here, there)
        wait_until(lambda: bool(swarm.here_store.peers()))
        yield swarm


def wait_until(condition: Callable[[], bool], *, timeout_seconds: float = 20.0) -> None:
    deadline = time.monotonic() + timeout_seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.05)
