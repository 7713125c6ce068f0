"""What an RPC endpoint answered, as typed values; nothing of an answer is used before it went through here.

An answer of another shape than the Ethereum JSON-RPC specification gives it is no answer: ``LedgerUnavailableError``.
"""

from __future__ import annotations

import re
import reprlib
from dataclasses import dataclass
from typing import Any, TypeVar

from protocol.errors import LedgerUnavailableError, MalformedError
from protocol.identifiers import AccountAddress, BlockHash, TxHash

MAX_COUNT = 2**53 - 1
"""Largest block number, time, log index, nonce or amount of gas: what canonical JSON can hold."""
MAX_AMOUNT_WEI = 2**256 - 1

_QUANTITY = re.compile(r"0x[0-9a-fA-F]{1,64}")
_SUCCEEDED = 1
_WORD_BYTES = 32

_FixedT = TypeVar("_FixedT", BlockHash, TxHash, AccountAddress)


@dataclass(frozen=True, slots=True)
class Block:
    """A block, as far as it is read here."""

    number: int
    block_hash: BlockHash
    timestamp: int
    """Seconds since 1970."""
    base_fee_wei: int
    """For one unit of gas; 0 on a chain without such a fee."""


@dataclass(frozen=True, slots=True)
class Log:
    """One event log in its place."""

    address: AccountAddress
    topics: tuple[bytes, ...]
    data: bytes
    removed: bool
    """By a reorganisation."""
    block_number: int
    block_hash: BlockHash
    block_timestamp: int | None
    """Seconds since 1970; None where the endpoint does not tell it with a log."""
    log_index: int
    tx_hash: TxHash


@dataclass(frozen=True, slots=True)
class Receipt:
    """The receipt of a transaction in a block."""

    tx_hash: TxHash
    succeeded: bool
    block_number: int
    block_hash: BlockHash
    gas_used: int
    contract_address: AccountAddress | None
    """Of the contract that the transaction created."""
    logs: tuple[Log, ...]


def count(value: Any) -> int:
    """A quantity of at most ``MAX_COUNT``.

    Raises:
        LedgerUnavailableError: Not one.
    """
    return _quantity(value, MAX_COUNT)


def amount_wei(value: Any) -> int:
    """A quantity of at most ``MAX_AMOUNT_WEI``.

    Raises:
        LedgerUnavailableError: Not one.
    """
    return _quantity(value, MAX_AMOUNT_WEI)


def blob(value: Any) -> bytes:
    """Bytes of any length.

    Raises:
        LedgerUnavailableError: Not the hex of bytes.
    """
    if not isinstance(value, str) or not value.startswith("0x"):
        raise _odd("bytes", value)
    try:
        data = bytes.fromhex(value[2:])
    except ValueError as error:
        raise _odd("bytes", value) from error
    # ``fromhex`` skips white space.
    if len(value) != 2 + 2 * len(data):
        raise _odd("bytes", value)
    return data


def tx_hash(value: Any) -> TxHash:
    """A transaction's hash.

    Raises:
        LedgerUnavailableError: Not one.
    """
    return _fixed(TxHash, value)


def accounts(value: Any) -> list[AccountAddress]:
    """A list of addresses.

    Raises:
        LedgerUnavailableError: Not one.
    """
    return [_fixed(AccountAddress, item) for item in _list(value)]


def word_account(value: Any) -> AccountAddress:
    """An address as a call of the contract returns it: one word of 32 bytes.

    Raises:
        LedgerUnavailableError: Not one.
    """
    word = blob(value)
    if len(word) != _WORD_BYTES or any(word[: -AccountAddress.length]):
        raise _odd("an address", value)
    return AccountAddress(word[-AccountAddress.length :])


def block(value: Any) -> Block | None:
    """A block, or None where there is none.

    Raises:
        LedgerUnavailableError: Neither of the two.
    """
    if value is None:
        return None
    fields = _object("a block", value)
    base_fee = fields.get("baseFeePerGas")
    return Block(
        number=count(fields.get("number")),
        block_hash=_fixed(BlockHash, fields.get("hash")),
        timestamp=count(fields.get("timestamp")),
        base_fee_wei=0 if base_fee is None else count(base_fee),
    )


def logs(value: Any) -> tuple[Log, ...]:
    """Event logs of blocks on the chain.

    Raises:
        LedgerUnavailableError: Not a list of them.
    """
    return tuple(_log(item) for item in _list(value))


def receipt(value: Any) -> Receipt | None:
    """A receipt, or None while the transaction is in no block.

    Raises:
        LedgerUnavailableError: Neither of the two.
    """
    if value is None:
        return None
    fields = _object("a receipt", value)
    created = fields.get("contractAddress")
    found = Receipt(
        tx_hash=_fixed(TxHash, fields.get("transactionHash")),
        succeeded=count(fields.get("status")) == _SUCCEEDED,
        block_number=count(fields.get("blockNumber")),
        block_hash=_fixed(BlockHash, fields.get("blockHash")),
        gas_used=count(fields.get("gasUsed")),
        contract_address=None if created is None else _fixed(AccountAddress, created),
        logs=logs(fields.get("logs")),
    )
    if any((log.block_hash, log.tx_hash) != (found.block_hash, found.tx_hash) for log in found.logs):
        raise _odd("a receipt", value)
    return found


def _log(value: Any) -> Log:
    fields = _object("an event log", value)
    told = fields.get("blockTimestamp")
    return Log(
        address=_fixed(AccountAddress, fields.get("address")),
        topics=tuple(blob(topic) for topic in _list(fields.get("topics"))),
        data=blob(fields.get("data")),
        removed=bool(fields.get("removed")),
        block_number=count(fields.get("blockNumber")),
        block_hash=_fixed(BlockHash, fields.get("blockHash")),
        block_timestamp=None if told is None else count(told),
        log_index=count(fields.get("logIndex")),
        tx_hash=_fixed(TxHash, fields.get("transactionHash")),
    )


def _quantity(value: Any, maximum: int) -> int:
    if not isinstance(value, str) or not _QUANTITY.fullmatch(value) or int(value, 16) > maximum:
        raise _odd("a number", value)
    return int(value, 16)


def _fixed(kind: type[_FixedT], value: Any) -> _FixedT:
    if not isinstance(value, str):
        raise _odd(f"a {kind.__name__}", value)
    try:
        return kind.from_hex(value)
    except MalformedError as error:
        raise _odd(f"a {kind.__name__}", value) from error


def _object(what: str, value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise _odd(what, value)
    return value


def _list(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise _odd("a list", value)
    return value


def _odd(what: str, value: Any) -> LedgerUnavailableError:
    return LedgerUnavailableError(
        f"the RPC endpoint answers {reprlib.repr(value)} for {what}", hint="check that the URL is that of a chain"
    )
