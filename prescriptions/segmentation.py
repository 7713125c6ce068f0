"""Lines and words as the ink alone shows them, without reading: connected components, bands of rows, gaps.

A second opinion beside the engine's boxes: it parts words that an engine glued together, and finds writing that a
text layer does not mention.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np

from prescriptions.box import Box, around
from prescriptions.word_split import ink_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

_FEWEST_PIXELS = 6
_RULE_SHARE = 0.25
"""Of the picture's side: a thin thing longer than this is a rule or a frame."""
_TALLEST = 5.0
"""Of the usual height of a letter: higher things are logos, brackets and stains."""
_GAP_RANGE = (0.26, 0.4, 0.58)
"""Of a letter's height: between words at least the first, within a word at most the last; usual the one between."""


@dataclass(frozen=True, slots=True)
class Segments:
    """What of a page is text, in pixels of the prepared page."""

    lines: tuple[Box, ...]
    """From top to bottom."""
    words: tuple[tuple[Box, ...], ...]
    """Of each line, from left to right."""


def segment(grey: NDArray[np.uint8]) -> Segments:
    """The lines and words of a prepared page.

    Args:
        grey: uint8, shape [height, width], dark ink on even paper, lines level.
    """
    parts = _components(ink_of(grey))
    if not len(parts):
        return Segments((), ())
    letter = _letter_height(parts)
    parts = parts[parts[:, 3] - parts[:, 1] <= _TALLEST * letter]
    lines = [_words(members) for members in _lines(parts, letter)]
    found = [words for words in lines if any(word.height >= 0.5 * letter for word in words)]
    found.sort(key=lambda words: around(words).middle)
    return Segments(tuple(around(words) for words in found), tuple(found))


def _components(ink: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Left, top, right, bottom of every connected piece of ink that may belong to a letter; int64 [pieces, 4]."""
    _, _, stats, _ = cv2.connectedComponentsWithStats(ink.astype(np.uint8), connectivity=8)
    left, top, width, height, area = (stats[1:, column].astype(np.int64) for column in range(5))
    long_side, short_side = np.maximum(width, height), np.minimum(width, height)
    rule = (long_side > _RULE_SHARE * max(ink.shape)) & ((short_side < 0.1 * long_side) | (area < 0.1 * width * height))
    boxes = np.stack([left, top, left + width, top + height], axis=1)
    return np.asarray(boxes[(area >= _FEWEST_PIXELS) & ~rule], np.int64)


def _letter_height(parts: NDArray[np.int64]) -> float:
    """The usual height, weighted by width so that dots and commas do not count for much."""
    heights = parts[:, 3] - parts[:, 1]
    order = np.argsort(heights)
    reached = np.cumsum((parts[:, 2] - parts[:, 0])[order])
    return float(max(4, heights[order[int(np.searchsorted(reached, reached[-1] / 2))]]))


def _lines(parts: NDArray[np.int64], letter: float) -> list[NDArray[np.int64]]:
    """Pieces by line: bands of rows in which the middles of letters lie; small pieces go to the nearest band."""
    heights = parts[:, 3] - parts[:, 1]
    main = parts[heights >= 0.45 * letter]
    if not len(main):
        return []
    profile = np.zeros(int(parts[:, 3].max()) + 1)
    for left, top, right, bottom in main.tolist():
        core = 0.3 * (bottom - top)
        profile[int(top + core) : max(int(top + core) + 1, int(bottom - core))] += right - left
    bands = _bands(profile, letter)
    middles = np.array([(first + last) / 2 for first, last in bands])
    own = np.abs((parts[:, 1] + parts[:, 3])[:, None] / 2 - middles[None, :]).argmin(axis=1)
    return [parts[own == number] for number in range(len(bands)) if (own == number).any()]


def _bands(profile: NDArray[np.float64], letter: float) -> list[tuple[int, int]]:
    """Stretches of rows with ink; one much higher than a letter is cut at its emptiest row."""
    filled = np.concatenate([[False], profile > 0, [False]])
    edges = np.flatnonzero(filled[1:] != filled[:-1])
    waiting = list(zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True))
    bands = []
    while waiting:
        first, last = waiting.pop()
        margin = max(1, int(0.5 * letter))
        inner = profile[first + margin : last - margin]
        if last - first > 1.8 * letter and inner.size and inner.min() < 0.25 * profile[first:last].max():
            cut = first + margin + int(inner.argmin())
            waiting += [(first, cut), (cut, last)]
        else:
            bands.append((first, last))
    return sorted(bands)


def _words(parts: NDArray[np.int64]) -> tuple[Box, ...]:
    """The words of one line, cut at gaps that are wide for this line."""
    letter = _letter_height(parts)
    ordered = parts[np.argsort(parts[:, 0])]
    reach = np.maximum.accumulate(ordered[:, 2])
    gaps = ordered[1:, 0] - reach[:-1]
    cuts = np.flatnonzero(gaps >= _parting_gap(gaps, letter)) + 1
    return tuple(_box(group) for group in np.split(ordered, cuts))


def _parting_gap(gaps: NDArray[np.int64], letter: float) -> float:
    """The gap that parts words: in the widest jump between the line's gaps, as far as hands and type vary."""
    low, usual, high = (share * letter for share in _GAP_RANGE)
    ordered = np.sort(gaps[gaps > 0]).astype(np.float64)
    middles, jumps = (ordered[1:] + ordered[:-1]) / 2, np.diff(ordered)
    likely = (middles >= low) & (middles <= high)
    return float(middles[likely][int(jumps[likely].argmax())]) if likely.any() else usual


def _box(parts: NDArray[np.int64]) -> Box:
    left, top = parts[:, :2].min(axis=0).tolist()
    right, bottom = parts[:, 2:].max(axis=0).tolist()
    return Box(left, top, right, bottom)
