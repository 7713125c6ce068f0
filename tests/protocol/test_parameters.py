"""docs/spec/parameters.md."""

from __future__ import annotations

import io
import json
import struct

import numpy as np
import pytest
import safetensors.numpy
from hypothesis import given, settings
from hypothesis import strategies as st

from protocol.errors import MalformedError
from protocol.parameters import (
    encode_parameters,
    parameters_digest,
    parameters_digest_of_stream,
    parse_parameters,
)
from protocol.tensors import (
    MAX_HEADER_BYTES,
    MAX_TENSORS,
    TensorShape,
    check_order,
    encode_header,
    header_length_of,
    parse_header,
)
from tests.protocol.builders import SMALL_TENSORS, random_parameters

NAMES = st.text(
    st.characters(min_codepoint=32, max_codepoint=126, exclude_characters='"\\'), min_size=1, max_size=12
).filter(lambda name: name != "__metadata__")
SHAPES = st.lists(st.integers(1, 4), max_size=3).map(tuple)


@st.composite
def models(draw):
    names = draw(st.lists(NAMES, min_size=1, max_size=4, unique=True))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    return {name: rng.normal(size=draw(SHAPES)).astype(np.float32) for name in names}


def same(left, right):
    return left.keys() == right.keys() and all(
        left[n].shape == right[n].shape and left[n].tobytes() == right[n].tobytes() for n in left
    )


@given(models())
def test_parameters_come_back_from_their_encoding(parameters):
    encoded = encode_parameters(parameters)
    assert same(parse_parameters(encoded), parameters)
    assert encode_parameters(parse_parameters(encoded)) == encoded


@given(models())
def test_any_safetensors_reader_opens_them(parameters):
    assert same(safetensors.numpy.load(encode_parameters(parameters)), parameters)


def test_the_order_of_insertion_makes_no_difference():
    parameters = random_parameters(SMALL_TENSORS, seed=3)
    backwards = dict(reversed(parameters.items()))
    assert encode_parameters(backwards) == encode_parameters(parameters)


def test_memory_layout_makes_no_difference():
    array = np.arange(12, dtype=np.float32).reshape(3, 4)
    assert encode_parameters({"a": np.asfortranarray(array)}) == encode_parameters({"a": array})
    assert encode_parameters({"a": array[:, ::-1][:, ::-1]}) == encode_parameters({"a": array})


def test_the_digest_covers_names_shapes_and_data():
    array = np.arange(12, dtype=np.float32)
    digests = {
        parameters_digest(encode_parameters(parameters))
        for parameters in (
            {"a": array},
            {"b": array},
            {"a": array.reshape(3, 4)},
            {"a": array.reshape(4, 3)},
            {"a": array + 1},
            {"a": array[:6], "b": array[6:]},
        )
    }
    assert len(digests) == 6


def test_the_digest_of_a_stream_is_that_of_its_bytes():
    encoded = encode_parameters({"a": np.zeros(600_000, dtype=np.float32)})
    assert parameters_digest_of_stream(io.BytesIO(encoded)) == parameters_digest(encoded)


def test_parsed_arrays_are_read_only():
    parsed = parse_parameters(encode_parameters({"a": np.zeros(3, dtype=np.float32)}))
    with pytest.raises(ValueError, match="read-only"):
        parsed["a"][0] = 1


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_value_that_is_not_finite_is_malformed(value):
    good = np.zeros(3, dtype=np.float32)
    bad = good.copy()
    bad[1] = value
    with pytest.raises(MalformedError):
        encode_parameters({"a": bad})
    encoded = encode_parameters({"a": good})
    with pytest.raises(MalformedError):
        parse_parameters(encoded[:-12] + bad.tobytes())


def test_another_dtype_is_malformed():
    for dtype in (np.float64, np.float16, np.int32):
        with pytest.raises(MalformedError):
            encode_parameters({"a": np.zeros(3, dtype=dtype)})


def test_every_truncation_is_malformed():
    encoded = encode_parameters(random_parameters(SMALL_TENSORS, seed=1))
    for length in range(len(encoded)):
        with pytest.raises(MalformedError):
            parse_parameters(encoded[:length])
    with pytest.raises(MalformedError):
        parse_parameters(encoded + b"\x00")


