"""The key ring: secrets by name, opened with a passphrase, persisted before a call returns."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self

from filelock import FileLock, Timeout

from gateways.data_folder import store_error, write_atomically
from gateways.key_ring import sealing
from gateways.key_ring.sealing import Argon2Cost, SealingKey
from protocol.errors import KeyRingError

if TYPE_CHECKING:
    from collections.abc import Callable

_LOCK_SECONDS: Final = 30.0
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9._/-]{0,127}")


class KeyRing:
    """An open keystore file. Made by ``create`` or ``open``.

    Other processes may write the same file: each change is made to what the file holds at that moment, under a lock.
    A secret that another process put becomes visible here with the next change or ``open``.
    """

    def __init__(self, path: Path, secrets: dict[str, bytes], key: SealingKey) -> None:
        self._path = path
        self._secrets = secrets
        self._key = key

    @classmethod
    def create(cls, path: Path, passphrase: bytes, *, cost: Argon2Cost | None = None) -> Self:
        """A new, empty keystore with mode 0600.

        Raises:
            KeyRingError: There is a file already, or the passphrase is empty.
            StoreError: The folder cannot be written.
        """
        if not passphrase:
            raise KeyRingError("the passphrase is empty", hint="choose one of several words")
        key = sealing.derive(passphrase, cost or Argon2Cost())
        with _locked(path):
            if path.exists():
                raise KeyRingError(f"the keystore {path} exists", hint="keep it: its keys exist nowhere else")
            write_atomically(path, sealing.seal({}, key))
        return cls(path, {}, key)

    @classmethod
    def open(cls, path: Path, passphrase: bytes) -> Self:
        """Opens a keystore.

        Raises:
            KeyRingError: No file, or a damaged one.
            WrongPassphraseError: The passphrase does not open it.
        """
        secrets, key = sealing.unseal_with(passphrase, _read(path))
        return cls(path, secrets, key)

    def get(self, name: str) -> bytes:
        """One secret.

        Raises:
            KeyRingError: There is none of this name.
        """
        try:
            return self._secrets[name]
        except KeyError as error:
            raise KeyRingError(f"the keystore {self._path} holds no {name}") from error

    def names(self) -> tuple[str, ...]:
        """Names of all secrets, sorted."""
        return tuple(sorted(self._secrets))

    def put(self, name: str, secret: bytes) -> None:
        """Keeps a secret; on return it is on disk. A secret of the same name is replaced and shredded.

        Args:
            name: Lower-case words, digits and ``.-_/``, at most 128 characters.
            secret: Any bytes.

        Raises:
            KeyRingError: Not a name, or the passphrase was changed by another process.
            StoreError: The file cannot be written; the old one stands.
        """
        if not _NAME.fullmatch(name):
            raise KeyRingError(f"{name!r} is not a name for a secret")
        self._change(lambda secrets: secrets.update({name: bytes(secret)}))

    def delete(self, name: str) -> None:
        """Shreds a secret: the file is written without it, then the old file's bytes are overwritten.

        Copies that a backup, a copy-on-write file system or a flash controller keeps are out of reach.

        Raises:
            KeyRingError: There is none of this name.
            StoreError: The file cannot be written.
        """

        def remove(secrets: dict[str, bytes]) -> None:
            if secrets.pop(name, None) is None:
                raise KeyRingError(f"the keystore {self._path} holds no {name}")

        self._change(remove)

    def rename(self, old: str, new: str) -> None:
        """Gives a secret another name in one write; a secret that had the new name is shredded.

        Raises:
            KeyRingError: There is no secret of the old name, or the new one is no name.
            StoreError: The file cannot be written; both secrets stand.
        """
        if not _NAME.fullmatch(new):
            raise KeyRingError(f"{new!r} is not a name for a secret")

        def move(secrets: dict[str, bytes]) -> None:
            if old not in secrets:
                raise KeyRingError(f"the keystore {self._path} holds no {old}")
            secrets[new] = secrets.pop(old)

        self._change(move)

    def reload(self) -> None:
        """Sees what other processes changed meanwhile.

        Raises:
            KeyRingError: The file is gone or damaged, or its passphrase was changed.
        """
        self._secrets = sealing.unseal(_read(self._path), self._key)

    def change_passphrase(self, passphrase: bytes) -> None:
        """Seals everything under a new passphrase and a fresh salt.

        Raises:
            KeyRingError: The passphrase is empty.
            StoreError: The file cannot be written; the old passphrase stands.
        """
        if not passphrase:
            raise KeyRingError("the passphrase is empty", hint="choose one of several words")
        self._change(lambda _secrets: None, sealing.derive(passphrase, self._key.cost))

    def __repr__(self) -> str:
        return f"KeyRing({str(self._path)!r}, {len(self._secrets)} secrets)"

    def _change(self, change: Callable[[dict[str, bytes]], None], new_key: SealingKey | None = None) -> None:
        with _locked(self._path):
            secrets = sealing.unseal(_read(self._path), self._key)
            change(secrets)
            key = new_key or self._key
            _replace_and_shred(self._path, sealing.seal(secrets, key))
            self._secrets, self._key = secrets, key


def _replace_and_shred(path: Path, data: bytes) -> None:
    """Replaces the file atomically, then overwrites what the old one held before its blocks are freed."""
    try:
        old = os.open(path, os.O_WRONLY)
    except OSError as error:
        raise store_error(error, path) from error
    try:
        write_atomically(path, data)
        os.pwrite(old, bytes(os.fstat(old).st_size), 0)
        os.fsync(old)
    except OSError as error:
        raise store_error(error, path) from error
    finally:
        os.close(old)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError as error:
        raise KeyRingError(
            f"there is no keystore {path}",
            hint="restore it from a backup; a new site makes one with fedrx node join, others with their init command",
        ) from error
    except OSError as error:
        raise KeyRingError(f"the keystore {path} cannot be read", hint="run as the user who owns it") from error


class _locked:  # noqa: N801 - reads as a statement: with _locked(path)
    """One writer at a time over all processes."""

    def __init__(self, path: Path) -> None:
        self._lock = FileLock(path.with_name(f".{path.name}.lock"), timeout=_LOCK_SECONDS)
        self._path = path

    def __enter__(self) -> None:
        try:
            self._lock.acquire()
        except Timeout as error:
            raise KeyRingError(f"another process keeps {self._path} locked", hint="wait until it is done") from error
        except OSError as error:
            raise store_error(error, self._path) from error

    def __exit__(self, *_: object) -> None:
        self._lock.release()
