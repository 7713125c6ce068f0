"""A file's CID, computed offline, in one fixed profile (docs/spec/cid.md).

CIDv0, dag-pb UnixFS with wrapped leaves, fixed chunks of 256 KiB, sha2-256, balanced layout with at most 174 links a
node. A site computes the CID of its sealed update here before IPFS hears of it, and everyone recomputes it over
whatever IPFS delivers: a block store is never believed.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from protocol.identifiers import CID

if TYPE_CHECKING:
    from pathlib import Path

CHUNK_BYTES: Final = 262_144
MAX_LINKS: Final = 174

_READ_BYTES: Final = 4 * CHUNK_BYTES
_UNIXFS_TYPE_FILE: Final = b"\x08\x02"
_MULTIHASH_SHA2_256: Final = b"\x12\x20"


@dataclass(frozen=True, slots=True)
class _Node:
    """A finished block, as its parent links to it."""

    digest: bytes
    """sha2-256 of the block, 32 bytes."""
    file_bytes: int
    """Content below this node, in bytes."""
    tree_bytes: int
    """This block and all blocks below it, in bytes: the link's Tsize."""


class CIDBuilder:
    """Takes the content piece by piece; memory is one chunk and 174 links a level, whatever the length."""

    def __init__(self) -> None:
        self._partial = bytearray()
        self._levels: list[list[_Node]] = [[]]
        self._num_bytes = 0

    @property
    def num_bytes(self) -> int:
        """Content taken so far, in bytes."""
        return self._num_bytes

    def update(self, piece: bytes | bytearray | memoryview) -> None:
        """Takes the next piece; how the content is cut into pieces makes no difference."""
        view = memoryview(piece).cast("B")
        self._num_bytes += len(view)
        start = 0
        if self._partial:
            start = min(CHUNK_BYTES - len(self._partial), len(view))
            self._partial += view[:start]
            if len(self._partial) < CHUNK_BYTES:
                return
            self._push(0, _leaf(self._partial))
            self._partial.clear()
        whole_chunks_end = start + (len(view) - start) // CHUNK_BYTES * CHUNK_BYTES
        for offset in range(start, whole_chunks_end, CHUNK_BYTES):
            self._push(0, _leaf(view[offset : offset + CHUNK_BYTES]))
        self._partial += view[whole_chunks_end:]

    def finish(self) -> CID:
        """The CID of everything taken. The builder stays usable: more content may follow."""
        levels = [list(level) for level in self._levels]
        if self._partial or self._num_bytes == 0:
            levels[0].append(_leaf(self._partial))
        height = 0
        while True:
            level = levels[height]
            is_highest = height == len(levels) - 1
            if is_highest and len(level) == 1:
                return CID(level[0].digest)
            if level:
                # A lone child below others is wrapped all the same: in this layout all leaves lie equally deep.
                parent = _parent(level)
                if is_highest:
                    levels.append([])
                levels[height + 1].append(parent)
            height += 1

    def _push(self, height: int, node: _Node) -> None:
        if height == len(self._levels):
            self._levels.append([])
        level = self._levels[height]
        level.append(node)
        if len(level) == MAX_LINKS:
            parent = _parent(level)
            level.clear()
            self._push(height + 1, parent)


def cid_of_bytes(data: bytes | bytearray | memoryview) -> CID:
    """The CID of content that is in memory."""
    builder = CIDBuilder()
    builder.update(data)
    return builder.finish()


def cid_of_file(path: Path) -> CID:
    """The CID of a file, read 1 MiB at a time.

    Raises:
        OSError: The file cannot be read.
    """
    builder = CIDBuilder()
    with path.open("rb", buffering=0) as file:
        while piece := file.read(_READ_BYTES):
            builder.update(piece)
    return builder.finish()


def _leaf(chunk: bytearray | memoryview) -> _Node:
    size = _varint(len(chunk))
    # The data field is left out, not written empty, when the file is empty.
    head = _UNIXFS_TYPE_FILE + (b"\x12" + size if chunk else b"")
    tail = b"\x18" + size
    unixfs_bytes = len(head) + len(chunk) + len(tail)
    prefix = b"\x0a" + _varint(unixfs_bytes) + head
    state = hashlib.sha256(prefix)
    state.update(chunk)
    state.update(tail)
    return _Node(state.digest(), len(chunk), len(prefix) + len(chunk) + len(tail))


def _parent(children: list[_Node]) -> _Node:
    file_bytes = sum(child.file_bytes for child in children)
    unixfs = _UNIXFS_TYPE_FILE + b"\x18" + _varint(file_bytes)
    unixfs += b"".join(b"\x20" + _varint(child.file_bytes) for child in children)
    # dag-pb writes field 2 (links) before field 1 (data).
    block = b"".join(_field(0x12, _link(child)) for child in children) + _field(0x0A, unixfs)
    tree_bytes = len(block) + sum(child.tree_bytes for child in children)
    return _Node(hashlib.sha256(block).digest(), file_bytes, tree_bytes)


def _link(child: _Node) -> bytes:
    return _field(0x0A, _MULTIHASH_SHA2_256 + child.digest) + _field(0x12, b"") + b"\x18" + _varint(child.tree_bytes)


def _field(tag: int, content: bytes) -> bytes:
    return bytes((tag,)) + _varint(len(content)) + content


def _varint(number: int) -> bytes:
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)
