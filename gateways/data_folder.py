"""A process's own data folder: lock, private permissions, files that are complete or not there."""

from __future__ import annotations

import errno
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from protocol.errors import StoreError, StoreLockedError


class DataFolder:
    """A folder of mode 0700 that one daemon at a time owns.

    Args:
        path: Created when missing.

    Raises:
        StoreError: It cannot be created.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            path.mkdir(mode=0o700, parents=True, exist_ok=True)
            path.chmod(0o700)
        except OSError as error:
            raise store_error(error, path) from error

    def __truediv__(self, name: str) -> Path:
        return self.path / name

    def subfolder(self, name: str) -> Path:
        """A private folder below this one, created when missing.

        Raises:
            StoreError: It cannot be created.
        """
        folder = self.path / name
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise store_error(error, folder) from error
        return folder

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Owns the folder until the block ends or the process dies.

        Raises:
            StoreLockedError: Another daemon owns it.
            StoreError: The lock cannot be written.
        """
        lock = FileLock(self.path / "daemon.lock", timeout=0)
        try:
            lock.acquire()
        except Timeout as error:
            raise StoreLockedError(
                f"another daemon already runs in {self.path}", hint="stop it first, or use another data folder"
            ) from error
        except OSError as error:
            raise store_error(error, self.path) from error
        try:
            yield
        finally:
            lock.release()


def write_atomically(path: Path, data: bytes, *, mode: int = 0o600) -> None:
    """Writes a file that is complete or not there, durable on return.

    Raises:
        StoreError: The disk is full or refuses, or what is there is no file.
    """
    try:
        _refuse_what_is_no_file(path)
        descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(descriptor, "wb") as stream:
                stream.write(data)
                stream.flush()
                os.fsync(stream.fileno())
            Path(name).chmod(mode)
            Path(name).replace(path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
        sync_folder(path.parent)
    except OSError as error:
        raise store_error(error, path) from error


def require_writable(path: Path) -> None:
    """Refuses a place that ``write_atomically`` could not write, before anything is done that cannot be done again.

    Args:
        path: The file to write later; one that is there stays as it is.

    Raises:
        StoreError: Its folder is not there or takes no file, or what is there is no file.
    """
    try:
        _refuse_what_is_no_file(path)
        descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        os.close(descriptor)
        Path(name).unlink()
    except OSError as error:
        raise store_error(error, path) from error


def _refuse_what_is_no_file(path: Path) -> None:
    """A rename would put a file in the place of a link, a pipe or a device, which somebody else needs."""
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    if path.is_symlink() or (path.exists() and not path.is_file()):
        raise OSError(errno.EINVAL, "it is no file but a link, a pipe or a device")


def sync_folder(path: Path) -> None:
    """Makes renames in a folder durable."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def store_error(error: OSError, path: Path) -> StoreError:
    """One line for the operator about a failed file operation."""
    if error.errno in _FULL:
        return StoreError(f"the disk is full at {path}", hint="free space and start again: nothing was lost")
    if error.errno in {errno.EACCES, errno.EPERM}:
        return StoreError(f"no permission for {path}", hint="run as the user who owns the data folder")
    what = error.strerror or type(error).__name__
    return StoreError(f"{path}: {what}", hint=_HINTS.get(error.errno, "check the path and the disk, then start again"))


_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
"""No space, no quota, or a limit on a file's size."""
_HINTS: dict[int | None, str] = {
    errno.ENOENT: "make its folder first, or name another",
    errno.EISDIR: "name a file, not a folder",
    errno.ENOTDIR: "name a folder, not a file",
    errno.EEXIST: "name a folder, not a file",
    errno.EINVAL: "name the file itself",
    errno.EROFS: "name a folder on a disk that may be written",
    errno.ENAMETOOLONG: "choose a shorter name",
    errno.EIO: "the disk fails: restore a backup to another one",
}
