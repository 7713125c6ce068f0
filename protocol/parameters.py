"""A model's parameters as bytes (docs/spec/parameters.md): float32 tensors in the layout of ``tensors``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import BinaryIO

import numpy as np
import numpy.typing as npt

from protocol.errors import MalformedError
from protocol.identifiers import Digest, digest_of, digest_state
from protocol.tensors import TensorShape, encode_header, header_length_of, parse_header, value_count

_READ_BYTES = 1 << 20


def shapes_of(parameters: Mapping[str, npt.NDArray[np.float32]]) -> tuple[TensorShape, ...]:
    """Names and shapes, sorted by name."""
    return tuple(TensorShape(name, parameters[name].shape) for name in sorted(parameters))


def encode_parameters(parameters: Mapping[str, npt.NDArray[np.float32]]) -> bytes:
    """The one encoding of a model's parameters.

    Args:
        parameters: Name → float32 array; every value finite.

    Raises:
        MalformedError: Another dtype, a value that is not finite, or a name or shape out of bounds.
    """
    pieces = [encode_header(shapes_of(parameters), "F32")]
    for name in sorted(parameters):
        array = parameters[name]
        if array.dtype != np.float32:
            raise MalformedError(f"{name} is {array.dtype}, not float32")
        if not np.isfinite(array).all():
            raise MalformedError(f"{name} holds a value that is not finite")
        pieces.append(np.ascontiguousarray(array, dtype="<f4").tobytes())
    return b"".join(pieces)


def parse_parameters(data: bytes) -> dict[str, npt.NDArray[np.float32]]:
    """The parameters of canonical bytes; the arrays are read-only.

    Raises:
        MalformedError: Not the one encoding of its parameters, or a value that is not finite.
    """
    shapes = parse_header(data, "F32")
    start = 8 + header_length_of(data)
    if len(data) != start + value_count(shapes) * 4:
        raise MalformedError("the parameters' data has another length than the header says")
    result: dict[str, npt.NDArray[np.float32]] = {}
    for shape in shapes:
        array = np.frombuffer(data, dtype="<f4", count=shape.count, offset=start).reshape(shape.shape)
        if not np.isfinite(array).all():
            raise MalformedError(f"{shape.name} holds a value that is not finite")
        result[shape.name] = array
        start += shape.count * 4
    return result


def parameters_digest(encoded: bytes) -> Digest:
    """Digest of an encoded model: it covers names, dtypes, shapes and data."""
    return digest_of("parameters", encoded)


def parameters_digest_of_stream(stream: BinaryIO) -> Digest:
    """As ``parameters_digest``, from the stream's position to its end, in 1 MiB of memory."""
    state = digest_state("parameters")
    while block := stream.read(_READ_BYTES):
        state.update(block)
    return Digest(state.digest())
