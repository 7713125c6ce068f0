"""Signatures of Ethereum accounts: EIP-191 over a digest, EIP-712 over typed data; secp256k1, 65 bytes r, s, v.

``eth_account`` loads for a second, so this module is imported inside the functions that sign or recover: most
commands do neither.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from eth_account import Account
from eth_account.messages import SignableMessage, encode_defunct, encode_typed_data
from eth_keys.exceptions import BadSignature

from protocol.errors import MalformedError
from protocol.identifiers import AccountAddress, Digest

SIGNATURE_BYTES = 65


@dataclass(frozen=True, slots=True)
class TypedData:
    """What EIP-712 signs."""

    domain: Mapping[str, str | int]
    types: Mapping[str, Sequence[Mapping[str, str]]]
    message: Mapping[str, bytes | int]


def account_of(private_key: bytes) -> AccountAddress:
    """The account of a private key, 32 bytes."""
    return AccountAddress.from_hex(Account.from_key(private_key).address)


def sign(signed: Digest | TypedData, private_key: bytes) -> bytes:
    """Signs with a private key, 32 bytes."""
    return bytes(Account.from_key(private_key).sign_message(_message(signed)).signature)


def signer_of(signed: Digest | TypedData, signature: bytes) -> AccountAddress:
    """The account whose signature this is.

    Raises:
        MalformedError: It is nobody's.
    """
    if len(signature) != SIGNATURE_BYTES:
        raise MalformedError(f"a signature has {SIGNATURE_BYTES} bytes, not {len(signature)}")
    try:
        return AccountAddress.from_hex(Account.recover_message(_message(signed), signature=signature))
    except (BadSignature, ValueError) as error:
        raise MalformedError("the signature is nobody's") from error


def _message(signed: Digest | TypedData) -> SignableMessage:
    if isinstance(signed, Digest):
        return encode_defunct(signed)
    types = {name: [dict(field) for field in fields] for name, fields in signed.types.items()}
    return encode_typed_data(dict(signed.domain), types, dict(signed.message))
