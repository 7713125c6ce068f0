"""The keystore's format (docs/spec/keystore.md): Argon2id (RFC 9106), then AES-256-GCM over all secrets at once.

One seal over everything, names included: what is in it, and whether something was taken out, shows to nobody. ::

    {"format": "fedrx-keystore/1",
     "kdf": {"iterations": 3, "lanes": 4, "memory_kib": 65536, "name": "argon2id", "salt": <hex>},
     "nonce": <hex>, "sealed": <hex>}

All of it is canonical JSON. The associated data is the encoding of the same object without ``sealed``; the sealed bytes
are an object from name to hex.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

from protocol import canonical_json
from protocol.errors import KeyRingError, MalformedError, WrongPassphraseError

if TYPE_CHECKING:
    from collections.abc import Mapping

FORMAT: Final = "fedrx-keystore/1"
_SALT_BYTES: Final = 16
_NONCE_BYTES: Final = 12
_KEY_BYTES: Final = 32


@dataclass(frozen=True, slots=True)
class Argon2Cost:
    """What one guess at the passphrase costs. The default is RFC 9106's second recommended option."""

    iterations: int = 3
    lanes: int = 4
    memory_kib: int = 65_536


@dataclass(frozen=True, slots=True)
class SealingKey:
    """A key derived from a passphrase, kept while the keystore is open so that writing costs no second derivation."""

    cost: Argon2Cost
    salt: bytes
    key: bytes = field(repr=False)


def derive(passphrase: bytes, cost: Argon2Cost, salt: bytes | None = None) -> SealingKey:
    """Derives a key; about 0.1 s and 64 MiB at the default cost. Without a salt, a fresh one."""
    salt = os.urandom(_SALT_BYTES) if salt is None else salt
    argon2 = Argon2id(
        salt=salt, length=_KEY_BYTES, iterations=cost.iterations, lanes=cost.lanes, memory_cost=cost.memory_kib
    )
    return SealingKey(cost, salt, argon2.derive(passphrase))


def seal(secrets: Mapping[str, bytes], key: SealingKey) -> bytes:
    """The keystore file of these secrets, under a fresh nonce."""
    header = _header(key, os.urandom(_NONCE_BYTES))
    content = canonical_json.encode({name: secret.hex() for name, secret in secrets.items()})
    nonce = bytes.fromhex(str(header["nonce"]))
    sealed = AESGCM(key.key).encrypt(nonce, content, canonical_json.encode(header))
    return canonical_json.encode({**header, "sealed": sealed.hex()})


def unseal(file_bytes: bytes, key: SealingKey) -> dict[str, bytes]:
    """The secrets of a keystore file.

    Raises:
        KeyRingError: Not a keystore, or sealed under another salt or cost than the key was derived with.
        WrongPassphraseError: The key does not open it, or it was altered.
    """
    cost, salt, nonce, sealed = _parse(file_bytes)
    if (cost, salt) != (key.cost, key.salt):
        raise KeyRingError("the keystore's passphrase was changed meanwhile", hint="start again with the new one")
    try:
        content = AESGCM(key.key).decrypt(nonce, sealed, canonical_json.encode(_header(key, nonce)))
    except InvalidTag as error:
        raise WrongPassphraseError(
            "the passphrase does not open the keystore", hint="try again; if it is right, the file was altered"
        ) from error
    return {name: bytes.fromhex(str(secret)) for name, secret in _object(canonical_json.parse(content)).items()}


def unseal_with(passphrase: bytes, file_bytes: bytes) -> tuple[dict[str, bytes], SealingKey]:
    """The secrets of a keystore file and the key that opened it.

    Raises:
        KeyRingError: Not a keystore.
        WrongPassphraseError: The passphrase does not open it, or it was altered.
    """
    cost, salt, _, _ = _parse(file_bytes)
    key = derive(passphrase, cost, salt)
    return unseal(file_bytes, key), key


def _header(key: SealingKey, nonce: bytes) -> dict[str, canonical_json.JSONValue]:
    return {
        "format": FORMAT,
        "kdf": {
            "iterations": key.cost.iterations,
            "lanes": key.cost.lanes,
            "memory_kib": key.cost.memory_kib,
            "name": "argon2id",
            "salt": key.salt.hex(),
        },
        "nonce": nonce.hex(),
    }


def _parse(file_bytes: bytes) -> tuple[Argon2Cost, bytes, bytes, bytes]:
    try:
        outer = canonical_json.parse_object(file_bytes, frozenset({"format", "kdf", "nonce", "sealed"}))
        kdf = canonical_json.expect_object(
            outer["kdf"], frozenset({"iterations", "lanes", "memory_kib", "name", "salt"})
        )
        if outer["format"] != FORMAT or kdf["name"] != "argon2id":
            raise MalformedError("another format")
        # Bounded, so that an altered file cannot take all memory before its seal is checked.
        cost = Argon2Cost(
            canonical_json.expect_int(kdf["iterations"], low=1, high=64),
            canonical_json.expect_int(kdf["lanes"], low=1, high=64),
            canonical_json.expect_int(kdf["memory_kib"], low=512, high=1 << 20),
        )
        salt, nonce, sealed = (_bytes(value) for value in (kdf["salt"], outer["nonce"], outer["sealed"]))
        if len(salt) != _SALT_BYTES or len(nonce) != _NONCE_BYTES or cost.memory_kib < 8 * cost.lanes:
            raise MalformedError("a length or cost is out of bounds")
    except MalformedError as error:
        raise KeyRingError("the keystore file is damaged", hint="restore it from a backup") from error
    return cost, salt, nonce, sealed


def _bytes(value: canonical_json.JSONValue) -> bytes:
    text = canonical_json.expect_str(value)
    try:
        data = bytes.fromhex(text)
    except ValueError as error:
        raise MalformedError("not hex") from error
    if data.hex() != text:
        raise MalformedError("hex has one spelling")
    return data


def _object(value: canonical_json.JSONValue) -> dict[str, canonical_json.JSONValue]:
    if not isinstance(value, dict):
        raise KeyRingError("the keystore's content is damaged", hint="restore it from a backup")
    return value
