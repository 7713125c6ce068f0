"""A block store in memory, and the swarm through which several of them fetch from each other."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from protocol.cid import cid_of_bytes
from protocol.errors import (
    BlockStoreUnavailableError,
    ContentMismatchError,
    ContentMissingError,
    ContentTooLargeError,
)
from protocol.identifiers import CID


@dataclass
class FakeSwarm:
    """Stores that reach each other. Time-outs pass at once."""

    stores: list[FakeBlockStore] = field(default_factory=list)

    def store(self) -> FakeBlockStore:
        store = FakeBlockStore(self)
        self.stores.append(store)
        return store

    def find(self, cid: CID) -> bytes | None:
        for store in self.stores:
            if not store.is_down and cid in store.contents:
                return store.contents[cid]
        return None


class FakeBlockStore:
    """``protocol.ports.BlockStore``. ``contents`` may be damaged or emptied by a test; ``is_down`` cuts it off."""

    def __init__(self, swarm: FakeSwarm | None = None) -> None:
        self._swarm = swarm or FakeSwarm([self])
        self.contents: dict[CID, bytes] = {}
        self.pins: set[CID] = set()
        self.is_down = False

    def add(self, path: Path) -> CID:
        self._check_up()
        content = path.read_bytes()
        cid = cid_of_bytes(content)
        self.contents[cid] = content
        self.pins.add(cid)
        return cid

    def fetch(self, cid: CID, destination: Path, *, max_bytes: int, timeout_seconds: float) -> int:
        content = self._obtain(cid, timeout_seconds)
        if len(content) > max_bytes:
            raise ContentTooLargeError(cid, max_bytes)
        if cid_of_bytes(content) != cid:
            raise ContentMismatchError(cid)
        destination.write_bytes(content)
        return len(content)

    def pin(self, cid: CID, *, timeout_seconds: float) -> None:
        self._obtain(cid, timeout_seconds)
        self.pins.add(cid)

    def unpin(self, cid: CID) -> None:
        self._check_up()
        self.pins.discard(cid)

    def holds(self, cid: CID) -> bool:
        self._check_up()
        return cid in self.pins

    def forget(self, cid: CID) -> None:
        """The content is gone, pin and all."""
        self.contents.pop(cid, None)
        self.pins.discard(cid)

    def damage(self, cid: CID) -> None:
        """One bit of the stored content flips."""
        content = bytearray(self.contents[cid])
        content[len(content) // 2] ^= 1
        self.contents[cid] = bytes(content)

    def _obtain(self, cid: CID, timeout_seconds: float) -> bytes:
        self._check_up()
        if cid not in self.contents:
            found = self._swarm.find(cid)
            if found is None:
                raise ContentMissingError(cid, timeout_seconds)
            self.contents[cid] = found
        return self.contents[cid]

    def _check_up(self) -> None:
        if self.is_down:
            raise BlockStoreUnavailableError("the fake block store is down")
