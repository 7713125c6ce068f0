"""The stages of preparing a page: pure functions over grey pictures, each usable by itself."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

import cv2
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Grey: TypeAlias = NDArray[np.uint8]

PAPER = 245.0
"""The grey of even paper."""
_SKEW_SIDE = 600
_MAX_SKEW_DEGREES = 10.0
_NO_SKEW_DEGREES = 0.15
_EDGE = 0.015
"""Of a side."""
_SAUVOLA_K = 0.2
_SAUVOLA_RANGE = 128.0


def _same_place() -> NDArray[np.float64]:
    return np.eye(3)


@dataclass(frozen=True, slots=True, eq=False)
class Staged:
    """What a stage made of a picture."""

    grey: Grey
    back: NDArray[np.float64] = field(default_factory=_same_place)
    """Shape [3, 3]: maps (x, y, 1) of this picture to the one that the stage was given, projectively."""
    skew_degrees: float = 0.0
    """What ``deskew`` turned back."""
    did: bool = True
    """False where there was nothing to do."""


def u8(pixels: Any) -> Grey:
    """OpenCV's stubs know no dtypes; nothing is copied."""
    return np.asarray(pixels, dtype=np.uint8)


def unmoved(grey: Grey, *, did: bool = True) -> Staged:
    """A stage that changes levels and no places."""
    return Staged(grey, did=did)


def turn(grey: Grey, quarter_turns: int) -> Staged:
    """Turned counter-clockwise by quarter turns."""
    turns = quarter_turns % 4
    height, width = grey.shape
    back = np.array(
        {
            0: [[1, 0, 0], [0, 1, 0], [0, 0, 1]],
            1: [[0, -1, width], [1, 0, 0], [0, 0, 1]],
            2: [[-1, 0, width], [0, -1, height], [0, 0, 1]],
            3: [[0, 1, 0], [-1, 0, height], [0, 0, 1]],
        }[turns],
        dtype=np.float64,
    )
    return Staged(np.ascontiguousarray(np.rot90(grey, turns)), back, did=turns != 0)


def resize(grey: Grey, min_side: int, max_side: int) -> Staged:
    """Scaled so that the long side is between the two, but up at most fourfold."""
    longest = max(grey.shape)
    target = min(max(longest, min_side), max_side, longest * 4)
    if target == longest:
        return unmoved(grey, did=False)
    height, width = (max(1, round(side * target / longest)) for side in grey.shape)
    interpolation = cv2.INTER_AREA if target < longest else cv2.INTER_CUBIC
    scaled = u8(cv2.resize(grey, (width, height), interpolation=interpolation))
    return Staged(scaled, np.diag([grey.shape[1] / width, grey.shape[0] / height, 1.0]))


def flatten_light(grey: Grey) -> Grey:
    """Divides by the paper's brightness, which a closing and a blur much wider than any stroke estimate."""
    height, width = grey.shape
    small_size = (max(8, width // 4), max(8, height // 4))
    small = cv2.resize(grey, small_size, interpolation=cv2.INTER_AREA)
    reach = max(7, (max(small_size) // 24) | 1)
    paper = cv2.morphologyEx(small, cv2.MORPH_CLOSE, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (reach, reach)))
    paper = cv2.blur(paper, (reach, reach), borderType=cv2.BORDER_REPLICATE)
    light = np.maximum(cv2.resize(paper, (width, height), interpolation=cv2.INTER_LINEAR), 1)
    return u8(cv2.divide(grey, light, scale=PAPER))


def denoise(grey: Grey) -> Grey:
    """Smooths paper and keeps the edges of strokes."""
    return u8(cv2.bilateralFilter(grey, 5, 22, 3))


def deskew(grey: Grey) -> Staged:
    """Turns the page by minus its skew on a canvas that holds all of it."""
    skew = estimate_skew(grey)
    if abs(skew) < _NO_SKEW_DEGREES:
        return Staged(grey, skew_degrees=skew, did=False)
    height, width = grey.shape
    matrix = np.vstack([cv2.getRotationMatrix2D((width / 2, height / 2), -skew, 1.0), [0, 0, 1]])
    corners = matrix @ np.array([[0, width, 0, width], [0, 0, height, height], [1, 1, 1, 1]])
    low, high = corners.min(axis=1), corners.max(axis=1)
    matrix[:2, 2] -= low[:2]
    size = (math.ceil(high[0] - low[0]), math.ceil(high[1] - low[1]))
    turned = cv2.warpAffine(
        grey, matrix[:2], size, flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_CONSTANT, borderValue=PAPER
    )
    return Staged(u8(turned), np.linalg.inv(matrix), skew)


def estimate_skew(grey: Grey) -> float:
    """The angle of the lines in degrees, counter-clockwise positive, within ±10; 0 where there is too little ink.

    The angle whose row sums of ink differ most from row to row is the one along which the lines run.
    """
    factor = _SKEW_SIDE / max(grey.shape)
    small = u8(cv2.resize(grey, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)) if factor < 1 else grey
    ink = cv2.threshold(flatten_light(small), PAPER - 45, 255, cv2.THRESH_BINARY_INV)[1]
    # A dark edge of the picture runs along the picture and not along the lines.
    down, across = (max(1, round(_EDGE * side)) for side in ink.shape)
    rows, columns = np.nonzero(ink[down:-down, across:-across])
    if rows.size < 50:
        return 0.0
    angle = 0.0
    for reach, step in ((_MAX_SKEW_DEGREES, 1.0), (1.0, 0.2), (0.2, 0.05)):
        tried = angle + np.arange(-reach, reach + step / 2, step)
        angle = float(tried[int(np.argmax([_row_energy(rows, columns, degrees) for degrees in tried]))])
    return angle if abs(angle) <= _MAX_SKEW_DEGREES else 0.0


def stretch_contrast(grey: Grey) -> Grey:
    """Spreads the levels so that the darkest thousandth of the page is black; an empty page stays as it is."""
    dark = float(np.percentile(grey[::2, ::2], 0.1))
    if dark > PAPER - 40:
        return grey
    levels = np.clip((np.arange(256) - dark) * (255.0 / (PAPER - dark)), 0, 255).astype(np.uint8)
    return u8(cv2.LUT(grey, levels))


def binarise(grey: Grey) -> Grey:
    """Ink 0, paper 255, by a threshold that follows the page.

    J. Sauvola and M. Pietikäinen, "Adaptive document image binarization", Pattern Recognition 33 (2000): the mean of
    the neighbourhood, lowered where it varies little.
    """
    reach = max(15, (max(grey.shape) // 40) | 1)
    levels = grey.astype(np.float32)
    mean = cv2.boxFilter(levels, -1, (reach, reach), borderType=cv2.BORDER_REPLICATE)
    square = cv2.boxFilter(levels * levels, -1, (reach, reach), borderType=cv2.BORDER_REPLICATE)
    deviation = np.sqrt(np.maximum(square - mean * mean, 0))
    threshold = mean * (1 + _SAUVOLA_K * (deviation / _SAUVOLA_RANGE - 1))
    return np.where(levels <= threshold, 0, 255).astype(np.uint8)


def _row_energy(rows: NDArray[np.int64], columns: NDArray[np.int64], degrees: float) -> float:
    radians = math.radians(degrees)
    turned = rows * math.cos(radians) + columns * math.sin(radians)
    profile = np.bincount((turned - turned.min()).astype(np.int64))
    return float(np.sum(np.diff(profile.astype(np.float64)) ** 2))
