"""Upright rectangles in pixels."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, order=True)
class Box:
    """Left and top are inside, right and bottom outside; never empty."""

    left: int
    top: int
    right: int
    bottom: int

    @property
    def width(self) -> int:
        """Pixels."""
        return self.right - self.left

    @property
    def height(self) -> int:
        """Pixels."""
        return self.bottom - self.top

    @property
    def middle(self) -> float:
        """The height of its centre line."""
        return (self.top + self.bottom) / 2

    def grown(self, margin: int, width: int, height: int) -> Box:
        """With a margin on every side, cut at the picture's edges."""
        return Box(
            max(0, self.left - margin),
            max(0, self.top - margin),
            min(width, self.right + margin),
            min(height, self.bottom + margin),
        )

    def overlap(self, other: Box) -> float:
        """Intersection over union, 0 to 1."""
        wide = min(self.right, other.right) - max(self.left, other.left)
        high = min(self.bottom, other.bottom) - max(self.top, other.top)
        common = max(0, wide) * max(0, high)
        return common / (self.width * self.height + other.width * other.height - common)

    def moved(self, matrix: NDArray[np.float64], width: int, height: int) -> Box:
        """The upright box around this one after a projective map, cut to a picture of the given size.

        Args:
            matrix: Shape [3, 3], for column vectors (x, y, 1).
            width: Of the picture that it lands on.
            height: Likewise.
        """
        corners = np.array([(x, y, 1.0) for x in (self.left, self.right) for y in (self.top, self.bottom)])
        landed = corners @ matrix.T
        points = landed[:, :2] / landed[:, 2:]
        left, top = (max(0, math.floor(value)) for value in points.min(axis=0))
        right, bottom = (math.ceil(value) for value in points.max(axis=0))
        left, top = min(left, width - 1), min(top, height - 1)
        return Box(left, top, max(left + 1, min(right, width)), max(top + 1, min(bottom, height)))


def around(boxes: Iterable[Box]) -> Box:
    """The smallest box that holds all of them; there is at least one."""
    sides = np.array([(box.left, box.top, box.right, box.bottom) for box in boxes])
    left, top = sides[:, :2].min(axis=0).tolist()
    right, bottom = sides[:, 2:].max(axis=0).tolist()
    return Box(left, top, right, bottom)
