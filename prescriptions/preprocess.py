"""A photographed page becomes an even, straight, grey page at a working size. Pure functions over arrays."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import cv2
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Grey: TypeAlias = NDArray[np.uint8]

_PAPER = 245.0
_SKEW_SIDE = 600
_MAX_SKEW_DEGREES = 10.0
_NO_SKEW_DEGREES = 0.15


@dataclass(frozen=True, slots=True)
class PreprocessSettings:
    """The working size and strength of the cleaning."""

    min_side: int = 1000
    """The long side is scaled up to at least this many pixels, at most fourfold."""
    max_side: int = 1600
    """The long side is scaled down to at most this many pixels."""
    denoise: bool = True
    """Edge-preserving smoothing, about 20 ms a megapixel."""


@dataclass(frozen=True, slots=True, eq=False)
class PreparedPage:
    """A page ready to be read."""

    grey: Grey
    """uint8, shape [height, width]: even paper near 245, dark ink, straight lines."""
    to_page: NDArray[np.float64]
    """Shape [2, 3]: maps prepared (x, y, 1) to pixels of the page as it was loaded."""
    skew_degrees: float
    """What was turned back, counter-clockwise positive."""


def prepare(
    pixels: NDArray[np.uint8], settings: PreprocessSettings | None = None, *, quarter_turns: int = 0
) -> PreparedPage:
    """Grey, working size, even light, less noise, straight lines, full contrast: in that order.

    Args:
        pixels: uint8, shape [height, width] or [height, width, 3] (RGB).
        settings: Defaults suit A5 and A4 pages.
        quarter_turns: Counter-clockwise quarter turns to apply first, for pages that lie on their side.
    """
    settings = settings or PreprocessSettings()
    grey = _u8(cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)) if pixels.ndim == 3 else pixels
    upright = np.ascontiguousarray(np.rot90(grey, quarter_turns % 4))
    scaled = _scale(upright, settings)
    flat = flatten_light(scaled)
    if settings.denoise:
        flat = _u8(cv2.bilateralFilter(flat, 5, 22, 3))
    skew = estimate_skew(flat)
    straight, turned_back = _straighten(flat, skew)
    factor = upright.shape[1] / scaled.shape[1], upright.shape[0] / scaled.shape[0]
    shrink = np.diag([*factor, 1.0])
    to_page = _undo_turns(grey.shape, quarter_turns % 4) @ shrink @ turned_back
    return PreparedPage(stretch_contrast(straight), to_page[:2], skew)


def flatten_light(grey: Grey) -> Grey:
    """Divides by the paper's brightness, which a closing and a blur much wider than any stroke estimate."""
    height, width = grey.shape
    small_size = (max(8, width // 4), max(8, height // 4))
    small = cv2.resize(grey, small_size, interpolation=cv2.INTER_AREA)
    reach = max(7, (max(small_size) // 24) | 1)
    paper = cv2.morphologyEx(small, cv2.MORPH_CLOSE, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (reach, reach)))
    paper = cv2.blur(paper, (reach, reach), borderType=cv2.BORDER_REPLICATE)
    light = np.maximum(cv2.resize(paper, (width, height), interpolation=cv2.INTER_LINEAR), 1)
    return _u8(cv2.divide(grey, light, scale=_PAPER))


def stretch_contrast(grey: Grey) -> Grey:
    """Spreads the levels so that the darkest thousandth of the page is black; an empty page stays as it is."""
    dark = float(np.percentile(grey[::2, ::2], 0.1))
    if dark > _PAPER - 40:
        return grey
    levels = np.clip((np.arange(256) - dark) * (255.0 / (_PAPER - dark)), 0, 255).astype(np.uint8)
    return _u8(cv2.LUT(grey, levels))


def estimate_skew(grey: Grey) -> float:
    """The angle of the lines in degrees, counter-clockwise positive, within ±10; 0 where there is too little ink.

    The angle whose row sums of ink differ most from row to row is the one along which the lines run.
    """
    factor = _SKEW_SIDE / max(grey.shape)
    small = cv2.resize(grey, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA) if factor < 1 else grey
    ink = cv2.threshold(small, _PAPER - 45, 255, cv2.THRESH_BINARY_INV)[1]
    rows, columns = np.nonzero(ink)
    if rows.size < 50:
        return 0.0
    angle = 0.0
    for reach, step in ((_MAX_SKEW_DEGREES, 1.0), (1.0, 0.2), (0.2, 0.05)):
        tried = angle + np.arange(-reach, reach + step / 2, step)
        angle = float(tried[int(np.argmax([_row_energy(rows, columns, degrees) for degrees in tried]))])
    return angle if abs(angle) <= _MAX_SKEW_DEGREES else 0.0


def _row_energy(rows: NDArray[np.int64], columns: NDArray[np.int64], degrees: float) -> float:
    radians = math.radians(degrees)
    turned = rows * math.cos(radians) + columns * math.sin(radians)
    profile = np.bincount((turned - turned.min()).astype(np.int64))
    return float(np.sum(np.diff(profile.astype(np.float64)) ** 2))


def _scale(grey: Grey, settings: PreprocessSettings) -> Grey:
    longest = max(grey.shape)
    target = min(max(longest, settings.min_side), settings.max_side, longest * 4)
    if target == longest:
        return grey
    height, width = (max(1, round(side * target / longest)) for side in grey.shape)
    shrinks = target < longest
    return _u8(cv2.resize(grey, (width, height), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC))


def _straighten(grey: Grey, skew: float) -> tuple[Grey, NDArray[np.float64]]:
    """Turns the page by minus the skew on a canvas that holds all of it; also the map back, shape [3, 3]."""
    if abs(skew) < _NO_SKEW_DEGREES:
        return grey, np.eye(3)
    height, width = grey.shape
    matrix = np.vstack([cv2.getRotationMatrix2D((width / 2, height / 2), -skew, 1.0), [0, 0, 1]])
    corners = matrix @ np.array([[0, width, 0, width], [0, 0, height, height], [1, 1, 1, 1]])
    low, high = corners.min(axis=1), corners.max(axis=1)
    matrix[:2, 2] -= low[:2]
    size = (math.ceil(high[0] - low[0]), math.ceil(high[1] - low[1]))
    turned = cv2.warpAffine(
        grey, matrix[:2], size, flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_CONSTANT, borderValue=_PAPER
    )
    return _u8(turned), np.linalg.inv(matrix)


def _u8(pixels: Any) -> Grey:
    """OpenCV's stubs know no dtypes; nothing is copied."""
    return np.asarray(pixels, dtype=np.uint8)


def _undo_turns(shape: tuple[int, ...], turns: int) -> NDArray[np.float64]:
    """Maps pixels of ``np.rot90(page, turns)`` back to the page of the given shape; shape [3, 3]."""
    height, width = shape
    return np.array(
        {
            0: [[1, 0, 0], [0, 1, 0], [0, 0, 1]],
            1: [[0, -1, width], [1, 0, 0], [0, 0, 1]],
            2: [[-1, 0, width], [0, -1, height], [0, 0, 1]],
            3: [[0, 1, 0], [-1, 0, height], [0, 0, 1]],
        }[turns],
        dtype=np.float64,
    )
