"""Content by CID, fetched in the background: nobody's slow content holds up anybody else's.

Tries repeat with growing time-outs and pauses; whatever was tried least comes first. What has arrived is a file, so a
restart forgets nothing that matters.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

import structlog

from gateways.data_folder import store_error, sync_folder
from protocol.errors import BlockStoreError, BlockStoreUnavailableError, ContentTooLargeError, StoreError
from protocol.identifiers import CID
from protocol.ports import BlockStore

logger = structlog.get_logger(__name__)

_FIRST_TIMEOUT_SECONDS = 10.0
_FIRST_PAUSE_SECONDS = 1.0
_LONGEST_PAUSE_SECONDS = 60.0


class Delivery(Enum):
    """Where a content stands."""

    HELD = "held"
    """The file is here, complete, its CID checked, and pinned."""
    WAITING = "waiting"
    TOO_LARGE = "too large"
    """Longer than allowed; that does not change."""


@dataclass(slots=True)
class _Job:
    cid: CID
    destination: Path
    max_bytes: int
    longest_timeout_seconds: float
    tries: int = 0
    next_try: float = 0.0
    running: bool = False
    pinned: bool = False
    sought: bool = False


def in_daemon_thread(work: Callable[[], None]) -> None:
    """Runs work in a thread that does not keep the process alive: a fetch may be cut off at any moment."""
    threading.Thread(target=work, name="fetcher", daemon=True).start()


class Fetcher:
    """Fetches and pins.

    Args:
        block_store: Where content comes from and is pinned.
        workers: Contents fetched at the same time.
        start: Runs a worker; tests run it in line.
        clock: Monotonic seconds.
    """

    def __init__(
        self,
        block_store: BlockStore,
        *,
        workers: int,
        start: Callable[[Callable[[], None]], None] = in_daemon_thread,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._block_store = block_store
        self._workers = workers
        self._start = start
        self._clock = clock
        self._lock = threading.Lock()
        self._jobs: dict[Path, _Job] = {}
        self._running = 0

    def request(self, cid: CID, destination: Path, *, max_bytes: int, longest_timeout_seconds: float) -> Delivery:
        """Where a content stands; asks for it when it is not here. Returns at once.

        Args:
            cid: What to fetch.
            destination: Its file; one file, one CID.
            max_bytes: A longer content is refused.
            longest_timeout_seconds: Bound of a single try.
        """
        if _too_large_mark(destination).exists():
            return Delivery.TOO_LARGE
        with self._lock:
            job = self._jobs.setdefault(destination, _Job(cid, destination, max_bytes, longest_timeout_seconds))
            if job.pinned and not destination.exists():
                job.pinned = False
        if not job.pinned:
            self._employ()
        return self._delivery(job)

    def was_sought(self, destination: Path) -> bool:
        """Whether the last try for a content that was asked for ended while the block store answered.

        A process that has just started has not tried yet, and a block store that is away says nothing about a site.
        """
        with self._lock:
            job = self._jobs.get(destination)
            return job is not None and job.sought

    def abandon(self, folder: Path) -> None:
        """Asks no more for what has not arrived in a folder; a try that runs comes to its end."""
        with self._lock:
            for path in [path for path, job in self._jobs.items() if path.parent == folder and not job.pinned]:
                del self._jobs[path]

    def forget_folder(self, folder: Path) -> None:
        """Forgets everything that was asked for in a folder; the caller removes the files."""
        with self._lock:
            for path in [path for path in self._jobs if path.parent == folder]:
                del self._jobs[path]

    def forget(self, destination: Path) -> None:
        """Drops a file that was damaged or is no longer needed; the next request fetches it anew."""
        with self._lock:
            self._jobs.pop(destination, None)
        destination.unlink(missing_ok=True)
        _too_large_mark(destination).unlink(missing_ok=True)

    def _delivery(self, job: _Job) -> Delivery:
        if job.pinned and job.destination.exists():
            return Delivery.HELD
        return Delivery.TOO_LARGE if _too_large_mark(job.destination).exists() else Delivery.WAITING

    def _employ(self) -> None:
        with self._lock:
            if self._running >= self._workers or self._next() is None:
                return
            self._running += 1
        self._start(self._work)

    def _work(self) -> None:
        """One worker: takes jobs until none is due."""
        try:
            while True:
                with self._lock:
                    job = self._next()
                    if job is None:
                        return
                    job.running = True
                try:
                    self._try(job)
                finally:
                    job.running = False
        finally:
            with self._lock:
                self._running -= 1

    def _next(self) -> _Job | None:
        now = self._clock()
        due = [job for job in self._jobs.values() if not job.running and not job.pinned and job.next_try <= now]
        return min(due, key=lambda job: job.tries, default=None)

    def _try(self, job: _Job) -> None:
        timeout_seconds = min(job.longest_timeout_seconds, _FIRST_TIMEOUT_SECONDS * 2**job.tries)
        pause_seconds = min(_LONGEST_PAUSE_SECONDS, _FIRST_PAUSE_SECONDS * 2**job.tries)
        job.tries = min(job.tries + 1, 30)
        try:
            if not job.destination.exists():
                self._block_store.fetch(
                    job.cid, job.destination, max_bytes=job.max_bytes, timeout_seconds=timeout_seconds
                )
            self._block_store.pin(job.cid, timeout_seconds=timeout_seconds)
            job.pinned = True
            logger.info("content.held", cid=str(job.cid))
        except ContentTooLargeError as error:
            logger.warning("content.too_large", cid=str(job.cid), error=str(error))
            self._mark_too_large(job)
        except (BlockStoreError, StoreError) as error:
            job.sought = not isinstance(error, BlockStoreUnavailableError | StoreError)
            logger.warning("content.waiting", cid=str(job.cid), tries=job.tries, error=str(error))
        finally:
            job.next_try = self._clock() + pause_seconds

    def _mark_too_large(self, job: _Job) -> None:
        try:
            _too_large_mark(job.destination).touch()
            sync_folder(job.destination.parent)
        except OSError as error:
            # Asked for again, it is found too large again.
            reason = str(store_error(error, job.destination))
            logger.warning("content.waiting", cid=str(job.cid), tries=job.tries, error=reason)
            return
        with self._lock:
            self._jobs.pop(job.destination, None)


def has_arrived(destination: Path) -> bool:
    """Whether a content came to its file, or was found too large for it; for readers beside the daemon."""
    return destination.exists() or _too_large_mark(destination).exists()


def _too_large_mark(destination: Path) -> Path:
    return destination.with_name(destination.name + ".too-large")
