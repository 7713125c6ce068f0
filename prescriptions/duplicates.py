"""Whether two pages show the same: lined up by their features, then compared by their ink, cell by cell.

Exact duplicates have the same ``Page.digest`` and need none of this. A page that was compressed, resized, turned,
cropped or photographed again agrees in every cell; another page on the same letterhead agrees where the print is and
nowhere else, so it is the least agreeing cells that decide. The threshold was chosen on half of the pages that
benchmarks/duplicates.py draws.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

from prescriptions.fingerprint import FEATURE_SIDE, PLACE_SCALE
from prescriptions.ink_cells import INK_SIDE, compare

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from prescriptions.fingerprint import Fingerprint, PageLook

NEAR = 0.75
"""Pages of at least this likeness are near duplicates."""
_SAME_SPOT_BITS = 36
_FEWEST_SPOTS = 8
_TOLERANCE = 4.0
"""Pixels at ``FEATURE_SIDE`` by which a spot may miss its place."""
_TRIES = 500
_FEWEST_CELLS = 6
_WORST_PERCENT = 5


def likeness(look: PageLook, other: Fingerprint) -> float:
    """How far two pages show the same, 0 to 1.

    It is the agreement that 95 % of the cells with ink reach. 0 where the pages cannot be lined up, or show less
    than half of each other.

    Args:
        look: The page at hand.
        other: Of the page that was there before.
    """
    to_other = _line_up(look.fingerprint, other)
    if to_other is None:
        return 0.0
    shrink = np.diag([INK_SIDE / FEATURE_SIDE, INK_SIDE / FEATURE_SIDE, 1.0])
    cells = compare(look.picture, other.cells, shrink @ to_other)
    return max(0.0, float(np.percentile(cells, _WORST_PERCENT))) if len(cells) >= _FEWEST_CELLS else 0.0


def _line_up(one: Fingerprint, other: Fingerprint) -> NDArray[np.float64] | None:
    """The projective map from ``one`` to ``other``, shape [3, 3], from spots that are each other's best match."""
    if min(len(one.codes), len(other.codes)) < _FEWEST_SPOTS:
        return None
    bits = np.bitwise_count(one.codes[:, None] ^ other.codes[None]).sum(axis=-1, dtype=np.int32)
    best = bits.argmin(axis=1)
    here = np.arange(len(best))
    mutual = (bits.argmin(axis=0)[best] == here) & (bits[here, best] <= _SAME_SPOT_BITS)
    if mutual.sum() < _FEWEST_SPOTS:
        return None
    # float32, since OpenCV takes no other; its own generator starts from the same state at every call.
    source = (one.places[mutual] / np.float32(PLACE_SCALE)).astype(np.float32)
    target = (other.places[best[mutual]] / np.float32(PLACE_SCALE)).astype(np.float32)
    matrix, held = cv2.findHomography(source, target, cv2.RANSAC, _TOLERANCE, maxIters=_TRIES)
    if matrix is None or held.sum() < _FEWEST_SPOTS or abs(np.linalg.det(matrix)) < 1e-3:
        return None
    return np.asarray(matrix, dtype=np.float64)
