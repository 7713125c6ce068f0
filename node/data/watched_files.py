"""Opens what lies in a watched folder, through no link.

Whoever may write the watched folder may put a link, or a pipe, in the place of a file or folder that was just looked
at. So each folder on the way is opened without following one, and names are looked up within the opened folder.
"""

from __future__ import annotations

import errno
import os
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from node.data.intake_file import open_regular
from protocol.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW


@contextmanager
def opened_folder(folder: Path, inside: tuple[str, ...], *, make: bool = False) -> Iterator[int]:
    """The descriptor of a folder that is reached through no link.

    Args:
        folder: The watched folder.
        inside: The names on the way below it.
        make: Whether to create what is missing on the way, with mode 0700.

    Raises:
        OSError: A folder is not there or cannot be opened.
        StoreError: A link, or no folder, is on the way.
    """
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        for part in inside:
            if make:
                with suppress(FileExistsError):
                    os.mkdir(part, mode=0o700, dir_fd=descriptor)
            within = _open_folder(folder, part, descriptor)
            os.close(descriptor)
            descriptor = within
        yield descriptor
    finally:
        os.close(descriptor)


def open_watched(folder: Path, path: Path) -> int:
    """A descriptor of a regular file in the watched folder or in one of its sub-folders; the caller closes it.

    Args:
        folder: The watched folder.
        path: The file.

    Raises:
        OSError: It cannot be opened, or is a link, folder, pipe, socket or device.
        StoreError: A link, or no folder, is on the way.
    """
    with opened_folder(folder, path.relative_to(folder).parent.parts) as within:
        return open_regular(path.name, follow_links=False, folder=within)


def _open_folder(folder: Path, name: str, parent: int) -> int:
    try:
        return os.open(name, _FOLDER, dir_fd=parent)
    except OSError as error:
        if error.errno not in {errno.ELOOP, errno.ENOTDIR}:
            raise
        # The folder is not named: it may be called after a patient, and this sentence is logged.
        raise StoreError(
            f"a folder in {folder} is a link or no folder", hint="remove it: no file is taken or moved through a link"
        ) from error
