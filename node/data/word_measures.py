"""What can be measured of a word's picture without reading it: how good it is, and how the hand writes."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np

from prescriptions.word_split import ink_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

_HEIGHT = 64
"""Rows to which a crop is scaled before sharpness and strokes are measured, so that sites can be compared."""


@dataclass(frozen=True, slots=True)
class WordMeasures:
    """Numbers of one crop."""

    height: int
    """Of the crop as it is kept, in pixels."""
    contrast: float
    """Median of the paper minus median of the ink, 0 (none) to 1 (black on white)."""
    sharpness: float
    """Variance of the Laplacian of the crop scaled to 64 rows; a blurred one has little."""
    slant: float
    """Of near-vertical strokes in degrees, -45 to 45; positive leans to the right."""
    stroke: float
    """Mean width of the strokes as a share of the crop's height."""


def measure_word(crop: NDArray[np.uint8]) -> WordMeasures:
    """Measures one crop.

    Args:
        crop: Grey, uint8 [rows, columns], 0 is black.
    """
    rows, columns = crop.shape
    size = max(1, round(columns * _HEIGHT / rows)), _HEIGHT
    how = cv2.INTER_AREA if rows > _HEIGHT else cv2.INTER_CUBIC
    scaled = np.asarray(cv2.resize(crop, size, interpolation=how), dtype=np.uint8)
    ink = ink_of(scaled)
    all_one = not ink.any() or bool(ink.all())
    return WordMeasures(
        height=rows,
        contrast=0.0 if all_one else float(np.median(scaled[~ink]) - np.median(scaled[ink])) / 255,
        sharpness=float(cv2.Laplacian(scaled, cv2.CV_64F).var()),
        slant=_slant(scaled),
        stroke=0.0 if all_one else _stroke(ink),
    )


def _slant(grey: NDArray[np.uint8]) -> float:
    """The shear that explains the edges of near-vertical strokes best, by least squares over their gradients."""
    across = np.asarray(cv2.Sobel(grey, cv2.CV_64F, 1, 0))
    down = np.asarray(cv2.Sobel(grey, cv2.CV_64F, 0, 1))
    upright = np.abs(across) > np.abs(down)
    weight = float((across[upright] ** 2).sum())
    return math.degrees(math.atan(float((across[upright] * down[upright]).sum()) / weight)) if weight else 0.0


def _stroke(ink: NDArray[np.bool_]) -> float:
    """Inside a straight stroke the mean distance to paper is a quarter of its width."""
    paper_around = np.pad(ink, 1).astype(np.uint8)
    distance = np.asarray(cv2.distanceTransform(paper_around, cv2.DIST_L2, cv2.DIST_MASK_PRECISE))
    return 4 * float(distance[paper_around > 0].mean()) / _HEIGHT
