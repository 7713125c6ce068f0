"""IPFS as ``protocol.ports.BlockStore``. What the store says is checked: a CID is recomputed over every byte."""

from __future__ import annotations

import contextlib
import secrets
import time
from typing import TYPE_CHECKING, Final

import structlog

from gateways.data_folder import store_error
from gateways.kubo_rpc import KuboIdentity, KuboRPC, RPCDeadlineError, RPCRefusedError
from gateways.whole_files import written_whole
from protocol.cid import CIDBuilder, cid_of_file
from protocol.errors import (
    BlockStoreError,
    BlockStoreUnavailableError,
    ContentMismatchError,
    ContentMissingError,
    ContentTooLargeError,
    MalformedError,
)
from protocol.identifiers import CID

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

_LOG = structlog.get_logger(__name__)
_PIECE_BYTES: Final = 4 << 20
_ADD_SECONDS: Final = 120.0
_STALE_PARTIAL_SECONDS: Final = 3600.0


class KuboBlockStore:
    """A Kubo daemon, stock or embedded, behind its RPC. Thread-safe.

    Args:
        url: The RPC endpoint, such as ``http://127.0.0.1:5001``.
        before_call: Sees to it that there is somebody to call; its errors are those of the call.

    Raises:
        ConfigError: The URL is none.
    """

    def __init__(self, url: str, *, before_call: Callable[[], None] = lambda: None) -> None:
        self._rpc = KuboRPC(url, before_call=before_call)

    @property
    def url(self) -> str:
        """The RPC endpoint."""
        return self._rpc.url

    def add(self, path: Path) -> CID:
        """See ``protocol.ports.BlockStore``.

        Raises:
            StoreError: The file cannot be read.
        """
        try:
            expected = cid_of_file(path)
        except OSError as error:
            raise store_error(error, path) from error
        try:
            text = self._rpc.add(path, timeout_seconds=_ADD_SECONDS)
            answered = CID.from_text(text)
        except RPCRefusedError as error:
            raise BlockStoreError(f"the block store did not add {expected}: {error}") from error
        except RPCDeadlineError as error:
            raise self._silent() from error
        except MalformedError as error:
            raise ContentMismatchError(expected) from error
        except OSError as error:
            raise store_error(error, path) from error
        if answered != expected:
            raise ContentMismatchError(expected)
        _LOG.debug("content added", cid=str(expected))
        return expected

    def fetch(self, cid: CID, destination: Path, *, max_bytes: int, timeout_seconds: float) -> int:
        """See ``protocol.ports.BlockStore``. The content is durable on return.

        Raises:
            StoreError: ``destination`` cannot be written.
        """
        deadline = time.monotonic() + timeout_seconds
        builder = CIDBuilder()
        _sweep_partials(destination)
        partial = destination.with_name(f".{destination.name}.{secrets.token_hex(4)}.partial")
        with written_whole(destination, partial) as file:
            for piece in self._pieces(cid, max_bytes, timeout_seconds, deadline):
                builder.update(piece)
                if builder.num_bytes > max_bytes:
                    raise ContentTooLargeError(cid, max_bytes)
                file.write(piece)
            if builder.finish() != cid:
                raise ContentMismatchError(cid)
        return builder.num_bytes

    def pin(self, cid: CID, *, timeout_seconds: float) -> None:
        """See ``protocol.ports.BlockStore``."""
        try:
            self._rpc.pin_add(str(cid), timeout_seconds=timeout_seconds)
        except (RPCRefusedError, RPCDeadlineError) as error:
            raise ContentMissingError(cid, timeout_seconds) from error

    def unpin(self, cid: CID) -> None:
        """See ``protocol.ports.BlockStore``. The blocks stay until the daemon collects its garbage."""
        try:
            self._rpc.pin_remove(str(cid))
        except RPCRefusedError as error:
            if "not pinned" not in str(error):
                raise BlockStoreError(f"the block store did not unpin {cid}: {error}") from error
        except RPCDeadlineError as error:
            raise self._silent() from error

    def holds(self, cid: CID) -> bool:
        """See ``protocol.ports.BlockStore``. What the store claims: only ``fetch`` reads every byte."""
        try:
            return self._rpc.is_pinned(str(cid))
        except RPCRefusedError as error:
            raise BlockStoreError(f"the block store does not list its pins: {error}") from error
        except RPCDeadlineError as error:
            raise self._silent() from error

    def peers(self) -> tuple[str, ...]:
        """Connected peers as multiaddresses with /p2p/ID."""
        try:
            return self._rpc.swarm_peers()
        except (RPCRefusedError, RPCDeadlineError) as error:
            raise self._silent() from error

    def identity(self) -> KuboIdentity:
        """Peer id, addresses and version of the store.

        Raises:
            BlockStoreUnavailableError: Nothing there speaks the Kubo RPC.
        """
        try:
            return self._rpc.identity()
        except (RPCRefusedError, RPCDeadlineError) as error:
            raise self._silent() from error

    def _pieces(self, cid: CID, max_bytes: int, timeout_seconds: float, deadline: float) -> Iterator[bytes]:
        offset = 0
        while True:
            left = deadline - time.monotonic()
            if left <= 0:
                raise ContentMissingError(cid, timeout_seconds)
            # One byte over the limit is enough to know that it is over.
            length = min(_PIECE_BYTES, max_bytes + 1 - offset)
            try:
                piece = self._rpc.cat(str(cid), offset=offset, length=length, timeout_seconds=left)
            except (RPCRefusedError, RPCDeadlineError) as error:
                raise ContentMissingError(cid, timeout_seconds) from error
            # Only an empty answer is the end: a short one may be a read that was cut off.
            if not piece:
                return
            if len(piece) > length:
                raise ContentMismatchError(cid)
            yield piece
            offset += len(piece)

    def _silent(self) -> BlockStoreUnavailableError:
        return BlockStoreUnavailableError(f"the IPFS endpoint {self.url} gave no usable answer in time")


def _sweep_partials(destination: Path) -> None:
    """Takes away what a killed process left of an earlier fetch; a fetch that still runs is younger."""
    oldest = time.time() - _STALE_PARTIAL_SECONDS
    for leftover in destination.parent.glob(f".{destination.name}.*.partial"):
        with contextlib.suppress(FileNotFoundError):
            if leftover.stat().st_mtime < oldest:
                leftover.unlink()
