"""Replay streams: its memory does not grow with the model."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import numpy as np

from audit.replay import ReplayOptions, replay
from protocol.plan import PlannedTensor
from protocol.tensors import TensorShape
from tests.audit.stage import LIMITS, logs_of
from tests.fakes.block_store import FakeBlockStore
from tests.protocol.builders import Network


class StoreOnDisk(FakeBlockStore):
    """Holds contents in files, so that they do not count as the replay's memory."""

    def __init__(self, network: Network, folder: Path) -> None:
        super().__init__()
        self.paths = {cid: folder / cid.hex() for cid in network.blocks}
        for cid, path in self.paths.items():
            path.write_bytes(network.blocks[cid])

    def fetch(self, cid, destination, *, max_bytes, timeout_seconds):
        destination.hardlink_to(self.paths[cid])
        return destination.stat().st_size


def peak_bytes(values_count: int, folder: Path) -> int:
    network = Network(sites_count=3, tensors=(PlannedTensor(TensorShape("w", (values_count,)), 24),))
    network.open_round()
    for site in network.sites:
        values = np.random.default_rng(site.ordinal).normal(scale=0.001, size=values_count)
        network.register(site, delta={"w": values})
    network.conclude()
    folder.mkdir()
    store, logs = StoreOnDisk(network, folder), logs_of(network)
    identity, key = network.identity, network.auditor_key
    del network
    tracemalloc.start()
    try:
        options = ReplayOptions(keys=[key], limits=LIMITS, work_folder=folder)
        assert replay(identity, logs, [store], options).same
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_memory_is_bounded_by_chunks_and_not_by_the_model(tmp_path: Path) -> None:
    small, large = peak_bytes(500_000, tmp_path / "small"), peak_bytes(1_500_000, tmp_path / "large")
    print(f"peak {small / 1e6:.1f} MB for a model of 2 MB, {large / 1e6:.1f} MB for one of 6 MB")
    # Three updates and two models more by 4 MB each would be 20 MB.
    assert large - small < 2 << 20
