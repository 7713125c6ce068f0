"""Files that somebody hands to an auditor, read whole and bounded."""

from __future__ import annotations

from pathlib import Path

from protocol.errors import ConfigError


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
