"""Fetches what the chain names from the given IPFS endpoints into files, several at once."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import structlog

from audit.findings import Missing, Piece, WhyMissing
from protocol.errors import (
    BlockStoreUnavailableError,
    ContentMismatchError,
    ContentMissingError,
    ContentTooLargeError,
)
from protocol.identifiers import CID
from protocol.ports import BlockStore

logger = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class FetchLimits:
    """What an auditor is willing to fetch and to wait for."""

    max_bytes: int = 2 << 30
    """Longest piece, in bytes."""
    timeout_seconds: float = 60.0
    """For one piece from one endpoint."""
    doubtful_seconds: float = 5.0
    """Likewise, at most, for a piece that the aggregators could not get: a site can register what never was."""
    threads: int = 4
    """Fetches at once."""


@dataclass(frozen=True, slots=True)
class Fetched:
    """A piece in a file whose bytes are those that the CID names."""

    cid: CID
    path: Path
    num_bytes: int


@dataclass(frozen=True, slots=True)
class NotFetched:
    """A piece that no endpoint delivered."""

    cid: CID
    why: WhyMissing

    def as_missing(self, piece: Piece, index: int | None = None) -> Missing:
        """This as a finding."""
        return Missing(piece, self.cid, self.why, index)


class Pieces:
    """A folder of fetched pieces; each is fetched once as long as it is kept.

    A context manager: on leaving, fetches that have not begun are dropped.

    Args:
        stores: IPFS endpoints, asked in this order.
        folder: Where the pieces go, one file a CID; the caller removes the folder.
        limits: What the auditor allows.

    Raises:
        BlockStoreUnavailableError: From ``get``: no endpoint answers at all.
    """

    def __init__(self, stores: Sequence[BlockStore], folder: Path, limits: FetchLimits) -> None:
        self._stores = tuple(stores)
        self._folder = folder
        self._limits = limits
        self._pool = ThreadPoolExecutor(max_workers=limits.threads, thread_name_prefix="fetch")
        self._running: dict[CID, Future[Fetched | NotFetched]] = {}

    @property
    def limits(self) -> FetchLimits:
        """What the auditor allows."""
        return self._limits

    def begin(self, cid: CID, *, max_bytes: int | None = None, doubtful: bool = False) -> None:
        """Starts to fetch a piece in the background, unless it is here or on its way.

        Args:
            cid: The piece.
            max_bytes: A bound below the auditor's own; None takes the auditor's.
            doubtful: The aggregators could not get it in time: nobody waits long for it again.
        """
        if cid not in self._running:
            bound = min(self._limits.max_bytes, max_bytes or self._limits.max_bytes)
            seconds = self._limits.timeout_seconds
            seconds = min(seconds, self._limits.doubtful_seconds) if doubtful else seconds
            self._running[cid] = self._pool.submit(self._fetch, cid, bound, seconds)

    def get(self, cid: CID, *, max_bytes: int | None = None) -> Fetched | NotFetched:
        """A piece, fetched now if it is not here."""
        self.begin(cid, max_bytes=max_bytes)
        return self._running[cid].result()

    def let_go(self, cid: CID) -> None:
        """Removes a piece's file; a later ``get`` fetches it again."""
        future = self._running.pop(cid, None)
        if future is None or future.cancel() or future.exception() is not None:
            return
        result = future.result()
        if isinstance(result, Fetched):
            result.path.unlink(missing_ok=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _fetch(self, cid: CID, max_bytes: int, timeout_seconds: float) -> Fetched | NotFetched:
        destination = self._folder / cid.hex()
        why = WhyMissing.NOT_DELIVERED
        unavailable: BlockStoreUnavailableError | None = None
        answered = False
        for store in self._stores:
            try:
                length = store.fetch(cid, destination, max_bytes=max_bytes, timeout_seconds=timeout_seconds)
            except ContentMissingError:
                answered = True
            except ContentMismatchError:
                logger.warning("content.damaged", cid=str(cid))
                answered, why = True, WhyMissing.DAMAGED
            except ContentTooLargeError:
                answered, why = True, WhyMissing.TOO_LARGE
            except BlockStoreUnavailableError as error:
                unavailable = error
            else:
                return Fetched(cid, destination, length)
        if unavailable is not None and not answered:
            raise unavailable
        return NotFetched(cid, why)
