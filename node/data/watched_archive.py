"""Where the files of a watched folder go once they were taken: ``imported`` and ``refused`` in it.

Names are looked up, written and renamed within opened folders (``watched_files``): no link is followed.
"""

from __future__ import annotations

import hashlib
import os
import stat
from contextlib import suppress
from pathlib import Path, PurePath

from gateways.data_folder import store_error
from node.data.intake_file import open_regular
from node.data.watched_files import opened_folder

IMPORTED = "imported"
REFUSED = "refused"
PATIENT_SUFFIX = ".patient"
REASON_SUFFIX = ".reason"
MAX_SIDECAR_BYTES = 1024
_OF_FILE = "\nof the file with SHA-256 "
"""Ends a sidecar that moved ahead of its file, until the file is there too."""
_NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW


def move(folder: Path, path: Path, where: str, reason: str) -> None:
    """Moves a file and its sidecar away; a process that is killed in between moves them the next time.

    The file goes after its sidecar: one that stayed behind would one day name the patient of another file.

    Args:
        folder: The watched folder.
        path: The file in it, or in one of its sub-folders.
        where: ``IMPORTED`` or ``REFUSED``.
        reason: Written beside the file unless it is empty.

    Raises:
        StoreError: The folder cannot be written, or a link is in the way.
    """
    inside = path.relative_to(folder).parent.parts
    try:
        with opened_folder(folder, inside) as source, opened_folder(folder, (where, *inside), make=True) as target:
            name = _free_name(source, path.name, target)
            if reason:
                _write(target, name + REASON_SUFFIX, f"{reason}\n")
            patient = _sidecar(source, path.name)
            if patient is not None:
                _write(target, name + PATIENT_SUFFIX, f"{patient}{_OF_FILE}{_digest(source, path.name)}\n")
                os.unlink(path.name + PATIENT_SUFFIX, dir_fd=source)
                os.fsync(source)
            os.rename(path.name, name, src_dir_fd=source, dst_dir_fd=target)
            os.fsync(target)
            _forget_file(target, name)
    except OSError as error:
        # Not the file: the sub-folder that it lies in may be called after a patient, and this sentence is logged.
        raise store_error(error, folder) from error


def patient_beside(folder: Path, path: Path) -> str | None:
    """What the sidecar of a file says, perhaps nothing; None without one, or where it is a link or too long to be one.

    Args:
        folder: The watched folder.
        path: The file in it, or in one of its sub-folders.

    Raises:
        OSError: It cannot be read, or became a link meanwhile.
        StoreError: A link is in the place of a sub-folder.
    """
    with opened_folder(folder, path.relative_to(folder).parent.parts) as within:
        return _sidecar(within, path.name, MAX_SIDECAR_BYTES)


def patient_of_interrupted(folder: Path, path: Path) -> str | None:
    """The patient whom a sidecar names that moved ahead of this very file; None where no move was interrupted.

    Args:
        folder: The watched folder.
        path: The file in it, or in one of its sub-folders.

    Raises:
        StoreError: A folder cannot be read, or a link is in the way of the file's move.
    """
    inside = path.relative_to(folder).parent.parts
    for where in (IMPORTED, REFUSED):
        try:
            with opened_folder(folder, inside) as source, opened_folder(folder, (where, *inside)) as target:
                ahead = _sidecar(target, _free_name(source, path.name, target))
        except FileNotFoundError:
            continue
        except OSError as error:
            raise store_error(error, folder / where) from error
        if ahead is not None:
            return ahead.partition(_OF_FILE)[0]
    return None


def _free_name(source: int, name: str, target: int) -> str:
    """The name, or with a number before its suffix where the target has a file or a foreign sidecar of that name."""
    path, number, free = PurePath(name), 1, name
    while _is_there(target, free) or not _may_take_sidecar(source, name, target, free):
        number += 1
        free = f"{path.stem}-{number}{path.suffix}"
    return free


def _may_take_sidecar(source: int, name: str, target: int, free: str) -> bool:
    """Whether no sidecar has the free name, or one that moved ahead of this file."""
    if not _is_there(target, free + PATIENT_SUFFIX):
        return True
    _, ahead, digest = (_sidecar(target, free) or "").partition(_OF_FILE)
    return bool(ahead) and digest == _digest(source, name)


def _is_there(folder: int, name: str) -> bool:
    try:
        os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return True


def _sidecar(folder: int, name: str, max_bytes: int = 2 * MAX_SIDECAR_BYTES) -> str | None:
    """The text of a file's sidecar; None without one, or where it is a link or too long to be one."""
    try:
        state = os.stat(name + PATIENT_SUFFIX, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return None
    if not stat.S_ISREG(state.st_mode):
        return None
    with os.fdopen(open_regular(name + PATIENT_SUFFIX, follow_links=False, folder=folder), "rb") as file:
        content = file.read(max_bytes + 1)
    return None if len(content) > max_bytes else content.decode("utf-8", errors="replace").strip()


def _forget_file(folder: int, name: str) -> None:
    """Leaves the patient's line of a sidecar, whose file is there now. Cut in place: half of it cannot be done."""
    patient, ahead, _ = (_sidecar(folder, name) or "").partition(_OF_FILE)
    if ahead:
        descriptor = os.open(name + PATIENT_SUFFIX, os.O_WRONLY | os.O_NOFOLLOW, dir_fd=folder)
        try:
            os.ftruncate(descriptor, len(f"{patient}\n".encode()))
        finally:
            os.close(descriptor)


def _digest(folder: int, name: str) -> str:
    with os.fdopen(open_regular(name, follow_links=False, folder=folder), "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _write(folder: int, name: str, text: str) -> None:
    """Writes a file that is complete or not there; a link of that name is replaced and not followed."""
    unfinished = f".{name}.part"
    with suppress(FileNotFoundError):
        os.unlink(unfinished, dir_fd=folder)
    with os.fdopen(os.open(unfinished, _NEW_FILE, 0o600, dir_fd=folder), "wb") as file:
        file.write(text.encode("utf-8", errors="replace"))
        file.flush()
        os.fsync(file.fileno())
    os.rename(unfinished, name, src_dir_fd=folder, dst_dir_fd=folder)
    os.fsync(folder)
