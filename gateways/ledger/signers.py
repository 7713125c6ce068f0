"""Who signs a transaction."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from eth_utils.address import to_checksum_address
from eth_utils.crypto import keccak

from gateways.ledger import answers
from gateways.ledger.rpc import RPCEndpoint, RPCRefusedError
from protocol.errors import KeyRingError
from protocol.identifiers import AccountAddress, TxHash

if TYPE_CHECKING:
    from eth_account.signers.local import LocalAccount


class Signer(Protocol):
    """An account that can send."""

    @property
    def account(self) -> AccountAddress:
        """Whose transactions these are."""

    def sign(self, transaction: dict[str, Any]) -> tuple[TxHash, bytes] | None:
        """The hash and the raw bytes of a whole transaction, or None when the endpoint signs."""

    def submit(self, endpoint: RPCEndpoint, transaction: dict[str, Any], raw: bytes | None) -> TxHash:
        """Hands the transaction to the endpoint."""


class KeySigner:
    """Signs here with a private key.

    Args:
        key: 32 bytes, secp256k1.

    Raises:
        KeyRingError: Not a private key.
    """

    def __init__(self, key: bytes) -> None:
        from eth_account import Account  # noqa: PLC0415 - loads for a second

        try:
            self._account: LocalAccount = Account.from_key(key)
        except ValueError:
            # The library's message may quote the key.
            raise KeyRingError("the account's key is not a secp256k1 private key") from None
        self._address = AccountAddress.from_hex(self._account.address)

    def __repr__(self) -> str:
        return f"KeySigner({self._address})"

    @property
    def account(self) -> AccountAddress:
        """Whose transactions these are."""
        return self._address

    def sign(self, transaction: dict[str, Any]) -> tuple[TxHash, bytes]:
        """The hash and the raw bytes of a whole transaction."""
        if "to" in transaction:
            transaction = transaction | {"to": to_checksum_address(transaction["to"])}
        raw = bytes(self._account.sign_transaction(transaction).raw_transaction)
        return TxHash(keccak(raw)), raw

    def submit(self, endpoint: RPCEndpoint, transaction: dict[str, Any], raw: bytes | None) -> TxHash:
        """Hands the signed bytes to the endpoint."""
        del transaction
        if raw is None:
            raise RuntimeError("sign before submitting")
        try:
            endpoint.call("eth_sendRawTransaction", "0x" + raw.hex())
        except RPCRefusedError as error:
            if "already known" not in error.message.lower() and "already imported" not in error.message.lower():
                raise
        # What the endpoint answers as the hash is of no interest: the bytes determine it.
        return TxHash(keccak(raw))


class UnlockedAccount:
    """An account that a development chain signs for. Never outside demonstrations and tests."""

    def __init__(self, account: AccountAddress) -> None:
        self._address = account

    @property
    def account(self) -> AccountAddress:
        """Whose transactions these are."""
        return self._address

    def sign(self, transaction: dict[str, Any]) -> None:
        """The endpoint signs."""
        del transaction

    def submit(self, endpoint: RPCEndpoint, transaction: dict[str, Any], raw: bytes | None) -> TxHash:
        """Asks the endpoint to sign and send."""
        del raw
        quantities = {key: hex(value) if isinstance(value, int) else value for key, value in transaction.items()}
        return answers.tx_hash(endpoint.call("eth_sendTransaction", quantities))