def test_every_flipped_bit_of_the_header_is_malformed_or_another_model():
    parameters = random_parameters(SMALL_TENSORS, seed=1)
    encoded = encode_parameters(parameters)
    refused = 0
    for bit in range(8 * (8 + header_length_of(encoded))):
        changed = bytearray(encoded)
        changed[bit // 8] ^= 1 << bit % 8
        try:
            # A flipped bit inside a name gives another name: that is another model with another digest.
            assert parse_parameters(bytes(changed)).keys() != parameters.keys()
            assert encode_parameters(parse_parameters(bytes(changed))) == bytes(changed)
        except MalformedError:
            refused += 1
    assert refused > 1000


def header_of(text: bytes) -> bytes:
    return struct.pack("<Q", len(text)) + text


@pytest.mark.parametrize(
    ("what", "header"),
    {
        "not JSON": header_of(b"{       "),
        "not an object": header_of(b"[1,2,3] "),
        "an empty object": header_of(b"{}      "),
        "a number": header_of(b"12345678"),
        "metadata": header_of(b'{"__metadata__":{"a":"b"},"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}'),
        "another dtype": header_of(b'{"a":{"dtype":"F64","shape":[1],"data_offsets":[0,8]}}  '),
        "a hole": header_of(b'{"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}  '),
        "spaces inside": header_of(b'{"a": {"dtype":"F32","shape":[1],"data_offsets":[0,4]}} '),
        "keys in another order": header_of(b'{"a":{"shape":[1],"dtype":"F32","data_offsets":[0,4]}}  '),
        "not padded": header_of(b'{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}'),
        "padded too far": header_of(b'{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}' + b" " * 10),
        "unsorted": header_of(
            b'{"b":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}'
        ),
        "a name twice": header_of(
            b'{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}'
        ),
        "a huge shape": header_of(b'{"a":{"dtype":"F32","shape":[99999999999999999999],"data_offsets":[0,4]}}'),
        "a shape of too many digits": header_of(b'{"a":{"shape":[' + b"9" * 5000 + b"]}}"),
        "a zero shape": header_of(b'{"a":{"dtype":"F32","shape":[0],"data_offsets":[0,0]}}  '),
        "a boolean shape": header_of(b'{"a":{"dtype":"F32","shape":[true],"data_offsets":[0,4]}}'),
        "no shape": header_of(b'{"a":{"dtype":"F32"}}   '),
        "nested deep": header_of(b"[" * 100_000),
        "not ASCII": header_of('{"é":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}  '.encode()),
        "a length that is huge": b"\xff" * 8 + b"{}",
        "a length past the limit": struct.pack("<Q", MAX_HEADER_BYTES + 8) + b" " * (MAX_HEADER_BYTES + 8),
        "nothing": b"",
    }.items(),
)
def test_other_headers_are_malformed(what, header):
    with pytest.raises(MalformedError):
        parse_header(header + bytes(16), "F32")


@given(st.binary(max_size=200))
@settings(max_examples=200)
def test_arbitrary_bytes_are_malformed(data):
    with pytest.raises(MalformedError):
        parse_parameters(data)


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("", (1,)),
        ("a" * 257, (1,)),
        ('a"b', (1,)),
        ("a\\b", (1,)),
        ("__metadata__", (1,)),
        ("é", (1,)),
        ("a\n", (1,)),
        ("\x7f", (1,)),
        ("a", (0,)),
        ("a", (-1,)),
        ("a", (2**31,)),
        ("a", (1,) * 9),
    ],
)
def test_names_and_shapes_have_bounds(name, shape):
    with pytest.raises(MalformedError):
        TensorShape(name, shape)


def test_a_scalar_has_one_value():
    assert TensorShape("a", ()).count == 1
    assert parse_parameters(encode_parameters({"a": np.array(2, dtype=np.float32)}))["a"].shape == ()


def test_tensors_are_few_and_sorted():
    many = tuple(TensorShape(f"t{number:05d}", (1,)) for number in range(MAX_TENSORS))
    check_order(many)
    for shapes in ((), (*many, TensorShape("u", (1,))), tuple(reversed(many)), (many[0], many[0])):
        with pytest.raises(MalformedError):
            check_order(shapes)


def test_a_header_longer_than_the_limit_is_malformed():
    shapes = tuple(TensorShape(f"{number:05d}" + "n" * 250, (1,)) for number in range(MAX_TENSORS))
    with pytest.raises(MalformedError):
        encode_header(shapes, "F32")


def test_the_header_ends_at_a_multiple_of_eight():
    header = encode_header(tuple(t.shape for t in SMALL_TENSORS), "I32")
    assert len(header) % 8 == 0
    assert json.loads(header[8:])["conv.bias"]["dtype"] == "I32"
    assert parse_header(header, "I32") == tuple(t.shape for t in SMALL_TENSORS)
