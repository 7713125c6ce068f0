"""Two pages side by side: their redacted pictures."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

from prescriptions.words import decode_png, encode_png

if TYPE_CHECKING:
    from numpy.typing import NDArray

_HEIGHT = 1000
_MAX_WIDTH = 1600
_GAP = 12
_FRAME = 190


def side_by_side(earlier_png: bytes, later_png: bytes) -> bytes:
    """A grey PNG of two pages, about 1,000 pixels high, the earlier one on the left.

    Args:
        earlier_png: Grey.
        later_png: Grey.

    Raises:
        PrescriptionError: One of them is damaged.
    """
    earlier, later = _sheet(earlier_png), _sheet(later_png)
    height = max(earlier.shape[0], later.shape[0])
    left, right = (
        np.pad(sheet, ((0, height - sheet.shape[0]), (0, 0)), constant_values=255) for sheet in (earlier, later)
    )
    return encode_png(np.hstack([left, np.full((height, _GAP), 255, np.uint8), right]))


def _sheet(picture_png: bytes) -> NDArray[np.uint8]:
    grey = decode_png(picture_png)
    factor = min(_HEIGHT / grey.shape[0], _MAX_WIDTH / grey.shape[1])
    size = max(1, round(grey.shape[1] * factor)), max(1, round(grey.shape[0] * factor))
    how = cv2.INTER_AREA if factor < 1 else cv2.INTER_LINEAR
    return np.pad(np.asarray(cv2.resize(grey, size, interpolation=how), np.uint8), 1, constant_values=_FRAME)
