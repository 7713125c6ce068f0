"""Opens a file that is to be imported: a regular file, or nothing.

A pipe would block for ever, a device has effects or no end. What counts is what was opened, not what the name stood for
a moment before.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

from gateways.data_folder import store_error
from protocol.errors import ConfigError

Opener: TypeAlias = Callable[[Path], int]
"""Gives a descriptor of a regular file, for reading; the caller closes it. Raises ``OSError`` for anything else."""
_FLAGS = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY


def open_regular(path: Path | str, *, follow_links: bool = True, folder: int | None = None) -> int:
    """A descriptor of a regular file, for reading; the caller closes it. Never waits.

    Args:
        path: The file; within ``folder`` when that is given.
        follow_links: Whether the name may be a link.
        folder: Descriptor of an opened folder.

    Raises:
        OSError: It cannot be opened, or is a link, folder, pipe, socket or device.
    """
    descriptor = os.open(path, _FLAGS | (0 if follow_links else os.O_NOFOLLOW), dir_fd=folder)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "it is no regular file", str(path))
    return descriptor


def require_readable(path: Path, opened: Opener, *, hint: str = "nothing was imported yet") -> None:
    """Refuses a file that could not be read, before anything is done with it.

    Args:
        path: The file.
        opened: Opens it.
        hint: What to do about it, or what has not happened.

    Raises:
        ConfigError: It is not there, not readable or no regular file.
    """
    try:
        os.close(opened(path))
    except OSError as error:
        raise ConfigError(f"{path} cannot be read ({error.strerror})", hint=hint) from error


def read_at_most(path: Path, opened: Opener, max_bytes: int) -> bytes | None:
    """The file's bytes; None when there are more.

    Raises:
        StoreError: It cannot be read any more.
    """
    try:
        with os.fdopen(opened(path), "rb") as file:
            content = file.read(max_bytes + 1)
    except OSError as error:
        raise store_error(error, path) from error
    return None if len(content) > max_bytes else content
