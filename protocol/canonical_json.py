"""Canonical JSON (docs/spec/canonical-json.md): RFC 8785, restricted so that one value has one encoding.

No floats (decimal strings instead), integers below 2^53 in magnitude, NFC strings and keys, no duplicate keys. A
parser re-encodes and compares, so bytes that parse are the bytes that every party would write.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Mapping, Sequence
from typing import TypeAlias

import rfc8785

from protocol.errors import MalformedError

JSONValue: TypeAlias = "bool | int | str | Sequence[JSONValue] | Mapping[str, JSONValue] | None"

MAX_INTEGER = 2**53 - 1
MAX_DEPTH = 32
# Every quote begins a match, even one without an end, so that the search is linear.
_STRING_OR_BRACKET = re.compile(rb'"(?:[^"\\]++|\\.)*+(?:"|\\?\Z)|[\[{]|[\]}]', re.DOTALL)


def encode(value: JSONValue) -> bytes:
    """The one encoding of a value, UTF-8.

    Raises:
        MalformedError: A float, an integer out of range, a string that is not NFC, a key that is not a string, or
            nesting deeper than 32.
    """
    _check(value, depth=0)
    try:
        return rfc8785.dumps(_plain(value))  # type: ignore[arg-type]  # checked above, value by value
    except rfc8785.CanonicalizationError as error:
        raise MalformedError(f"no canonical JSON: {error}") from error


def parse(data: bytes) -> JSONValue:
    """The value of canonical bytes.

    Raises:
        MalformedError: Not UTF-8, not JSON, or not the one encoding of its value.
    """
    check_depth(data, MAX_DEPTH)
    try:
        value: JSONValue = json.loads(
            data.decode("utf-8"), object_pairs_hook=_unique, parse_float=_no_float, parse_int=_bounded_int
        )
    except (UnicodeDecodeError, json.JSONDecodeError, RecursionError) as error:
        raise MalformedError(f"not canonical JSON: {error}") from error
    if encode(value) != data:
        raise MalformedError("not canonical JSON: the bytes are not the canonical encoding of their value")
    return value


def check_depth(data: bytes, max_depth: int) -> None:
    """Refuses JSON that is nested too deep before a recursive parser sees it and exhausts the stack.

    Raises:
        MalformedError: More than ``max_depth`` brackets are open at once.
    """
    depth = 0
    for token in _STRING_OR_BRACKET.finditer(data):
        if token[0] in b"[{":
            depth += 1
            if depth > max_depth:
                raise MalformedError(f"nested deeper than {max_depth}")
        elif token[0] in b"]}":
            depth -= 1


def parse_object(data: bytes, keys: frozenset[str]) -> dict[str, JSONValue]:
    """The object of canonical bytes, with just the named keys.

    Raises:
        MalformedError: As ``parse``, or not an object, or a missing or unknown key.
    """
    return expect_object(parse(data), keys)


def expect_object(value: JSONValue, keys: frozenset[str]) -> dict[str, JSONValue]:
    """Narrows a value to an object with just the named keys.

    Raises:
        MalformedError: Not an object, or a missing or unknown key.
    """
    if not isinstance(value, dict):
        raise MalformedError(f"expected an object, not {type(value).__name__}")
    if missing := keys - value.keys():
        raise MalformedError(f"missing key {min(missing)!r}")
    if unknown := value.keys() - keys:
        raise MalformedError(f"unknown key {min(unknown)!r}")
    return value


def expect_int(value: JSONValue, *, low: int = 0, high: int = MAX_INTEGER) -> int:
    """Narrows a value to an integer in ``low..high``.

    Raises:
        MalformedError: Not an integer, or out of range.
    """
    if isinstance(value, bool) or not isinstance(value, int):
        raise MalformedError(f"expected an integer, not {type(value).__name__}")
    if not low <= value <= high:
        raise MalformedError(f"{value} is not within {low}..{high}")
    return value


def expect_str(value: JSONValue) -> str:
    """Narrows a value to a string.

    Raises:
        MalformedError: Not a string.
    """
    if not isinstance(value, str):
        raise MalformedError(f"expected a string, not {type(value).__name__}")
    return value


def expect_list(value: JSONValue) -> list[JSONValue]:
    """Narrows a value to a list.

    Raises:
        MalformedError: Not a list.
    """
    if not isinstance(value, list):
        raise MalformedError(f"expected a list, not {type(value).__name__}")
    return value


def _check(value: JSONValue, depth: int) -> None:
    if depth == MAX_DEPTH and isinstance(value, Mapping | Sequence) and not isinstance(value, str):
        raise MalformedError(f"nested deeper than {MAX_DEPTH}")
    match value:
        case None | bool():
            pass
        case int():
            if abs(value) > MAX_INTEGER:
                raise MalformedError(f"{value} is not below 2^53 in magnitude")
        case str():
            _check_text(value)
        case Mapping():
            for key, item in value.items():
                _check_text(key)
                _check(item, depth + 1)
        case Sequence() if not isinstance(value, bytes | bytearray):
            for item in value:
                _check(item, depth + 1)
        case _:
            raise MalformedError(f"{type(value).__name__} has no canonical JSON")


def _check_text(text: object) -> None:
    if not isinstance(text, str):
        raise MalformedError("a key is not a string")
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise MalformedError("a string holds a lone surrogate, which UTF-8 cannot carry") from error
    if not unicodedata.is_normalized("NFC", text):
        raise MalformedError(f"{text!r} is not in NFC")


def _plain(value: JSONValue) -> object:
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_plain(item) for item in value]
    return value


def _unique(pairs: list[tuple[str, JSONValue]]) -> dict[str, JSONValue]:
    result = dict(pairs)
    if len(result) != len(pairs):
        raise MalformedError("not canonical JSON: a key occurs twice")
    return result


def _bounded_int(text: str) -> int:
    # Python refuses to read integers of some thousand digits with a plain ValueError, at a limit that its
    # environment sets: the bound must be ours.
    if len(text) > 17:
        raise MalformedError("not canonical JSON: an integer is not below 2^53 in magnitude")
    return int(text)


def _no_float(text: str) -> JSONValue:
    raise MalformedError(f"not canonical JSON: {text} is a float; write a decimal string")
