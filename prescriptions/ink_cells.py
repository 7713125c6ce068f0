"""The ink of a page cell by cell: 63 signs a cell, which tell whether two cells show the same and cannot be read.

A cell's code is the signs of its 8 x 8 lowest cosine coefficients but the first. Two small letters side by side share
one coefficient, and no magnitude is kept: what can be drawn from a code is a blot where a word was. The page at hand
has its magnitudes, and a sign weighs what its coefficient has: that of a coefficient near 0 is chance.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from prescriptions.stages import PAPER

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from prescriptions.stages import Grey

INK_SIDE = 208
"""Long side of the map of ink, pixels."""
CELL_HEIGHT, CELL_WIDTH = 13, 26
CELL_BYTES = 8
_COEFFICIENTS = 8
_STROKE = 9
_FAINT = 12
_BLUR = 1.0
_BEFORE_SHRINKING = 0.9
"""Standard deviation in pixels of the larger picture, which is about 2.3 times the smaller."""
_EDGE = 3
_PICTURE_EDGE = 14
"""Pixels of the larger picture at its edges, where a cut goes through ink and straightening has added paper."""
_SHIFT = 2
"""Pixels by which a cell may be off: paper bends."""
_INKED = 5.0
"""Standard deviation of grey levels from which a cell counts."""
_EMPTY = 2.0
"""Below it there is nothing to compare with."""
_SPREAD_SCALE = 2
_LEAST_SEEN = 0.9
"""Share of a cell that both pictures must show."""
_LEAST_COVER = 0.5
"""Share of the stored page's ink, and of the other page's area, that both must show."""


@dataclass(frozen=True, slots=True, eq=False)
class InkCells:
    """The cells of one page, row by row. Arrays are read-only."""

    height: int
    """Of the map of ink, pixels."""
    width: int
    signs: NDArray[np.uint8]
    """Shape [cells, 8]: 64 bits each, the first always 0."""
    spread: NDArray[np.uint8]
    """Shape [cells]: standard deviation of the cell's grey levels, in halves, at most 127.5."""


def cells_of(small: Grey) -> InkCells:
    """The cells of a page.

    Args:
        small: The prepared page, its long side ``INK_SIDE``.
    """
    height, width = small.shape
    ink = _ink(small) * _inside((height, width), _EDGE)
    cells = [ink[cell] for cell in _cells(height, width)]
    if not cells:
        return InkCells(height, width, np.zeros((0, CELL_BYTES), np.uint8), np.zeros(0, np.uint8))
    stack = np.stack(cells)
    spread = (stack.std(axis=(1, 2)) * _SPREAD_SCALE).round().clip(0, 255).astype(np.uint8)
    return InkCells(height, width, np.packbits(_coefficients(stack) > 0, axis=1), spread)


