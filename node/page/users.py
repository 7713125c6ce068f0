"""Who may log in: passwords (Argon2id, RFC 9106) and one-time codes, and why a log-in is refused."""

from __future__ import annotations

import os
import threading
import unicodedata
from typing import TYPE_CHECKING

from cryptography.exceptions import InvalidKey
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

from node.consent.second_factor import DIGITS, CodeTaken
from node.store.second_factor import take_staff_code
from node.store.users import StoredUser, find_user, note_password, note_refusal, set_password
from protocol.errors import ConfigError, ConsentError

if TYPE_CHECKING:
    from gateways.key_ring.sealing import Argon2Cost
    from node.store.local_store import LocalStore

MIN_PASSWORD_CHARACTERS = 12
MAX_PASSWORD_CHARACTERS = 256
_SALT_BYTES = 16
_HASH_BYTES = 32
_AT_ONCE = 2
"""Verifications at the same time: each takes 64 MiB."""


def hash_password(password: str, name: str, cost: Argon2Cost) -> str:
    """The Argon2id hash of a new password, in PHC form.

    Args:
        password: As typed.
        name: The user's, which a password may not be.
        cost: What one guess costs.

    Raises:
        ConfigError: Too short, too long, or the user's name over and over.
    """
    if not MIN_PASSWORD_CHARACTERS <= len(password) <= MAX_PASSWORD_CHARACTERS:
        raise ConfigError(
            f"a password has {MIN_PASSWORD_CHARACTERS} to {MAX_PASSWORD_CHARACTERS} characters",
            hint="four words that do not belong together are good",
        )
    if not password.replace(name, "").strip() or len(set(password)) < 4:
        raise ConfigError("this password is easily guessed", hint="four words that do not belong together are good")
    kdf = Argon2id(
        salt=os.urandom(_SALT_BYTES),
        length=_HASH_BYTES,
        iterations=cost.iterations,
        lanes=cost.lanes,
        memory_cost=cost.memory_kib,
    )
    return kdf.derive_phc_encoded(_normal(password))


class Door:
    """Lets users in.

    Args:
        store: The site's local store.
        cost: Of new passwords, and of the hash that is computed for a name that nobody has, so that names cannot be
            told by time.
    """

    def __init__(self, store: LocalStore, cost: Argon2Cost) -> None:
        self._store = store
        self._cost = cost
        self._turns = threading.BoundedSemaphore(_AT_ONCE)
        self._nobody = hash_password(os.urandom(16).hex(), "", cost)

    def log_in(self, name: str, password: str, code: str, now: int) -> StoredUser | None:
        """The user, or None: a name, a password or a code is wrong, or the user is locked or disabled.

        What was wrong is not said, and each factor is counted: fifty wrong passwords lock a user for 15 minutes,
        and five wrong codes do. A code is looked at only after a right password, so that nobody else can lock it.

        Args:
            name: As typed.
            password: As typed.
            code: As typed.
            now: Seconds since 1970.
        """
        digits = "".join(code.split())
        if len(digits) != DIGITS or not (digits.isascii() and digits.isdigit()):
            return None
        with self._store.read() as transaction:
            user = find_user(transaction, name)
        right = self._verify(password, self._nobody if user is None else user.password_hash)
        with self._store.write() as transaction:
            # Read again: another wrong password may have locked the user meanwhile.
            known = find_user(transaction, name)
            unchanged = user is not None and known is not None and known.version == user.version
            if known is None or not unchanged or known.disabled or now < known.locked_until:
                note_refusal(transaction)
                return None
            note_password(transaction, known.user_id, now, right=right)
            if not right:
                return None
            try:
                tried = take_staff_code(transaction, name, digits, now)
            except ConsentError:
                return None
            return known if isinstance(tried, CodeTaken) else None

    def change_password(self, name: str, old: str, code: str, new: str, now: int) -> StoredUser | None:
        """Gives a user another password; None as at the log-in, with the same counting. Their sessions end.

        Args:
            name: Of the user who is logged in.
            old: The password until now, as typed.
            code: As typed; one that the user did not log in with.
            new: As typed.
            now: Seconds since 1970.

        Raises:
            ConfigError: The new password is the old one or easily guessed; no code was taken.
        """
        if new == old:
            raise ConfigError("the new password is the old one", hint="choose another")
        with self._turns:
            hashed = hash_password(new, name, self._cost)
        user = self.log_in(name, old, code, now)
        if user is None:
            return None
        with self._store.write() as transaction:
            known = find_user(transaction, name)
            # A user who was disabled or reset meanwhile stays so.
            if known is None or known.version != user.version:
                return None
            set_password(transaction, name, hashed)
            return find_user(transaction, name)

    def _verify(self, password: str, phc: str) -> bool:
        with self._turns:
            try:
                Argon2id.verify_phc_encoded(_normal(password[:MAX_PASSWORD_CHARACTERS]), phc)
            except InvalidKey:
                return False
        return True


def _normal(password: str) -> bytes:
    return unicodedata.normalize("NFC", password).encode("utf-8", "replace")
