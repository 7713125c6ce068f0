"""Events as canonical JSON: what the index keeps is what was read, field by field."""

from __future__ import annotations

import json
import types
import typing
from collections.abc import Callable
from dataclasses import fields
from functools import cache
from typing import Any

from audit.trail import kind_of
from protocol import canonical_json, ledger_events
from protocol.canonical_json import JSONValue, expect_list, expect_object, expect_str
from protocol.errors import MalformedError
from protocol.ledger_events import LedgerEvent

_Parser = Callable[[JSONValue], Any]

EVENT_TYPES: dict[str, type] = {kind_of(kind): kind for kind in LedgerEvent.__args__}


def encode_event(event: LedgerEvent) -> bytes:
    """The event's fields; its kind is kept beside them."""
    return canonical_json.encode({name: _written(getattr(event, name)) for name in event.__dataclass_fields__})


def parse_event(kind: str, data: bytes) -> LedgerEvent:
    """The event that ``encode_event`` wrote.

    Raises:
        MalformedError: No event of this kind.
    """
    if kind not in EVENT_TYPES:
        raise MalformedError(f"{kind!r:.60} is no kind of event")
    parsers = _parsers(kind)
    try:
        # Not the canonical reader, which writes everything again to compare: the index proves nothing to anybody.
        value = expect_object(json.loads(data), frozenset(parsers))
    except ValueError as error:
        raise MalformedError("it is no JSON") from error
    return typing.cast("LedgerEvent", EVENT_TYPES[kind](**{name: read(value[name]) for name, read in parsers.items()}))


def _written(value: object) -> JSONValue:
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, tuple):
        return [_written(item) for item in value]
    if isinstance(value, int):
        # Text: a uint256 does not fit the numbers of the restricted JSON.
        return str(value)
    raise TypeError(type(value))


@cache
def _parsers(kind: str) -> dict[str, _Parser]:
    hints = typing.get_type_hints(EVENT_TYPES[kind], vars(ledger_events))
    return {field.name: _parser(hints[field.name]) for field in fields(EVENT_TYPES[kind])}


def _parser(hint: Any) -> _Parser:
    if isinstance(hint, types.GenericAlias):
        item = _parser(typing.get_args(hint)[0])
        return lambda value: tuple(item(entry) for entry in expect_list(value))
    if hint is int:
        return _integer
    if hint is bytes:
        return _plain_bytes
    return lambda value: hint.from_hex(expect_str(value))


def _integer(value: JSONValue) -> int:
    text = expect_str(value)
    if not text.isascii() or not text.isdecimal():
        raise MalformedError(f"{text!r:.60} is no whole number")
    return int(text)


def _plain_bytes(value: JSONValue) -> bytes:
    try:
        return bytes.fromhex(expect_str(value))
    except ValueError as error:
        raise MalformedError("not hexadecimal") from error