def count_cells(height: int, width: int) -> int:
    """How many cells a map of ink has."""
    return (height // CELL_HEIGHT) * (width // CELL_WIDTH)


def compare(picture: Grey, cells: InkCells, matrix: NDArray[np.float64]) -> list[float]:
    """The agreement, -1 to 1, of each cell that both pages show and that holds ink on either.

    Args:
        picture: One page, prepared, larger than the other's map of ink.
        cells: Of the other.
        matrix: Shape [3, 3], from pixels of ``picture`` to those of the other's map of ink, projectively.

    Returns:
        Empty where the pages show less than half of each other.
    """
    size = (cells.width, cells.height)
    visible = _u8(cv2.warpPerspective(np.ones_like(picture), matrix, size))
    back = np.linalg.inv(matrix)
    seen = _u8(cv2.warpPerspective(np.ones(size[::-1], np.uint8), back, picture.shape[::-1]))
    part_visible = np.array([visible[cell].mean() for cell in _cells(cells.height, cells.width)])
    ink_visible = float(cells.spread @ part_visible) / max(1, int(cells.spread.sum(dtype=np.int64)))
    if min(ink_visible, float(seen.mean())) < _LEAST_COVER:
        return []
    within = _u8(cv2.warpPerspective(_inside(picture.shape, _PICTURE_EDGE), matrix, size))
    shown = within * _inside((cells.height, cells.width), _EDGE)
    # Softened first, so that no stroke falls between the pixels of the smaller picture.
    soft = cv2.GaussianBlur(picture, (0, 0), _BEFORE_SHRINKING)
    moved = cv2.warpPerspective(soft, matrix, size, borderMode=cv2.BORDER_CONSTANT, borderValue=PAPER)
    ink = _ink(_u8(moved)) * shown
    found = []
    around = np.pad(ink, _SHIFT)
    for number, cell in enumerate(_cells(cells.height, cells.width)):
        spread = cells.spread[number] / _SPREAD_SCALE
        if shown[cell].mean() < _LEAST_SEEN or max(spread, float(ink[cell].std())) < _INKED:
            continue
        if spread < _EMPTY:
            found.append(0.0)
            continue
        found.append(_agreement(_coefficients(_shifted(around, cell)), cells.signs[number]))
    return found


def _ink(small: Grey) -> NDArray[np.float32]:
    """Strokes, softened; 0 where there is paper."""
    # A narrow opening takes away what is wider than any stroke: shadows and the edge of the table.
    strokes = _u8(cv2.morphologyEx(255 - small, cv2.MORPH_TOPHAT, np.ones((_STROKE, _STROKE), np.uint8)))
    clear = np.maximum(strokes, _FAINT) - np.uint8(_FAINT)
    return np.asarray(cv2.GaussianBlur(clear.astype(np.float32), (0, 0), _BLUR), np.float32)


def _inside(shape: tuple[int, ...], edge: int) -> NDArray[np.uint8]:
    """1 but for the outermost pixels."""
    inside = np.zeros(shape, np.uint8)
    inside[edge:-edge, edge:-edge] = 1
    return inside


def _cells(height: int, width: int) -> Iterator[tuple[slice, slice]]:
    for top in range(0, height - CELL_HEIGHT + 1, CELL_HEIGHT):
        for left in range(0, width - CELL_WIDTH + 1, CELL_WIDTH):
            yield slice(top, top + CELL_HEIGHT), slice(left, left + CELL_WIDTH)


def _shifted(padded: NDArray[np.float32], cell: tuple[slice, slice]) -> NDArray[np.float32]:
    """The cell at every shift, shape [shifts, height, width]."""
    rows, columns = cell
    around = padded[rows.start : rows.stop + 2 * _SHIFT, columns.start : columns.stop + 2 * _SHIFT]
    windows = np.lib.stride_tricks.sliding_window_view(around, (CELL_HEIGHT, CELL_WIDTH))
    return windows.reshape(-1, CELL_HEIGHT, CELL_WIDTH)


def _coefficients(cells: NDArray[np.float32]) -> NDArray[np.float32]:
    """Shape [cells, 64]: the lowest cosine coefficients, the first of them 0."""
    level = cells - cells.mean(axis=(1, 2), keepdims=True)
    found: NDArray[np.float32] = (_cosines(CELL_HEIGHT) @ level @ _cosines(CELL_WIDTH).T).reshape(len(cells), -1)
    found[:, 0] = 0
    return found


def _agreement(coefficients: NDArray[np.float32], signs: NDArray[np.uint8]) -> float:
    """Of the best shift: the share of the magnitudes whose sign agrees, less the share whose sign does not."""
    expected = np.unpackbits(signs).astype(np.float32) * 2 - 1
    magnitudes = np.maximum(np.abs(coefficients).sum(axis=1), 1e-6)
    return float((coefficients @ expected / magnitudes).max())


def _cosines(size: int) -> NDArray[np.float32]:
    places = (np.arange(size) + 0.5) / size
    return np.cos(np.pi * np.arange(_COEFFICIENTS)[:, None] * places).astype(np.float32)


def _u8(pixels: Any) -> NDArray[np.uint8]:
    """OpenCV's stubs know no dtypes; nothing is copied."""
    return np.asarray(pixels, dtype=np.uint8)
