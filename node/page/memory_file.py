"""A file in memory that is opened by a path, for uploads: patients' pages never touch the disk in clear."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from gateways.data_folder import store_error


@contextmanager
def in_memory(name: str, content: bytes) -> Iterator[Path]:
    """A path of the given file name that leads to these bytes until the block ends.

    On the disk stands only a link, in a private folder, to an anonymous file in the memory of this process.

    Args:
        name: Without folders; an empty one becomes ``upload``.
        content: The file's bytes.

    Raises:
        StoreError: The system gives no memory or no folder for temporary files.
    """
    try:
        with tempfile.TemporaryDirectory(prefix="fedrx-upload-") as folder:
            descriptor = os.memfd_create("upload", os.MFD_CLOEXEC)
            with os.fdopen(descriptor, "wb", closefd=True) as file:
                file.write(content)
                file.flush()
                path = Path(folder) / (name or "upload")
                path.symlink_to(f"/proc/{os.getpid()}/fd/{descriptor}")
                yield path
    except OSError as error:
        raise store_error(error, Path(tempfile.gettempdir())) from error
