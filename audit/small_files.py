"""Files that somebody hands to an auditor, read whole and bounded."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from protocol.errors import ConfigError, MalformedError

_ReadT = TypeVar("_ReadT")


def read_small(path: Path, max_bytes: int) -> bytes:
    """A file's bytes.

    Raises:
        ConfigError: It cannot be read, or is longer than ``max_bytes``.
    """
    try:
        with path.open("rb") as file:
            data = file.read(max_bytes + 1)
    except OSError as error:
        raise ConfigError(f"{path} cannot be read ({error.strerror})", hint="check the path") from error
    if len(data) > max_bytes:
        raise ConfigError(f"{path} is over {max_bytes} bytes", hint="ask for the file again: it is no such file")
    return data


def parsed(path: Path, data: bytes, parse: Callable[[bytes], _ReadT], maker: str) -> _ReadT:
    """What a file's bytes say.

    Args:
        path: Named when they are no such thing: a command takes several files.
        data: Its bytes, from anybody.
        parse: Of their format.
        maker: Says what writes such a file, where the format's own refusal gives no hint.

    Raises:
        MalformedError: The bytes do not follow their format.
    """
    try:
        return parse(data)
    except MalformedError as error:
        raise MalformedError(f"{path}: {error.what}", hint=error.hint or f"{maker} writes it") from error
