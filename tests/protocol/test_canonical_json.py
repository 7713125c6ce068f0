"""docs/spec/canonical-json.md."""

from __future__ import annotations

import contextlib
import json
import time
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.canonical_json import (
    MAX_DEPTH,
    MAX_INTEGER,
    encode,
    expect_int,
    expect_list,
    expect_object,
    expect_str,
    parse,
    parse_object,
)
from protocol.errors import MalformedError

TEXTS = st.text(st.characters(codec="utf-8"), max_size=20).map(lambda text: unicodedata.normalize("NFC", text))
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-MAX_INTEGER, MAX_INTEGER) | TEXTS,
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(TEXTS, inner, max_size=5),
    max_leaves=30,
)


@given(VALUES)
def test_every_value_comes_back_from_its_encoding(value):
    assert parse(encode(value)) == value


@given(VALUES)
def test_the_encoding_is_json_that_any_reader_understands(value):
    assert json.loads(encode(value)) == value


@given(VALUES, st.data())
def test_one_inserted_space_is_refused_or_changes_the_value(value, data):
    encoded = encode(value)
    position = data.draw(st.integers(0, len(encoded)))
    with contextlib.suppress(MalformedError):
        assert parse(encoded[:position] + b" " + encoded[position:]) != value


@given(st.binary(max_size=60))
def test_arbitrary_bytes_parse_to_their_own_value_or_are_malformed(data):
    with contextlib.suppress(MalformedError):
        assert encode(parse(data)) == data


def test_a_tuple_is_written_as_a_list():
    assert encode({"a": (1, 2)}) == b'{"a":[1,2]}'


def test_keys_are_sorted_by_utf16_units():
    # U+1F600 begins with a surrogate (D83D) and so comes before U+FF61 in UTF-16, after it by code point.
    assert encode({"\uff61": 1, "\U0001f600": 2}) == '{"\U0001f600":2,"\uff61":1}'.encode()


@pytest.mark.parametrize(
    ("what", "data"),
    {
        "empty": b"",
        "not JSON": b"{",
        "not UTF-8": b'"\xff"',
        "space after": b"1 ",
        "space inside": b'{"a": 1}',
        "byte order mark": b"\xef\xbb\xbf1",
        "keys out of order": b'{"b":1,"a":2}',
        "a key twice": b'{"a":1,"a":1}',
        "a key twice with one value first": b'{"a":1,"a":2}',
        "a float": b"1.5",
        "a float that is whole": b"1.0",
        "an exponent": b"1e3",
        "minus zero": b"-0",
        "leading zero": b"01",
        "2^53": b"9007199254740992",
        "-2^53": b"-9007199254740992",
        "an integer of 18 digits": b"1" * 18,
        "an integer that Python itself refuses to read": b"1" * 5000,
        "NaN": b"NaN",
        "infinity": b"-Infinity",
        "not NFC": '"e\u0301"'.encode(),
        "a key that is not NFC": '{"e\u0301":1}'.encode(),
        "an escaped letter": b'"\\u0061"',
        "an escaped slash": b'"\\/"',
        "a lone surrogate": b'"\\ud800"',
        "nested too deep": b"[" * (MAX_DEPTH + 1) + b"]" * (MAX_DEPTH + 1),
        "nested far too deep": b"[" * 100_000,
        "two values": b"1 2",
    }.items(),
)
def test_other_spellings_are_malformed(what, data):
    with pytest.raises(MalformedError):
        parse(data)


@pytest.mark.parametrize(
    "value",
    [
        1.0,
        float("nan"),
        b"bytes",
        bytearray(b"x"),
        {1: 2},
        {None: 1},
        2**53,
        -(2**53),
        {"a": {1, 2}},
        "e\u0301",
        "\ud800",
    ],
)
def test_values_without_an_encoding_are_malformed(value):
    with pytest.raises(MalformedError):
        encode(value)


def test_nesting_up_to_the_limit_is_accepted():
    value: list = [1]
    for _ in range(MAX_DEPTH - 1):
        value = [value]
    assert parse(encode(value)) == value
    with pytest.raises(MalformedError):
        encode([value])


def test_an_object_has_just_its_keys():
    assert parse_object(b'{"a":1}', frozenset({"a"})) == {"a": 1}
    for data, keys in ((b'{"a":1}', {"a", "b"}), (b'{"a":1}', set()), (b"[]", {"a"}), (b"1", set())):
        with pytest.raises(MalformedError):
            parse_object(data, frozenset(keys))


def test_true_is_no_integer_and_one_is_no_boolean():
    with pytest.raises(MalformedError):
        expect_int(True)
    with pytest.raises(MalformedError):
        expect_int(1, low=2)
    with pytest.raises(MalformedError):
        expect_int("1")


def test_narrowing_names_the_wrong_type():
    with pytest.raises(MalformedError, match="expected a string, not int"):
        expect_str(1)
    with pytest.raises(MalformedError, match="expected a list, not dict"):
        expect_list({})
    with pytest.raises(MalformedError, match="missing key 'a'"):
        expect_object({}, frozenset({"a"}))


def test_brackets_within_strings_are_not_nesting():
    value = ["[" * 100, '"[' * 100, "\\", "{\\" * 100]
    assert parse(encode(value)) == value


@pytest.mark.parametrize("piece", [b'"', b'\\"', b'"\\', b"[", b'["', b'{"\\"', b"\\\\"])
def test_hostile_text_is_refused_in_linear_time(piece):
    data = piece * (300_000 // len(piece))
    started = time.process_time()
    for prefix in (b"", b'"', b"["):
        with pytest.raises(MalformedError):
            parse(prefix + data)
    assert time.process_time() - started < 5


@pytest.mark.parametrize("data", [b'{"\\ud800":1}', b'{"a":"\\ud800"}', b'["\\udfff"]'])
def test_a_lone_surrogate_is_malformed_wherever_it_stands(data: bytes) -> None:
    with pytest.raises(MalformedError):
        parse(data)
