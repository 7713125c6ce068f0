"""A word crop of any size becomes the fixed grid that a recogniser looks at."""

from __future__ import annotations

import math

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image

from protocol.errors import LearningError


def fit_word(crop: npt.NDArray[np.uint8], height: int, width: int) -> npt.NDArray[np.float32]:
    """Scales to ``height`` keeping the ratio, squeezes what is wider than ``width``, pads on the right.

    The padding repeats the last column, as the backbone was trained (EasyOCR, ``NormalizePAD``).

    Args:
        crop: uint8 [rows, columns], 0 is black.
        height: Rows of the result.
        width: Columns of the result.

    Returns:
        float32 [height, width] in -1 … 1.

    Raises:
        LearningError: Not a non-empty uint8 image of two dimensions.
    """
    scaled_width = _scaled_width(crop, height, width)
    scaled = Image.fromarray(crop).resize((scaled_width, height), Image.Resampling.BICUBIC)
    grid = _normalised(np.asarray(scaled))
    return np.pad(grid, ((0, 0), (0, width - scaled_width)), mode="edge")


def fit_line(crop: npt.NDArray[np.uint8], height: int, width: int) -> npt.NDArray[np.float32]:
    """As ``fit_word``, but scaled bilinearly and padded with 0, the middle grey, as PP-OCR does.

    PP-OCR gives a word wider than ``width`` more columns; here it is squeezed, so that all features have one shape.
    """
    scaled_width = _scaled_width(crop, height, width)
    scaled = cv2.resize(crop, (scaled_width, height), interpolation=cv2.INTER_LINEAR)
    return np.pad(_normalised(np.asarray(scaled)), ((0, 0), (0, width - scaled_width)))


def _scaled_width(crop: npt.NDArray[np.uint8], height: int, width: int) -> int:
    if crop.ndim != 2 or crop.dtype != np.uint8 or 0 in crop.shape:
        raise LearningError(f"a crop must be uint8 [height, width] and not empty, not {crop.dtype} {crop.shape}")
    rows, columns = crop.shape
    scaled_width: int = min(width, max(1, math.ceil(height * columns / rows)))
    return scaled_width


def _normalised(grid: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    return grid.astype(np.float32) / np.float32(127.5) - np.float32(1)
