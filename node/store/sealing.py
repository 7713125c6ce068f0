"""How the local store keeps a value secret: AES-256-GCM with a random nonce, bound to the place where it stands.

The store key opens nothing of a patient by itself: it wraps one data key per patient, and every value of a patient is
sealed under that key. Deleting the wrapped key makes all of them unreadable at once (docs/adr/0007-local-store.md).
"""

from __future__ import annotations

import hashlib
import hmac
import os
from dataclasses import dataclass, field

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from protocol.errors import StoreError

KEY_BYTES = 32
_NONCE_BYTES = 12


@dataclass(frozen=True, slots=True)
class Place:
    """Where a sealed value stands; a value moved to another row or column does not open."""

    table: str
    column: str
    row_id: bytes

    def associated_data(self) -> bytes:
        """The bytes that the seal is bound to. Names hold no NUL, so the framing is unambiguous."""
        return b"fedrx/local-store/v1\x00" + f"{self.table}\x00{self.column}\x00".encode("ascii") + self.row_id


@dataclass(frozen=True, slots=True)
class SealingKey:
    """A key that seals and opens values; its ``repr`` shows nothing."""

    secret: bytes = field(repr=False)
    """32 bytes."""

    def __post_init__(self) -> None:
        if len(self.secret) != KEY_BYTES:
            raise StoreError(f"a key of the local store has {KEY_BYTES} bytes, not {len(self.secret)}")

    @classmethod
    def generate(cls) -> SealingKey:
        """A fresh key from the operating system."""
        return cls(os.urandom(KEY_BYTES))

    def derive(self, purpose: str) -> SealingKey:
        """An independent key for one purpose (HKDF-SHA-256, RFC 5869)."""
        info = b"fedrx/local-store/v1/" + purpose.encode("ascii")
        return SealingKey(HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=None, info=info).derive(self.secret))

    def seal(self, value: bytes, place: Place) -> bytes:
        """Nonce, ciphertext and tag of a value."""
        nonce = os.urandom(_NONCE_BYTES)
        return nonce + AESGCM(self.secret).encrypt(nonce, value, place.associated_data())

    def open(self, sealed: bytes, place: Place) -> bytes:
        """The value that was sealed at this place.

        Raises:
            StoreError: Another key, another place, or a flipped bit.
        """
        nonce, ciphertext = sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:]
        try:
            return AESGCM(self.secret).decrypt(nonce, ciphertext, place.associated_data())
        except (InvalidTag, ValueError) as error:
            raise StoreError(
                f"a sealed value of the local store does not open ({place.table}.{place.column})",
                hint="the file is damaged: restore a backup that belongs to this keystore",
            ) from error

    def tag(self, message: bytes) -> bytes:
        """A keyed tag (HMAC-SHA-256, 32 bytes): equal messages are found again, guesses cannot be tried offline."""
        return hmac.new(self.secret, message, hashlib.sha256).digest()
