"""HPKE key pairs of envelope recipients: ML-KEM-768 + X25519 (docs/spec/envelope.md, section 2).

What is pinned stays for good and must resist a future quantum reader, so the content key is wrapped by the hybrid KEM
of RFC 9180's registry (draft-ietf-hpke-pq) in ``cryptography``.
"""

from __future__ import annotations

from dataclasses import dataclass

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hpke, serialization
from cryptography.hazmat.primitives.asymmetric import mlkem, x25519

from protocol.errors import KeyRingError, MalformedError
from protocol.identifiers import Digest, digest_of

PUBLIC_KEY_BYTES = 1184 + 32
PRIVATE_KEY_BYTES = 64 + 32
WRAPPED_KEY_BYTES = 1088 + 32 + 32 + 16

_SUITE = hpke.Suite(hpke.KEM.MLKEM768_X25519, hpke.KDF.HKDF_SHA256, hpke.AEAD.AES_256_GCM)


@dataclass(frozen=True, slots=True, repr=False)
class RecipientPrivateKey:
    """A private key: opens envelopes. ``repr`` shows the public key's digest only."""

    _mlkem: mlkem.MLKEM768PrivateKey
    _x25519: x25519.X25519PrivateKey

    @classmethod
    def generate(cls) -> RecipientPrivateKey:
        """A fresh key pair from the operating system's randomness."""
        return cls(mlkem.MLKEM768PrivateKey.generate(), x25519.X25519PrivateKey.generate())

    @classmethod
    def from_bytes(cls, secret: bytes) -> RecipientPrivateKey:
        """The key of ``to_bytes``: the 64-byte ML-KEM seed, then the 32-byte X25519 scalar.

        Raises:
            KeyRingError: Another length.
        """
        if len(secret) != PRIVATE_KEY_BYTES:
            raise KeyRingError("a recipient's private key has a wrong length")
        return cls(
            mlkem.MLKEM768PrivateKey.from_seed_bytes(secret[:64]),
            x25519.X25519PrivateKey.from_private_bytes(secret[64:]),
        )

    def to_bytes(self) -> bytes:
        """The secret, 96 bytes, for an encrypted keystore only."""
        return self._mlkem.private_bytes_raw() + self._x25519.private_bytes_raw()

    def public_key(self) -> bytes:
        """The public key, 1,216 bytes: ML-KEM-768 encapsulation key, then X25519."""
        raw = (serialization.Encoding.Raw, serialization.PublicFormat.Raw)
        return self._mlkem.public_key().public_bytes(*raw) + self._x25519.public_key().public_bytes(*raw)

    def unwrap(self, wrapped: bytes, info: bytes) -> bytes:
        """Opens a wrapped content key.

        Raises:
            MalformedError: Wrapped for another key or another context.
        """
        try:
            return _SUITE.decrypt(wrapped, hpke.MLKEM768X25519PrivateKey(self._mlkem, self._x25519), info)
        except (InvalidTag, ValueError) as error:
            raise MalformedError("the content key does not open with this key in this context") from error

    def __repr__(self) -> str:
        return f"RecipientPrivateKey(public={public_key_digest(self.public_key())})"


def wrap(content_key: bytes, public_key: bytes, info: bytes) -> bytes:
    """Wraps a content key for one recipient, 1,168 bytes.

    Raises:
        MalformedError: The public key is none.
    """
    if len(public_key) != PUBLIC_KEY_BYTES:
        raise MalformedError("a recipient's public key has a wrong length")
    try:
        key = hpke.MLKEM768X25519PublicKey(
            mlkem.MLKEM768PublicKey.from_public_bytes(public_key[:1184]),
            x25519.X25519PublicKey.from_public_bytes(public_key[1184:]),
        )
        return _SUITE.encrypt(content_key, key, info)
    except ValueError as error:
        raise MalformedError("a recipient's public key is none") from error


def check_public_key(public_key: bytes) -> bytes:
    """Returns the key when something can be wrapped for it.

    Raises:
        MalformedError: It is none; an envelope that names it could not be sealed at all.
    """
    wrap(bytes(32), public_key, b"fedrx/check")
    return public_key


def public_key_digest(public_key: bytes) -> Digest:
    """Digest of a public key, as it stands on chain."""
    return digest_of("recipient-key", public_key)
