"""aggregator/fetcher.py: background fetches that hold nobody up."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from aggregator.fetcher import Delivery, Fetcher
from protocol.cid import cid_of_bytes
from protocol.errors import ContentMissingError, StoreError
from protocol.identifiers import CID
from tests.aggregator.network import Clock
from tests.fakes.block_store import FakeBlockStore, FakeSwarm


def in_line(work: Callable[[], None]) -> None:
    work()


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.01)


@pytest.fixture
def swarm() -> FakeSwarm:
    return FakeSwarm()


def put(swarm: FakeSwarm, content: bytes) -> CID:
    cid = cid_of_bytes(content)
    swarm.store().contents[cid] = content
    return cid


def ask(fetcher: Fetcher, cid: CID, path: Path, max_bytes: int = 1000) -> Delivery:
    return fetcher.request(cid, path, max_bytes=max_bytes, longest_timeout_seconds=60)


def test_content_is_held_once_it_is_a_file_and_pinned(swarm: FakeSwarm, tmp_path: Path) -> None:
    here, cid = swarm.store(), put(swarm, b"content")
    assert ask(Fetcher(here, workers=1, start=in_line), cid, tmp_path / "a") is Delivery.HELD
    assert (tmp_path / "a").read_bytes() == b"content"
    assert here.holds(cid)


def test_after_a_restart_a_file_that_was_not_pinned_is_pinned_without_a_fetch(swarm: FakeSwarm, tmp_path: Path) -> None:
    here, cid = swarm.store(), put(swarm, b"content")
    (tmp_path / "a").write_bytes(b"content")
    fetched: list[CID] = []
    here.fetch = lambda cid, *_, **__: fetched.append(cid)  # type: ignore[method-assign]
    assert ask(Fetcher(here, workers=1, start=in_line), cid, tmp_path / "a") is Delivery.HELD
    assert here.holds(cid)
    assert fetched == []


def test_tries_come_again_with_growing_pauses_and_time_outs(swarm: FakeSwarm, tmp_path: Path) -> None:
    clock, timeouts = Clock(), []
    here = swarm.store()

    def missing(cid: CID, *_: object, timeout_seconds: float, **__: object) -> int:
        timeouts.append(timeout_seconds)
        raise ContentMissingError(cid, timeout_seconds)

    here.fetch = missing  # type: ignore[method-assign]
    fetcher = Fetcher(here, workers=1, start=in_line, clock=clock)
    for _ in range(8):
        assert ask(fetcher, CID(bytes(32)), tmp_path / "a") is Delivery.WAITING
        clock.seconds += 2
    assert timeouts == [10, 20, 40, 60]
    clock.seconds += 3600
    ask(fetcher, CID(bytes(32)), tmp_path / "a")
    assert timeouts[4:] == [60]


def test_content_that_is_too_long_stays_so_over_a_restart(swarm: FakeSwarm, tmp_path: Path) -> None:
    here, cid = swarm.store(), put(swarm, bytes(1001))
    assert ask(Fetcher(here, workers=1, start=in_line), cid, tmp_path / "a") is Delivery.TOO_LARGE
    here.is_down = True
    assert ask(Fetcher(here, workers=1, start=in_line), cid, tmp_path / "a") is Delivery.TOO_LARGE
    assert not (tmp_path / "a").exists()


def test_a_forgotten_file_is_fetched_anew(swarm: FakeSwarm, tmp_path: Path) -> None:
    here, cid = swarm.store(), put(swarm, b"content")
    fetcher = Fetcher(here, workers=1, start=in_line)
    ask(fetcher, cid, tmp_path / "a")
    fetcher.forget(tmp_path / "a")
    assert not (tmp_path / "a").exists()
    assert ask(fetcher, cid, tmp_path / "a") is Delivery.HELD


def test_an_abandoned_content_is_asked_for_no_more(swarm: FakeSwarm, tmp_path: Path) -> None:
    clock, here = Clock(), SlowStore(swarm, set())
    fetcher = Fetcher(here, workers=1, start=in_line, clock=clock)
    present, absent = put(swarm, b"content"), CID(bytes(32))
    ask(fetcher, present, tmp_path / "here")
    ask(fetcher, absent, tmp_path / "not")
    fetcher.abandon(tmp_path)
    here.fetches.clear()
    clock.seconds += 1000
    ask(fetcher, put(swarm, b"other"), tmp_path / "other")
    assert absent not in here.fetches
    assert ask(fetcher, present, tmp_path / "here") is Delivery.HELD
    assert present not in here.fetches


def test_a_full_disk_is_waited_out(swarm: FakeSwarm, tmp_path: Path) -> None:
    clock, here, cid = Clock(), swarm.store(), put(swarm, b"content")
    fetch = here.fetch

    def full(*_: object, **__: object) -> int:
        raise StoreError("the disk is full")

    here.fetch = full  # type: ignore[method-assign]
    fetcher = Fetcher(here, workers=1, start=in_line, clock=clock)
    assert ask(fetcher, cid, tmp_path / "a") is Delivery.WAITING
    here.fetch = fetch  # type: ignore[method-assign]
    clock.seconds += 10
    assert ask(fetcher, cid, tmp_path / "a") is Delivery.HELD


class SlowStore(FakeBlockStore):
    """Delivers some contents only when told to."""

    def __init__(self, swarm: FakeSwarm, slow: set[CID]) -> None:
        super().__init__(swarm)
        self.slow = slow
        self.release = threading.Event()
        self.fetches: list[CID] = []

    def fetch(self, cid: CID, destination: Path, *, max_bytes: int, timeout_seconds: float) -> int:
        self.fetches.append(cid)
        if cid in self.slow:
            self.release.wait(10)
            raise ContentMissingError(cid, timeout_seconds)
        return super().fetch(cid, destination, max_bytes=max_bytes, timeout_seconds=timeout_seconds)


def test_slow_contents_do_not_hold_up_the_others_and_are_asked_for_once_at_a_time(
    swarm: FakeSwarm, tmp_path: Path
) -> None:
    slow = [CID(bytes([number] * 32)) for number in range(1, 4)]
    quick = [put(swarm, bytes([number])) for number in range(20)]
    here = SlowStore(swarm, set(slow))
    fetcher = Fetcher(here, workers=4)
    wanted = [*slow, *quick]

    def all_quick_are_here() -> bool:
        found = [ask(fetcher, cid, tmp_path / str(index)) for index, cid in enumerate(wanted)]
        return found[3:] == [Delivery.HELD] * len(quick)

    try:
        wait_until(all_quick_are_here)
        assert [here.fetches.count(cid) for cid in slow] == [1, 1, 1]
        assert len([thread for thread in threading.enumerate() if thread.name == "fetcher"]) <= 4
    finally:
        here.release.set()
    wait_until(lambda: not [thread for thread in threading.enumerate() if thread.name == "fetcher"])


def test_content_counts_as_sought_only_while_the_store_answers(swarm: FakeSwarm, tmp_path: Path) -> None:
    clock, here, path = Clock(), swarm.store(), tmp_path / "a"
    fetcher = Fetcher(here, workers=1, start=in_line, clock=clock)
    assert not fetcher.was_sought(path)
    for is_down in (True, False, True):
        here.is_down = is_down
        ask(fetcher, CID(bytes([1] * 32)), path)
        assert fetcher.was_sought(path) is not is_down
        clock.seconds += 100


def test_what_was_tried_least_comes_first(swarm: FakeSwarm, tmp_path: Path) -> None:
    clock, here = Clock(), SlowStore(swarm, set())
    fetcher = Fetcher(here, workers=1, start=in_line, clock=clock)
    missing, fresh = CID(bytes([1] * 32)), put(swarm, b"fresh")
    for _ in range(3):
        ask(fetcher, missing, tmp_path / "missing")
        clock.seconds += 100
    here.fetches.clear()
    held_back = Fetcher.__dict__["_employ"]
    Fetcher._employ = lambda _self: None  # both become due before a worker looks
    try:
        ask(fetcher, missing, tmp_path / "missing")
        ask(fetcher, fresh, tmp_path / "fresh")
    finally:
        Fetcher._employ = held_back
    ask(fetcher, missing, tmp_path / "missing")
    assert here.fetches == [fresh, missing]
