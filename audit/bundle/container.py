"""The file itself: an uncompressed tar archive (POSIX ustar) of which every byte follows from the manifest and members.

A reader parses no archive: it writes each header again from the manifest and compares. Nothing is unpacked by name.
"""

from __future__ import annotations

import io
import os
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

from audit.bundle.manifest import MAX_MANIFEST_BYTES, Manifest, Member, encode_manifest, parse_manifest
from audit.bundle.steps import Step, failed
from protocol.errors import ConfigError, MalformedError

MANIFEST_NAME = "fedrx-bundle.json"
PIECE_BYTES = 1 << 20
_BLOCK_BYTES = 512
_NAME_BYTES = 100
_SIZE = slice(124, 135)
_CHECKSUM = slice(148, 156)
_END = bytes(2 * _BLOCK_BYTES)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a member's bytes lie in the file."""

    start: int
    num_bytes: int


def begins_like_a_bundle(path: Path) -> bool:
    """Whether a file is to be read as a bundle: the first member's name, which no other format begins with.

    Raises:
        ConfigError: It cannot be read.
    """
    name = MANIFEST_NAME.encode("ascii") + b"\0"
    with _readable(path) as file:
        return file.read(len(name)) == name


def header_of(name: str, num_bytes: int) -> bytes:
    """The 512 bytes before a member (POSIX.1-2001, ustar interchange format): owner, mode and time are fixed.

    Args:
        name: At most 100 bytes of ASCII.
        num_bytes: At most 8^11 − 1.
    """
    fields = (
        name.encode("ascii").ljust(_NAME_BYTES, b"\0"),
        b"0000644\0" + b"0000000\0" * 2,
        b"%011o\0" % num_bytes,
        b"00000000000\0",
        b" " * 8,
        b"0" + bytes(100),
        b"ustar\0" + b"00",
        bytes(64),
        b"0000000\0" * 2,
    )
    header = bytearray(b"".join(fields).ljust(_BLOCK_BYTES, b"\0"))
    header[_CHECKSUM] = b"%06o\0 " % sum(header)
    return bytes(header)


def write_container(out: BinaryIO, manifest: Manifest, contents: Iterable[Iterator[bytes]]) -> None:
    """Writes a bundle.

    Args:
        out: Where to.
        manifest: Its members have the lengths of ``contents``.
        contents: Each member's bytes, piece by piece, in the manifest's order.

    Raises:
        OSError: The disk is full or refuses.
    """
    head = encode_manifest(manifest)
    _write_member(out, MANIFEST_NAME, len(head), iter([head]))
    for member, pieces in zip(manifest.members, contents, strict=True):
        _write_member(out, member.name, member.num_bytes, pieces)
    out.write(_END)


class Container:
    """An opened bundle; a context manager that closes the file. Members may be read from several threads.

    Args:
        path: The file, from anybody.

    Raises:
        ConfigError: It cannot be read.
        AuditError: It is not, byte for byte, an archive of what its manifest lists.
    """

    def __init__(self, path: Path) -> None:
        with _readable(path) as file:
            self._descriptor = os.dup(file.fileno())
        with ExitStack() as closing:
            closing.callback(os.close, self._descriptor)
            self.manifest, end = self._read_manifest()
            self._places: dict[str, Place] = {}
            for member in self.manifest.members:
                end = self._check_member(member, end)
            if self._read(end, len(_END) + 1) != _END:
                raise failed(Step.CONTAINER, "it does not end where its last member does")
            self._closing = closing.pop_all()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closing.close()

    def open(self, name: str) -> BinaryIO:
        """A member as a stream of its own."""
        return io.BufferedReader(_Section(self._descriptor, self._places[name]), PIECE_BYTES)

    def pieces(self, name: str) -> Iterator[bytes]:
        """A member's bytes, 1 MiB at a time."""
        with self.open(name) as stream:
            while piece := stream.read(PIECE_BYTES):
                yield piece

    def _read_manifest(self) -> tuple[Manifest, int]:
        head = self._read(0, _BLOCK_BYTES)
        size = head[_SIZE]
        num_bytes = int(size, 8) if size.isdigit() and not set(size) & set(b"89") else -1
        if not 0 <= num_bytes <= MAX_MANIFEST_BYTES or head != header_of(MANIFEST_NAME, num_bytes):
            raise failed(Step.CONTAINER, f"it does not begin with {MANIFEST_NAME}")
        try:
            manifest = parse_manifest(self._read(_BLOCK_BYTES, num_bytes))
            for member in manifest.members:
                if not member.name.isascii() or len(member.name) > _NAME_BYTES:
                    raise MalformedError("a member's name is too long or not ASCII")
        except MalformedError as error:
            raise failed(Step.CONTAINER, f"{MANIFEST_NAME}: {error.what}") from error
        return manifest, self._check_padding(_BLOCK_BYTES + num_bytes, MANIFEST_NAME)

    def _check_member(self, member: Member, start: int) -> int:
        """Checks what stands around a member's bytes; returns where the next one begins."""
        if os.fstat(self._descriptor).st_size < start + _BLOCK_BYTES + member.num_bytes:
            raise failed(Step.CONTAINER, f"it ends before {member.name} does: it was cut short")
        if self._read(start, _BLOCK_BYTES) != header_of(member.name, member.num_bytes):
            raise failed(Step.CONTAINER, f"{member.name} is not where the manifest has it")
        self._places[member.name] = Place(start + _BLOCK_BYTES, member.num_bytes)
        return self._check_padding(start + _BLOCK_BYTES + member.num_bytes, member.name)

    def _check_padding(self, end: int, name: str) -> int:
        padding = bytes(-end % _BLOCK_BYTES)
        if self._read(end, len(padding)) != padding:
            raise failed(Step.CONTAINER, f"there is something between {name} and what follows it")
        return end + len(padding)

    def _read(self, start: int, num_bytes: int) -> bytes:
        return os.pread(self._descriptor, num_bytes, start)


class _Section(io.RawIOBase):
    def __init__(self, descriptor: int, place: Place) -> None:
        self._descriptor = descriptor
        self._at = place.start
        self._end = place.start + place.num_bytes

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        data = os.pread(self._descriptor, min(len(buffer), self._end - self._at), self._at)
        buffer[: len(data)] = data
        self._at += len(data)
        return len(data)


def _write_member(out: BinaryIO, name: str, num_bytes: int, pieces: Iterator[bytes]) -> None:
    out.write(header_of(name, num_bytes))
    out.writelines(pieces)
    out.write(bytes(-num_bytes % _BLOCK_BYTES))


@contextmanager
def _readable(path: Path) -> Iterator[io.FileIO]:
    try:
        with path.open("rb", buffering=0) as file:
            yield file
    except OSError as error:
        raise ConfigError(f"{path} cannot be read ({error.strerror})", hint="check the path") from error
