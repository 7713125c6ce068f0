"""Files that are kept sealed beside the local store: imported originals, and what was quarantined.

A file's key is in the store alone. Where the store has deleted it, what is left on the disk is noise.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Container
from pathlib import Path

from gateways.data_folder import store_error, write_atomically
from node.store.sealing import Place, SealingKey
from protocol.errors import StoreError

SUFFIX = ".sealed"
_ABANDONED_SECONDS = 24 * 3600


class SealedFiles:
    """Sealed files in one private folder, called by their ids.

    Args:
        folder: Created with mode 0700 when missing.

    Raises:
        StoreError: It cannot be created.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise store_error(error, folder) from error

    def holds(self, file_id: bytes) -> bool:
        """Whether there is a file of this id."""
        return self._path(file_id).exists()

    def write(self, file_id: bytes, key: SealingKey, data: bytes) -> None:
        """Seals a file; complete and durable on return.

        Raises:
            StoreError: The disk is full or refuses.
        """
        write_atomically(self._path(file_id), key.seal(data, _place(file_id)))

    def read(self, file_id: bytes, key: SealingKey) -> bytes:
        """The bytes that were sealed.

        Raises:
            StoreError: There is no such file, or it is damaged.
        """
        path = self._path(file_id)
        try:
            return key.open(path.read_bytes(), _place(file_id))
        except OSError as error:
            raise store_error(error, path) from error

    def remove(self, file_id: bytes) -> None:
        """Unlinks a file; call it after the store has forgotten the key. Not an error when there is none."""
        path = self._path(file_id)
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            raise store_error(error, path) from error

    def sweep(self, known: Callable[[], Container[bytes]]) -> int:
        """Removes files whose key the store does not hold, and what an interrupted write left a day ago.

        Args:
            known: Reads from the store the ids of the files that it holds keys for. It is asked after the folder was
                listed: a key is stored before its file is written, so a file that another process writes now is
                either not listed or known.

        Returns:
            How many files went.
        """
        try:
            listed = [path for path in self._folder.iterdir() if path.is_file()]
            ids = known()
            gone = [path for path in listed if self._abandoned(path, ids)]
            for path in gone:
                path.unlink(missing_ok=True)
        except OSError as error:
            raise store_error(error, self._folder) from error
        return len(gone)

    def _abandoned(self, path: Path, ids: Container[bytes]) -> bool:
        if path.suffix == SUFFIX:
            return _id_of(path) not in ids
        try:
            return time.time() - path.stat().st_mtime > _ABANDONED_SECONDS
        except FileNotFoundError:
            # Another process finished this write meanwhile.
            return False

    def _path(self, file_id: bytes) -> Path:
        return self._folder / f"{file_id.hex()}{SUFFIX}"


def sealed_key(holder: SealingKey, key: SealingKey, table: str, row_id: bytes) -> bytes:
    """A file's key, sealed under the key of the patient whom the file is about."""
    return holder.seal(key.secret, Place(table, "sealed_key", row_id))


def open_key(holder: SealingKey, sealed: bytes, table: str, row_id: bytes) -> SealingKey:
    """The file's key.

    Raises:
        StoreError: It was sealed for another patient or row.
    """
    return SealingKey(holder.open(sealed, Place(table, "sealed_key", row_id)))


def _place(file_id: bytes) -> Place:
    return Place("files", "content", file_id)


def _id_of(path: Path) -> bytes:
    try:
        return bytes.fromhex(path.stem)
    except ValueError as error:
        raise StoreError(f"{path} is not a file of the local store", hint="move it elsewhere") from error
