"""A bundle's contents behind the port through which a replay reads IPFS."""

from __future__ import annotations

from pathlib import Path

from audit.bundle.container import Container
from audit.bundle.manifest import CONTENT_FOLDER, Member
from gateways.data_folder import store_error
from protocol.cid import CIDBuilder
from protocol.errors import BlockStoreError, ContentMismatchError, ContentMissingError, ContentTooLargeError
from protocol.identifiers import CID


def content_name(cid: CID) -> str:
    """The name of a content's member."""
    return f"{CONTENT_FOLDER}{cid}"


class BundleStore:
    """``protocol.ports.BlockStore`` over an opened bundle, for reading alone. Thread-safe.

    Args:
        container: Stays open as long as this is used.
    """

    def __init__(self, container: Container) -> None:
        self._container = container
        self._members = {member.name: member for member in container.manifest.members}

    def add(self, path: Path) -> CID:
        """See ``protocol.ports.BlockStore``.

        Raises:
            BlockStoreError: Always.
        """
        raise _read_only(f"{path} was not added")

    def fetch(self, cid: CID, destination: Path, *, max_bytes: int, timeout_seconds: float) -> int:
        """See ``protocol.ports.BlockStore``.

        Raises:
            StoreError: ``destination`` cannot be written.
        """
        member = self._member(cid, timeout_seconds)
        if member.num_bytes > max_bytes:
            raise ContentTooLargeError(cid, max_bytes)
        builder = CIDBuilder()
        partial = destination.with_name(f".{destination.name}.partial")
        try:
            with partial.open("wb") as out:
                for piece in self._container.pieces(member.name):
                    builder.update(piece)
                    out.write(piece)
            if builder.finish() != cid:
                raise ContentMismatchError(cid)
            partial.replace(destination)
        except OSError as error:
            raise store_error(error, destination) from error
        finally:
            partial.unlink(missing_ok=True)
        return builder.num_bytes

    def pin(self, cid: CID, *, timeout_seconds: float) -> None:
        """See ``protocol.ports.BlockStore``."""
        self._member(cid, timeout_seconds)

    def unpin(self, cid: CID) -> None:
        """See ``protocol.ports.BlockStore``.

        Raises:
            BlockStoreError: Always.
        """
        raise _read_only(f"{cid} was not let go")

    def holds(self, cid: CID) -> bool:
        """See ``protocol.ports.BlockStore``."""
        return content_name(cid) in self._members

    def _member(self, cid: CID, timeout_seconds: float) -> Member:
        member = self._members.get(content_name(cid))
        if member is None:
            raise ContentMissingError(cid, timeout_seconds)
        return member


def _read_only(what: str) -> BlockStoreError:
    return BlockStoreError(f"{what}: a bundle does not change")
