"""Names, shapes and scales of federated tensors, and the safetensors layout that carries them.

Layout (docs/spec/parameters.md): 8-byte little-endian header length, the header as compact JSON with names sorted,
padded with spaces to a multiple of 8, then the tensors' little-endian data in the order of their names. No
``__metadata__``. The layout is a subset of safetensors, so any safetensors reader opens it.
"""

from __future__ import annotations

import json
import math
import struct
from dataclasses import dataclass
from typing import Literal, TypeAlias

from protocol.canonical_json import check_depth
from protocol.errors import MalformedError

DType: TypeAlias = Literal["F32", "I32"]

MAX_HEADER_BYTES = 1 << 20
MAX_TENSORS = 4096
_VALUE_BYTES = 4
_ALIGNMENT = 8


@dataclass(frozen=True, slots=True, order=True)
class TensorShape:
    """A tensor's name and shape."""

    name: str
    """1 to 256 printable ASCII characters."""
    shape: tuple[int, ...]

    def __post_init__(self) -> None:
        if not 1 <= len(self.name) <= 256 or not self.name.isascii() or not self.name.isprintable():
            raise MalformedError(f"{self.name!r} is no tensor name")
        if '"' in self.name or "\\" in self.name or self.name == "__metadata__":
            raise MalformedError(f"{self.name!r} is no tensor name")
        if len(self.shape) > 8 or any(not 1 <= size < 2**31 for size in self.shape):
            raise MalformedError(f"{self.shape} is no tensor shape")

    @property
    def count(self) -> int:
        """Number of values."""
        return math.prod(self.shape)


def check_order(shapes: tuple[TensorShape, ...]) -> None:
    """Names must be sorted and unique.

    Raises:
        MalformedError: No tensors, too many, or names that are unsorted or occur twice.
    """
    if not 1 <= len(shapes) <= MAX_TENSORS:
        raise MalformedError(f"{len(shapes)} tensors; 1 to {MAX_TENSORS} are allowed")
    names = [shape.name for shape in shapes]
    if names != sorted(set(names)):
        raise MalformedError("tensor names are not sorted, or one occurs twice")


def value_count(shapes: tuple[TensorShape, ...]) -> int:
    """Number of values in all tensors."""
    return sum(shape.count for shape in shapes)


def encode_header(shapes: tuple[TensorShape, ...], dtype: DType) -> bytes:
    """Length field and padded header: everything before the data.

    Raises:
        MalformedError: As ``check_order``.
    """
    check_order(shapes)
    entries: dict[str, object] = {}
    offset = 0
    for shape in shapes:
        end = offset + shape.count * _VALUE_BYTES
        entries[shape.name] = {"dtype": dtype, "shape": list(shape.shape), "data_offsets": [offset, end]}
        offset = end
    text = json.dumps(entries, separators=(",", ":")).encode("ascii")
    text += b" " * (-len(text) % _ALIGNMENT)
    if len(text) > MAX_HEADER_BYTES:
        raise MalformedError(f"the tensors' header is longer than {MAX_HEADER_BYTES} bytes")
    return struct.pack("<Q", len(text)) + text


def parse_header(data: bytes, dtype: DType) -> tuple[TensorShape, ...]:
    """The shapes of a header made by ``encode_header``.

    Args:
        data: At least the length field and the header; what follows is ignored.
        dtype: The dtype that every tensor must have.

    Raises:
        MalformedError: Not the one encoding of its shapes.
    """
    header_length = header_length_of(data)
    header = data[: 8 + header_length]
    check_depth(header[8:], 3)
    try:
        entries = json.loads(header[8:].decode("ascii"), object_pairs_hook=list)
        shapes = tuple(_shape_of(name, fields) for name, fields in entries)
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise MalformedError("the tensors' header is not JSON of the specified form") from error
    if encode_header(shapes, dtype) != header:
        raise MalformedError("the tensors' header is not in the canonical layout")
    return shapes


def header_length_of(data: bytes) -> int:
    """The header's length in bytes without the 8-byte length field.

    Raises:
        MalformedError: Truncated, or longer than allowed.
    """
    if len(data) < 8:
        raise MalformedError("truncated before the tensors' header")
    length: int = struct.unpack_from("<Q", data)[0]
    if length > MAX_HEADER_BYTES or length + 8 > len(data):
        raise MalformedError("truncated within the tensors' header, or its length is wrong")
    return length


def _shape_of(name: object, fields: list[tuple[str, object]]) -> TensorShape:
    shape = dict(fields)["shape"]
    if not isinstance(name, str) or not isinstance(shape, list) or not all(type(size) is int for size in shape):
        raise TypeError(name)
    return TensorShape(name, tuple(shape))
