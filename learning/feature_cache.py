"""Bytes of cached front features: what a site keeps, encrypted, so that a crop goes through the front once.

Layout: ``b"FRXF"``, version (1 byte, 1), number of dimensions (1 byte, 3), each dimension (uint32 little-endian), then
the float16 values, little-endian, in C order. One crop each; the key under which it is stored is ``feature_key``.
"""

from __future__ import annotations

import struct

import numpy as np
import numpy.typing as npt

from protocol.errors import LearningError, MalformedError
from protocol.identifiers import Digest, digest_of

_HEADER = struct.Struct("<4sBB3I")
_MAGIC, _VERSION, _DIMENSIONS = b"FRXF", 1, 3


def feature_key(backbone_digest: Digest, crop: npt.NDArray[np.uint8]) -> Digest:
    """Address of a crop's features: another backbone, size or pixel gives another key.

    The key of a guessable image can be guessed: it stays at the site, like the crop.
    """
    rows, columns = crop.shape
    return digest_of("front-features", backbone_digest, struct.pack("<2I", rows, columns), crop.tobytes())


def encode_features(features: npt.NDArray[np.float16]) -> bytes:
    """One crop's features, float16 [channels, height, width], as bytes.

    Raises:
        LearningError: Another dtype or number of dimensions.
    """
    if features.dtype != np.float16 or features.ndim != _DIMENSIONS:
        raise LearningError(f"features to cache are float16 of three dimensions, not {features.dtype} {features.shape}")
    return _HEADER.pack(_MAGIC, _VERSION, _DIMENSIONS, *features.shape) + features.astype("<f2").tobytes()


def decode_features(content: bytes, shape: tuple[int, int, int]) -> npt.NDArray[np.float16]:
    """Reads what ``encode_features`` wrote; the array is read-only.

    Args:
        content: The bytes.
        shape: What the backbone expects.

    Raises:
        MalformedError: Not such bytes, of another shape, or of another length.
    """
    if len(content) < _HEADER.size:
        raise MalformedError("cached features are cut short", hint="delete the cache entry: it is computed again")
    magic, version, dimensions, *found = _HEADER.unpack_from(content)
    if (magic, version, dimensions) != (_MAGIC, _VERSION, _DIMENSIONS) or tuple(found) != shape:
        raise MalformedError("cached features are of another format or backbone", hint="delete the cache entry")
    if len(content) != _HEADER.size + 2 * int(np.prod(shape)):
        raise MalformedError("cached features are cut short or too long", hint="delete the cache entry")
    return np.frombuffer(content, dtype="<f2", offset=_HEADER.size).reshape(shape)
