"""The contract's ABI, held against the protocol's types.

Calls, events and errors are converted by the types' hints: ``Digest``-like fields are bytes32, ``AccountAddress`` is
address, ``int`` any uint, a tuple a dynamic array. Selectors and topics come from the shipped ABI file, so a type
that drifts from the contract fails when the table is built and not on a chain.
"""

from __future__ import annotations

import json
import types
import typing
from collections.abc import Callable
from dataclasses import dataclass, fields
from enum import IntEnum
from functools import cache
from importlib import resources
from typing import Any

from eth_abi import abi as eth_abi
from eth_abi.exceptions import DecodingError, EncodingError
from eth_utils.crypto import keccak

from protocol import ledger_calls, ledger_events, reverts
from protocol.errors import MalformedError, TransactionRevertedError
from protocol.identifiers import Digest
from protocol.ledger_calls import LedgerCall
from protocol.ledger_events import LedgerEvent

FORMAT_VERSION = 1
FOREIGN_EVENTS = frozenset({"OwnershipTransferStarted", "OwnershipTransferred"})
"""Events of OpenZeppelin's Ownable2Step; ``GovernorChanged`` says the same with a format version."""

_Converter = Callable[[Any], Any]


@dataclass(frozen=True, slots=True)
class Artifact:
    """What the contracts compiled to (scripts/compile_contracts.py)."""

    abi: tuple[dict[str, Any], ...]
    creation_code: bytes
    runtime_code_digest: Digest
    compiler: str


@dataclass(frozen=True, slots=True)
class _EventDecoder:
    event_type: type
    indexed: tuple[bool, ...]
    topic_types: tuple[str, ...]
    data_types: tuple[str, ...]
    converters: tuple[_Converter, ...]


@dataclass(frozen=True, slots=True)
class _ErrorDecoder:
    error_type: type[reverts.ContractError]
    argument_types: tuple[str, ...]
    converters: tuple[_Converter, ...]


@cache
def load_artifact() -> Artifact:
    """The artifact that ships in the package."""
    value = json.loads((resources.files("gateways") / "abi" / "FedRx.json").read_text(encoding="utf-8"))
    return Artifact(
        abi=tuple(value["abi"]),
        creation_code=bytes.fromhex(value["bytecode"].removeprefix("0x")),
        runtime_code_digest=Digest.from_hex(value["runtime_code_digest"]),
        compiler=value["compiler"],
    )


class ContractABI:
    """Encodes calls, decodes events and errors."""

    def __init__(self, abi: tuple[dict[str, Any], ...]) -> None:
        self._calls: dict[type, tuple[bytes, tuple[str, ...]]] = {}
        self._events: dict[bytes, _EventDecoder | None] = {}
        self._errors: dict[bytes, _ErrorDecoder] = {}
        calls = {_solidity_name(call): call for call in typing.get_args(ledger_calls.LedgerCall)}
        for entry in abi:
            if entry["type"] == "function" and entry["name"] in calls:
                self._calls[calls[entry["name"]]] = (keccak(_signature(entry))[:4], _types(entry["inputs"]))
            elif entry["type"] == "event":
                self._events[keccak(_signature(entry))] = _event_decoder(entry)
            elif entry["type"] == "error":
                self._errors[keccak(_signature(entry))[:4]] = _error_decoder(entry)

    def encode_call(self, call: LedgerCall) -> bytes:
        """The transaction's data: selector and arguments.

        Raises:
            MalformedError: A value does not fit its Solidity type.
        """
        selector, argument_types = self._calls[type(call)]
        arguments = [getattr(call, field.name) for field in fields(call)]
        try:
            return selector + eth_abi.encode(argument_types, arguments)
        except (EncodingError, OverflowError) as error:
            raise MalformedError(f"{type(call).__name__} does not fit the contract: {error}") from error

    def decode_event(self, topics: list[bytes], data: bytes) -> LedgerEvent | None:
        """The event of a log, or None for one of ``FOREIGN_EVENTS``.

        Raises:
            MalformedError: No event of the contract, or of another format version.
        """
        try:
            decoder = self._events[topics[0]]
            if decoder is None:
                return None
            in_topics = iter(
                eth_abi.decode([kind], topic)[0] for kind, topic in zip(decoder.topic_types, topics[1:], strict=True)
            )
            *in_data, format_version = eth_abi.decode(decoder.data_types, data)
            rest = iter(in_data)
            raw = (next(in_topics) if indexed else next(rest) for indexed in decoder.indexed)
            values = [convert(value) for convert, value in zip(decoder.converters, raw, strict=True)]
        except (KeyError, IndexError, ValueError, OverflowError, DecodingError) as error:
            raise MalformedError("a log of the contract is none of its events", hint="update the software") from error
        if format_version != FORMAT_VERSION:
            raise MalformedError(f"event format {format_version} is not known", hint="update the software")
        return typing.cast("LedgerEvent", decoder.event_type(*values))

    def decode_revert(self, data: bytes) -> TransactionRevertedError:
        """The exception of a revert's data."""
        decoder = self._errors.get(data[:4])
        if decoder is None:
            return TransactionRevertedError(
                f"the contract reverted with {'0x' + data[:100].hex() if data else 'no reason'}",
                hint="a bug in the contract or the gateway: please report it",
            )
        try:
            raw = eth_abi.decode(decoder.argument_types, data[4:])
            values = [convert(value) for convert, value in zip(decoder.converters, raw, strict=True)]
        except (DecodingError, OverflowError, ValueError):
            return TransactionRevertedError(f"the contract reverted with malformed data 0x{data[:100].hex()}")
        return decoder.error_type(*values)


@cache
def contract_abi() -> ContractABI:
    """The ABI that ships in the package."""
    return ContractABI(load_artifact().abi)


def _event_decoder(entry: dict[str, Any]) -> _EventDecoder | None:
    if entry["name"] in FOREIGN_EVENTS:
        return None
    event_type = getattr(ledger_events, entry["name"])
    inputs = entry["inputs"]
    return _EventDecoder(
        event_type=event_type,
        indexed=tuple(item["indexed"] for item in inputs[:-1]),
        topic_types=_types([item for item in inputs if item["indexed"]]),
        data_types=_types([item for item in inputs if not item["indexed"]]),
        converters=_converters(event_type),
    )


def _error_decoder(entry: dict[str, Any]) -> _ErrorDecoder:
    error_type = getattr(reverts, entry["name"] + "Error")
    return _ErrorDecoder(error_type, _types(entry["inputs"]), _converters(error_type))


def _converters(value_type: type) -> tuple[_Converter, ...]:
    hints = typing.get_type_hints(value_type)
    return tuple(_converter(hints[field.name]) for field in fields(value_type))


def _converter(hint: Any) -> _Converter:
    if isinstance(hint, types.GenericAlias):
        item = _converter(typing.get_args(hint)[0])
        return lambda values: tuple(item(value) for value in values)
    if hint in (int, bytes, str):
        return _unchanged
    if issubclass(hint, IntEnum):
        return typing.cast("_Converter", hint)
    if hint.length == 20:
        return typing.cast("_Converter", hint.from_hex)
    return typing.cast("_Converter", hint)


def _unchanged(value: Any) -> Any:
    return value


def _solidity_name(call: type) -> str:
    return call.__name__[0].lower() + call.__name__[1:]


def _types(inputs: list[dict[str, Any]]) -> tuple[str, ...]:
    return tuple(item["type"] for item in inputs)


def _signature(entry: dict[str, Any]) -> bytes:
    return f"{entry['name']}({','.join(_types(entry['inputs']))})".encode("ascii")
