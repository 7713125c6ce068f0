"""A JSON document that remembers which of its places were read, so that what was left out can be named."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, TypeAlias

from protocol.canonical_json import MAX_DEPTH, check_depth
from protocol.errors import MalformedError
from protocol.foreign_text import one_line

MAX_DOCUMENT_BYTES = 1 << 20

Path: TypeAlias = tuple[str | int, ...]


class Document:
    """A JSON object.

    Args:
        data: UTF-8, at most 1 MiB.

    Raises:
        MalformedError: Not JSON, nested too deep, not an object, or a key twice.
    """

    def __init__(self, data: bytes) -> None:
        if len(data) > MAX_DOCUMENT_BYTES:
            raise MalformedError(f"the document has over {MAX_DOCUMENT_BYTES} bytes")
        check_depth(data, MAX_DEPTH)
        try:
            value = json.loads(data.decode("utf-8"), object_pairs_hook=_object)
        except ValueError as error:
            raise MalformedError("the document is no JSON in UTF-8") from error
        if not isinstance(value, dict):
            raise MalformedError("the document is no JSON object")
        self.value: dict[str, Any] = value
        self._read: set[Path] = set()

    def peek(self, *path: str | int) -> Any:
        """What stands at a place, or None; it does not count as read."""
        found: Any = self.value
        for step in path:
            if isinstance(found, dict) and isinstance(step, str):
                found = found.get(step)
            elif isinstance(found, list) and isinstance(step, int) and step < len(found):
                found = found[step]
            else:
                return None
        return found

    def text(self, *path: str | int) -> str | None:
        """The text at a place, which counts as read; None when nothing is there.

        Raises:
            MalformedError: Something else than text is there.
        """
        found = self.peek(*path)
        if found is None:
            return None
        if not isinstance(found, str):
            raise MalformedError(f"{name_of(path)} is no text")
        self._read.add(path)
        return found

    def require(self, *path: str | int) -> str:
        """The text at a place, which counts as read.

        Raises:
            MalformedError: No text is there.
        """
        found = self.text(*path)
        if found is None:
            raise MalformedError(f"the document has no {name_of(path)}")
        return found

    def items(self, *path: str | int) -> Iterator[Path]:
        """The places of a list's items; none when there is no list."""
        found = self.peek(*path)
        for index in range(len(found) if isinstance(found, list) else 0):
            yield (*path, index)

    def mark(self, *path: str | int) -> None:
        """Counts everything at and below a place as read."""
        self._read.add(path)

    def leaves(self) -> Iterator[Path]:
        """The places of all values that are no object and no list."""
        return _leaves((), self.value)

    def unread(self) -> tuple[str, ...]:
        """The names of the places that were not read, in the document's order."""
        return tuple(
            name_of(leaf)
            for leaf in self.leaves()
            if not any(leaf[:length] in self._read for length in range(1, len(leaf) + 1))
        )


def name_of(path: Path) -> str:
    """A place as a person reads it: ``provision.purpose[0].code``."""
    parts = (f"[{step}]" if isinstance(step, int) else f".{step}" for step in path)
    return one_line("".join(parts).removeprefix("."))


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise ValueError("a key stands twice")
    return made


def _leaves(path: Path, value: Any) -> Iterator[Path]:
    if isinstance(value, dict) and value:
        for key, below in value.items():
            yield from _leaves((*path, key), below)
    elif isinstance(value, list) and value:
        for index, below in enumerate(value):
            yield from _leaves((*path, index), below)
    else:
        yield path
