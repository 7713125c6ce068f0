"""Long files, streamed to disk, that are whole or not there (short ones: ``data_folder.write_atomically``)."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from gateways.data_folder import store_error, sync_folder


@contextmanager
def written_whole(path: Path, partial: Path) -> Iterator[BinaryIO]:
    """A stream whose file becomes ``path``, synced, when the block ends without an error.

    Args:
        path: Replaced when it exists.
        partial: Its sibling until then; all that a kill leaves behind. What an earlier kill left is overwritten.

    Raises:
        StoreError: The disk is full or refuses.
    """
    try:
        with partial.open("wb") as stream:
            partial.chmod(0o600)
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        partial.replace(path)
        sync_folder(path.parent)
    except OSError as error:
        raise store_error(error, path) from error
    finally:
        partial.unlink(missing_ok=True)
