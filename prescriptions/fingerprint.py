"""What is kept of a page's look to find it again: local features as 128-bit codes, and the signs of its ink's cells.

The codes find pages that may be the same, whatever their crop, scale or perspective, and line the two up; the cells
then say whether what is written is the same (``duplicates``). No picture of the page is kept: of a fingerprint one sees
where there is ink and roughly how much, not what is written. It is personal data all the same.

Features are SIFT's (Lowe, IJCV 2004, doi:10.1023/B:VISI.0000029664.99615.94), upright because the page is. A code is
the signs of the Walsh-Hadamard transform of the square roots of a descriptor less their mean over the page.
"""

from __future__ import annotations

import struct
from collections import defaultdict
from dataclasses import dataclass
from itertools import chain, pairwise, zip_longest
from typing import TYPE_CHECKING

import cv2
import numpy as np

from prescriptions.ink_cells import CELL_BYTES, INK_SIDE, InkCells, cells_of, count_cells
from protocol.errors import PrescriptionError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from prescriptions.stages import Grey

FEATURE_SIDE = 480
"""Long side of the picture in which features are found, pixels."""
PLACE_SCALE = 64
"""Steps a pixel of a feature's place; ``FEATURE_SIDE`` times it fits into 16 bits."""
MAX_FEATURES = 200
CODE_BYTES = 16
_CONTRAST = 0.02
_MIN_FEATURE_SIZE = 3.0
_CELLS_ACROSS, _CELLS_DOWN = 8, 10
_VERSION = 1
_HEADER = struct.Struct("<BHHH")


@dataclass(frozen=True, slots=True, eq=False)
class Fingerprint:
    """What the store keeps of a page's look. Arrays are read-only."""

    places: NDArray[np.uint16]
    """Shape [features, 2]: x and y of the features, 1/64 pixel where the page's long side is ``FEATURE_SIDE``."""
    codes: NDArray[np.uint64]
    """Shape [features, 2]: 128 bits each; the same spot on another picture differs in about 20 of them."""
    cells: InkCells


@dataclass(frozen=True, slots=True, eq=False)
class PageLook:
    """A page that is at hand: its fingerprint, and the picture that is compared with the fingerprints of others."""

    fingerprint: Fingerprint
    picture: Grey
    """Shape [height, width], long side ``FEATURE_SIDE``. Not to be kept: it can be read."""


def look_at(prepared: Grey) -> PageLook:
    """The look of a page, about 0.1 s.

    Args:
        prepared: Of ``preprocess.prepare``: uint8 [height, width], even paper, dark ink, upright.
    """
    picture = _shrunk(prepared, FEATURE_SIDE)
    picture.flags.writeable = False
    return PageLook(_fixed(*_features(picture), cells_of(_shrunk(prepared, INK_SIDE))), picture)


def encode_fingerprint(fingerprint: Fingerprint) -> bytes:
    """The bytes of a fingerprint, about 4.5 KB."""
    cells = fingerprint.cells
    return b"".join(
        (
            _HEADER.pack(_VERSION, len(fingerprint.places), cells.height, cells.width),
            fingerprint.places.astype("<u2").tobytes(),
            fingerprint.codes.astype("<u8").tobytes(),
            cells.signs.tobytes(),
            cells.spread.tobytes(),
        )
    )


def decode_fingerprint(content: bytes) -> Fingerprint:
    """The fingerprint of bytes that ``encode_fingerprint`` made.

    Raises:
        PrescriptionError: Other bytes.
    """
    if len(content) < _HEADER.size:
        raise _damaged()
    version, count, height, width = _HEADER.unpack_from(content)
    if version != _VERSION or count > MAX_FEATURES or not 0 < min(height, width) <= max(height, width) <= INK_SIDE:
        raise _damaged()
    cell_count = count_cells(height, width)
    ends = np.cumsum([_HEADER.size, 4 * count, CODE_BYTES * count, CELL_BYTES * cell_count, cell_count]).tolist()
    if len(content) != ends[-1]:
        raise _damaged()
    places, codes, signs, spread = (content[start:end] for start, end in pairwise(ends))
    cells = InkCells(
        height, width, np.frombuffer(signs, np.uint8).reshape(-1, CELL_BYTES), np.frombuffer(spread, np.uint8)
    )
    return _fixed(np.frombuffer(places, "<u2").reshape(count, 2), np.frombuffer(codes, "<u8").reshape(count, 2), cells)


def _damaged() -> PrescriptionError:
    return PrescriptionError("these bytes are no page's fingerprint", hint="the store is damaged: restore a backup")


def _fixed(places: NDArray[np.uint16], codes: NDArray[np.uint64], cells: InkCells) -> Fingerprint:
    for array in (places, codes, cells.signs, cells.spread):
        array.flags.writeable = False
    return Fingerprint(places, codes, cells)


def _shrunk(grey: Grey, side: int) -> Grey:
    factor = side / max(grey.shape)
    size = max(1, round(grey.shape[1] * factor)), max(1, round(grey.shape[0] * factor))
    return np.asarray(cv2.resize(grey, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)


def _features(picture: Grey) -> tuple[NDArray[np.uint16], NDArray[np.uint64]]:
    sift = cv2.SIFT.create(contrastThreshold=_CONTRAST)
    chosen = _spread(sift.detect(picture, None), picture.shape)
    if not chosen:
        return np.zeros((0, 2), np.uint16), np.zeros((0, 2), np.uint64)
    found, described = sift.compute(picture, chosen)
    descriptors = np.asarray(described, dtype=np.float32)
    roots = np.sqrt(descriptors / np.maximum(descriptors.sum(axis=1, keepdims=True), 1))
    signs = (roots - roots.mean(axis=0)) @ _hadamard(descriptors.shape[1]) > 0
    codes = np.packbits(signs, axis=1).view("<u8").astype(np.uint64)
    places = np.array([point.pt for point in found]).clip(0, FEATURE_SIDE) * PLACE_SCALE
    return places.round().astype(np.uint16), codes


def _spread(points: Sequence[cv2.KeyPoint], shape: tuple[int, ...]) -> list[cv2.KeyPoint]:
    """The strongest of each part of the page in turn: else print, which all pages of a clinic share, takes them all."""
    height, width = shape
    cells: dict[tuple[int, int], dict[tuple[int, int], cv2.KeyPoint]] = defaultdict(dict)
    for point in sorted(points, key=lambda point: (-point.response, point.pt, point.size)):
        x, y = point.pt
        if point.size >= _MIN_FEATURE_SIZE:
            # Without its direction a spot that was found twice is one feature.
            upright = cv2.KeyPoint(x, y, point.size, 0, point.response, point.octave)
            cell = int(x / width * _CELLS_ACROSS), int(y / height * _CELLS_DOWN)
            cells[cell].setdefault((round(x), round(y)), upright)
    rows = zip_longest(*(cell.values() for cell in cells.values()))
    return [point for point in chain.from_iterable(rows) if point is not None][:MAX_FEATURES]


def _hadamard(size: int) -> NDArray[np.float32]:
    matrix = np.ones((1, 1), np.float32)
    while len(matrix) < size:
        matrix = np.block([[matrix, matrix], [matrix, -matrix]])
    return matrix
