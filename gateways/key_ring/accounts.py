"""Ethereum account keys in the key ring: those of a site, an aggregator, a governor, a staff witness."""

from __future__ import annotations

from typing import TYPE_CHECKING

from protocol.errors import KeyRingError
from protocol.identifiers import AccountAddress

if TYPE_CHECKING:
    from eth_account.signers.local import LocalAccount

    from gateways.key_ring.keystore import KeyRing


def create_account(key_ring: KeyRing, name: str) -> AccountAddress:
    """A fresh account key, on disk before its address is told.

    Raises:
        KeyRingError: The name is taken: an account key is never replaced in place, for funds and roles hang on it.
        StoreError: The keystore cannot be written.
    """
    if name in key_ring.names():
        raise KeyRingError(f"the key ring holds a {name} already", hint="choose another name for the new account")
    from eth_account import Account  # noqa: PLC0415 - loads for a second

    account: LocalAccount = Account.create()
    key_ring.put(name, bytes(account.key))
    return address_of(account)


def open_account(key_ring: KeyRing, name: str) -> LocalAccount:
    """The account that signs with a stored key.

    Raises:
        KeyRingError: There is no such secret, or it is not an account key.
    """
    from eth_account import Account  # noqa: PLC0415 - loads for a second

    try:
        account: LocalAccount = Account.from_key(key_ring.get(name))
    except ValueError as error:
        raise KeyRingError(f"{name} in the key ring is not an Ethereum account key") from error
    return account


def address_of(account: LocalAccount) -> AccountAddress:
    """An account's address as the identifier used everywhere else."""
    return AccountAddress.from_hex(account.address)
