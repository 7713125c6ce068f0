"""Clocks a process's transactions, chain reads and SHA-256, for benchmarks/trail_overhead.py.

    python -m benchmarks.trail_clock NOTES aggregator run --config FILE

runs ``fedrx`` with the clock on. Each transaction leaves one line in NOTES.
"""

from __future__ import annotations

import hashlib
import json
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from fedrx.main import main as fedrx
from gateways.ledger.web3_ledger import Web3Ledger


class Clock:
    """Seconds so far, of all threads together: what runs beside other work is counted too."""

    def __init__(self, notes: Path) -> None:
        self.digests = 0.0
        self.reads = 0.0
        self._notes = notes
        self._lock = threading.Lock()

    def hashed(self, started: float) -> None:
        with self._lock:
            self.digests += time.perf_counter() - started

    def read(self, started: float) -> None:
        with self._lock:
            self.reads += time.perf_counter() - started

    def note(self, what: str, started: float, **more: float) -> None:
        ended = time.time()
        entry = {"what": what, "from": started, "to": ended, "digests": self.digests, "reads": self.reads, **more}
        with self._notes.open("a") as out:
            out.write(json.dumps(entry) + "\n")


def install(notes: Path) -> Clock:
    """Puts the clock around ``hashlib.sha256`` and the ledger's methods, in this process."""
    clock = Clock(notes)
    hashlib.sha256 = _timed_digest(hashlib.sha256, clock)
    send, head, events = Web3Ledger.send, Web3Ledger.head, Web3Ledger.events

    def timed_send(ledger: Web3Ledger, call: Any) -> Any:
        started = time.time()
        receipt = send(ledger, call)
        clock.note(type(call).__name__, started, round=getattr(call, "round", 0))
        return receipt

    def timed_head(ledger: Web3Ledger) -> Any:
        started = time.perf_counter()
        found = head(ledger)
        clock.read(started)
        return found

    def timed_events(ledger: Web3Ledger, from_block: int, to_block: int) -> Iterator[Any]:
        started = time.perf_counter()
        found = list(events(ledger, from_block, to_block))
        clock.read(started)
        return iter(found)

    for name, method in (("send", timed_send), ("head", timed_head), ("events", timed_events)):
        setattr(Web3Ledger, name, method)
    return clock


def _timed_digest(real: Callable[..., Any], clock: Clock) -> type:
    class TimedDigest:
        def __init__(self, data: Any = b"", *, state: Any = None) -> None:
            started = time.perf_counter()
            self._state = real(data) if state is None else state
            clock.hashed(started)

        def update(self, data: Any) -> None:
            started = time.perf_counter()
            self._state.update(data)
            clock.hashed(started)

        def digest(self) -> bytes:
            started = time.perf_counter()
            found: bytes = self._state.digest()
            clock.hashed(started)
            return found

        def copy(self) -> TimedDigest:
            return TimedDigest(state=self._state.copy())

        def __getattr__(self, name: str) -> Any:
            return getattr(self._state, name)

    return TimedDigest


if __name__ == "__main__":
    install(Path(sys.argv.pop(1)))
    fedrx()
