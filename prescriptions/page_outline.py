"""The page on the table: found only where nothing speaks against it, for a cut in the wrong place loses ink."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

from prescriptions.stages import Staged, u8, unmoved

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from prescriptions.stages import Grey

_SIDE = 500
"""Pixels; the long side at which the page is looked for."""
_MIN_SHARE, _MAX_SHARE = 0.2, 0.96
"""Of the picture that the page covers."""
_MIN_FILL = 0.94
"""Of the outline's quadrilateral that the bright region covers."""
_MIN_CORNER, _MAX_CORNER = 62.0, 118.0
"""Degrees."""
_MIN_STEP = 45.0
"""Levels by which the paper is brighter than the table beyond each of its sides."""
_BEYOND = 6.0
"""Pixels of the small picture: how far beyond a side the table is looked at."""


def cut_page(grey: Grey) -> Staged:
    """The page as seen from straight above, where its outline is sure; else the picture as it is."""
    corners = find_page(grey)
    if corners is None:
        return unmoved(grey, did=False)
    across = max(np.linalg.norm(corners[1] - corners[0]), np.linalg.norm(corners[2] - corners[3]))
    down = max(np.linalg.norm(corners[3] - corners[0]), np.linalg.norm(corners[2] - corners[1]))
    width, height = max(1, round(float(across))), max(1, round(float(down)))
    inside = np.array([(0, 0), (width, 0), (width, height), (0, height)], np.float32)
    matrix = cv2.getPerspectiveTransform(corners.astype(np.float32), inside)
    seen = cv2.warpPerspective(grey, matrix, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return Staged(u8(seen), np.linalg.inv(np.asarray(matrix, np.float64)))


def find_page(grey: Grey) -> NDArray[np.float64] | None:
    """The corners of the page: upper left, upper right, lower right, lower left; None where it is not sure.

    It is sure when the largest bright region is a convex quadrilateral, lies within the picture on all four sides, and
    the table beyond each side is much darker. A flat scan has no table, a page cut by the frame has one side too few.

    Args:
        grey: uint8, shape [height, width].

    Returns:
        float64, shape [4, 2], in pixels of the picture.
    """
    factor = min(1.0, _SIDE / max(grey.shape))
    small = u8(cv2.resize(grey, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA))
    if min(small.shape) < 32:
        return None
    corners = _quadrilateral(small)
    if corners is None or not _stands_out(small, corners):
        return None
    return np.asarray(corners / factor, np.float64)


def _quadrilateral(small: Grey) -> NDArray[np.float64] | None:
    bright = cv2.threshold(cv2.GaussianBlur(small, (5, 5), 0), 0, 255, cv2.THRESH_BINARY + cv2.THRESH_OTSU)[1]
    # Opened, so that a bright spot of the table beside the page is no part of it; filled, so that its ink is.
    bright = cv2.morphologyEx(bright, cv2.MORPH_OPEN, np.ones((9, 9), np.uint8))
    outlines, _ = cv2.findContours(bright, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    if not outlines:
        return None
    largest = max(outlines, key=cv2.contourArea)
    # The hull heals what a finger, a clip or writing at the edge bites out.
    hull = cv2.convexHull(largest)
    area = cv2.contourArea(hull)
    if not _MIN_SHARE * small.size <= area <= _MAX_SHARE * small.size or cv2.contourArea(largest) < 0.9 * area:
        return None
    rough = cv2.approxPolyDP(hull, 0.02 * cv2.arcLength(hull, closed=True), closed=True)
    corners = np.asarray(rough, np.float64).reshape(-1, 2)
    if (
        len(corners) != 4
        or area < _MIN_FILL * cv2.contourArea(corners.astype(np.float32))
        or not _right_angled(corners)
    ):
        return None
    return _ordered(corners)


def _right_angled(corners: NDArray[np.float64]) -> bool:
    before = np.roll(corners, 1, axis=0) - corners
    after = np.roll(corners, -1, axis=0) - corners
    cosines = (before * after).sum(axis=1) / (np.linalg.norm(before, axis=1) * np.linalg.norm(after, axis=1))
    angles = np.degrees(np.arccos(np.clip(cosines, -1, 1)))
    return bool((angles >= _MIN_CORNER).all() and (angles <= _MAX_CORNER).all())


def _ordered(corners: NDArray[np.float64]) -> NDArray[np.float64]:
    """Clockwise as seen, from the corner nearest to the upper left."""
    centre = corners.mean(axis=0)
    angles = np.arctan2(corners[:, 1] - centre[1], corners[:, 0] - centre[0])
    around = corners[np.argsort(angles)]
    return np.roll(around, -int(np.argmin(around.sum(axis=1))), axis=0)


def _stands_out(small: Grey, corners: NDArray[np.float64]) -> bool:
    """Whether each side lies within the picture, with paper on one side of it and a darker table on the other."""
    height, width = small.shape
    centre = corners.mean(axis=0)
    for one, other in zip(corners, np.roll(corners, -1, axis=0), strict=True):
        along = np.linspace(0.1, 0.9, 40)[:, None] * (other - one) + one
        outward = np.array([(other - one)[1], -(other - one)[0]]) / max(1.0, float(np.linalg.norm(other - one)))
        if (one + other - 2 * centre) @ outward < 0:
            outward = -outward
        beyond, within = along + _BEYOND * outward, along - _BEYOND * outward
        if (beyond < 0).any() or (beyond[:, 0] >= width).any() or (beyond[:, 1] >= height).any():
            return False
        if np.median(_levels(small, within)) - np.median(_levels(small, beyond)) < _MIN_STEP:
            return False
    return True


def _levels(small: Grey, points: NDArray[np.float64]) -> Grey:
    columns = np.clip(points[:, 0].astype(int), 0, small.shape[1] - 1)
    rows = np.clip(points[:, 1].astype(int), 0, small.shape[0] - 1)
    return u8(small[rows, columns])
