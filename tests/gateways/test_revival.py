"""A Kubo that was started here and dies is started again before its next use."""

from __future__ import annotations

import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace

import pytest
from structlog.testing import capture_logs

from gateways import local_kubo
from gateways.daemon_block_store import block_store_beside_daemon, daemon_block_store
from gateways.data_folder import DataFolder
from gateways.embedded_kubo.repository import write_swarm_key
from gateways.embedded_kubo.supervisor import EmbeddedKubo
from gateways.kubo_process import KuboProcess
from gateways.settings import IPFSSettings
from protocol.errors import BlockStoreUnavailableError
from tests.gateways.block_store_behavior import random_file


def kill(pid: int) -> None:
    """As the kernel does when memory is short."""
    os.kill(pid, signal.SIGKILL)
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)


def children() -> set[int]:
    """Of all threads of this process."""
    lists = [path.read_text() for path in Path("/proc/self/task").glob("*/children")]
    return {int(pid) for pids in lists for pid in pids.split()}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> DataFolder:
    monkeypatch.setenv("PATH", "/nowhere")  # the embedded core, whatever this machine has
    write_swarm_key(tmp_path / "swarm.key")
    return DataFolder(tmp_path)


@pytest.mark.ipfs
def test_a_daemons_core_that_was_killed_serves_the_next_call_with_all_that_it_held(
    folder: DataFolder, tmp_path: Path
) -> None:
    before, after = random_file(tmp_path, 300_000), random_file(tmp_path, 1_000)
    others = children()
    with daemon_block_store(IPFSSettings(), folder) as store:
        held = store.add(before)
        (core,) = children() - others
        kill(core)
        with capture_logs() as logs:
            assert store.fetch(held, tmp_path / "got", max_bytes=1 << 20, timeout_seconds=30) == 300_000
        assert [line["log_level"] for line in logs if "starting it again" in line["event"]] == ["warning"]
        assert store.holds(store.add(after))
        assert block_store_beside_daemon(IPFSSettings(), folder).identity() == store.identity()
        (core,) = children() - others
    assert children() == others
    with pytest.raises(BlockStoreUnavailableError):
        store.identity()


@pytest.mark.ipfs
def test_threads_that_need_a_killed_core_at_once_start_one(folder: DataFolder) -> None:
    others = children()
    with daemon_block_store(IPFSSettings(), folder) as store:
        (core,) = children() - others
        kill(core)
        with ThreadPoolExecutor(4) as pool:
            identities = set(pool.map(lambda _: store.identity(), range(8)))
        assert len(identities) == 1
        assert len(children() - others) == 1
        time.sleep(1.5)
        assert store.identity() in identities, "the core outlives the threads that brought it back"


@pytest.mark.ipfs
def test_a_configured_core_is_never_started(folder: DataFolder, tmp_path: Path) -> None:
    with (
        EmbeddedKubo(tmp_path / "foreign", tmp_path / "swarm.key") as foreign,
        daemon_block_store(IPFSSettings(url=foreign.rpc_url), folder) as store,
    ):
        assert foreign.pid is not None
        kill(foreign.pid)
        for _ in range(2):
            with pytest.raises(BlockStoreUnavailableError):
                store.identity()


class Process(KuboProcess):
    """Dies as a test wants."""

    def __init__(self) -> None:
        self.alive = True

    @property
    def runs(self) -> bool:
        return self.alive

    @property
    def last_words(self) -> str:
        return "no memory"

    def stop(self) -> None:
        self.alive = False


class Kubo(local_kubo.LocalKubo):
    starts = 0
    fails = False

    def start(self) -> None:
        self.stop()
        self.starts += 1
        if self.fails:
            raise BlockStoreUnavailableError("the IPFS process did not start")
        self._process = self.process = Process()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [1_000.0]
    monkeypatch.setattr(local_kubo, "time", SimpleNamespace(monotonic=lambda: now[0]))
    return now


def starts_within(kubo: Kubo, clock: list[float], seconds: int) -> list[float]:
    """When it was started, used once a second."""
    found, began = [], clock[0]
    for second in range(seconds):
        clock[0] = began + second
        count = kubo.starts
        with suppress(BlockStoreUnavailableError):
            kubo.revive()
        kubo.process.alive = False
        if kubo.starts > count:
            found.append(second)
    return found


@pytest.mark.parametrize("fails", [False, True])
def test_one_that_dies_again_and_again_is_started_ever_more_rarely(
    tmp_path: Path, clock: list[float], fails: bool
) -> None:
    kubo = Kubo(tmp_path, tmp_path)
    kubo.start()
    kubo.fails, kubo.process.alive = fails, False
    assert starts_within(kubo, clock, 200) == [0, 1, 3, 7, 15, 31, 63, 123, 183]
    with pytest.raises(BlockStoreUnavailableError, match=r"ended again, and is started again in 44 s.*no memory"):
        kubo.revive()
    kubo.fails = False
    clock[0] += 60
    kubo.revive()
    clock[0] += 1_000
    kubo.process.alive = False
    assert starts_within(kubo, clock, 4) == [0, 1, 3]


def test_one_that_was_ended_stays_ended(tmp_path: Path) -> None:
    kubo = Kubo(tmp_path, tmp_path)
    kubo.start()
    kubo.process.alive = False
    kubo.stop()
    kubo.revive()
    assert kubo.starts == 1
