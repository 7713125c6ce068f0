"""aggregator/daemon.py: what waiting mends does not end the process."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from aggregator import daemon
from aggregator.parts import Parts
from gateways.repeating import repeat
from protocol.errors import StoreError
from tests.aggregator.network import Network


class FullDisk:
    """A journal whose disk has no space for its first records."""

    def __init__(self, journal: Any, refusals: int) -> None:
        self._journal, self._refusals = journal, refusals

    def record(self, key: str, value: Any) -> None:
        if self._refusals:
            self._refusals -= 1
            raise StoreError("the disk is full", hint="free space and start again: nothing was lost")
        self._journal.record(key, value)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._journal, name)


def test_a_full_disk_makes_the_daemon_wait_and_then_go_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    network = Network(tmp_path, max_rounds=1)
    member = network.members[0]
    waits: list[float] = []

    @contextmanager
    def parts(*_: object) -> Iterator[Parts]:
        yield member.parts(wrap=lambda name, port: FullDisk(port, 2) if name == "journal" else port)

    def sleep(seconds: float) -> None:
        waits.append(seconds)
        assert len(waits) < 50
        if network.history.lineages[network.lineage_id].live_round() is not None:
            os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr(daemon, "open_parts", parts)
    monkeypatch.setattr(daemon, "repeat", partial(repeat, sleep=sleep))
    with capture_logs() as logs:
        daemon.run(member.settings, member.secrets)  # type: ignore[arg-type] # the secrets of a test
    said = [entry["reason"] for entry in logs if entry["event"] == "daemon.waiting"]
    assert len(said) == 2
    assert all("disk is full" in reason for reason in said)
    assert waits[:2] == [2.0, 4.0]
    assert network.live.opened.round == 1
    assert logs[-1]["event"] == "aggregator.stopped"
