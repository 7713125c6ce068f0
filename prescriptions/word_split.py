"""Lines of text become words with boxes tight around their ink.

An engine knows what a line says and roughly where each character is; the gaps between words are seen better in the
ink itself. So a boundary lies in the widest blank gap between the last character of one word and the first of the next.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np

from prescriptions.box import Box
from prescriptions.reading import ReadWord

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

_DARKEST_PAPER = 190
_STUCK = re.compile(
    r"(?<=\A\d[.)])(?=[^\W\d])"  # 1.Tab
    r"|(?<=\A\d\d[.)])(?=[^\W\d])"
    r"|(?i:(?<=\btab[.:,])|(?<=\bcap[.:,])|(?<=\bsyp[.:,])|(?<=\bsyr[.:,])|(?<=\binj[.:,])|(?<=\boint[.:,]))(?=[^\W\d])"
    r"|(?<=[^\W\d_]{4})(?=\d)"  # Amoxil500mg
    r"|(?<=\d(?:mg|ml))(?=\d\s*[+\-])"  # 5mg1+0+1
)


@dataclass(frozen=True, slots=True)
class ReadLine:
    """A line, or part of one, as an engine gives it."""

    text: str
    """May hold spaces."""
    box: Box
    """Around the whole text, with some paper."""
    centres: tuple[float, ...]
    """x of every character that is no space, ascending; empty where the engine does not say."""
    confidences: tuple[float, ...]
    """0 to 1, one for every character that is no space; or one for all."""


def ink_of(grey: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Where there is ink: darker than Otsu's threshold, and never brighter than a grey of 190."""
    threshold, _ = cv2.threshold(grey, 0, 255, cv2.THRESH_BINARY + cv2.THRESH_OTSU)
    return np.asarray(grey <= min(threshold, _DARKEST_PAPER))


def words_of(lines: Sequence[ReadLine], ink: NDArray[np.bool_]) -> tuple[ReadWord, ...]:
    """Every word of every line, numbered from top to bottom and ordered from left to right."""
    words = []
    for number, parts in enumerate(_same_height(lines)):
        found = [word for part in parts for word in split_line(part, ink, number)]
        words += sorted(found, key=lambda word: word.box.left)
    return tuple(words)


def split_line(line: ReadLine, ink: NDArray[np.bool_], number: int) -> tuple[ReadWord, ...]:
    """The words of one line; a word without any ink keeps the line's height and its share of the width."""
    tokens = _tokens(line.text)
    count = sum(len(token) for token in tokens)
    if count == 0:
        return ()
    known = len(line.centres) == count
    centres = line.centres if known else _even_centres(line)
    slack = 0.0 if known else 1.5 * line.box.width / max(1, len(line.text))
    columns = ink[line.box.top : line.box.bottom].sum(axis=0)
    edges, first = [line.box.left], 0
    for token in tokens[:-1]:
        first += len(token)
        low, high = centres[first - 1] - slack, centres[first] + slack
        edges.append(max(edges[-1] + 1, _gap(columns, low, high)))
    edges.append(max(edges[-1] + 1, line.box.right))
    words, first = [], 0
    for token, left, right in zip(tokens, edges[:-1], edges[1:], strict=True):
        box = _tight(ink, Box(left, line.box.top, right, line.box.bottom))
        some = line.confidences[first : first + len(token)] or line.confidences[:1] or (0.0,)
        words.append(ReadWord(token, float(np.clip(np.mean(some), 0, 1)), box, number))
        first += len(token)
    return tuple(words)


def _tokens(text: str) -> list[str]:
    """The text's words; characters are folded one by one, so that their count stays that of the engine."""
    folded = "".join(
        plain if len(plain := unicodedata.normalize("NFKC", character)) == 1 else character for character in text
    )
    return [token for word in folded.split() for token in _STUCK.sub(" ", word).split()]


def _even_centres(line: ReadLine) -> tuple[float, ...]:
    step = line.box.width / max(1, len(line.text))
    places = (index for index, character in enumerate(line.text) if not character.isspace())
    return tuple(line.box.left + (index + 0.5) * step for index in places)


def _gap(columns: NDArray[np.int64], low: float, high: float) -> int:
    """The middle of the widest stretch of least ink between two characters' centres."""
    start = max(0, min(int(low), columns.size - 2))
    stop = max(start + 1, min(int(high) + 1, columns.size))
    window = columns[start:stop]
    blank = np.concatenate([[False], window <= window.min(), [False]])
    steps = np.flatnonzero(blank[1:] != blank[:-1])
    begins, ends = steps[::2], steps[1::2]
    widest = int(np.argmax(ends - begins))
    return start + int(begins[widest] + ends[widest] + 1) // 2


def _tight(ink: NDArray[np.bool_], box: Box) -> Box:
    """The box around the ink inside, without strokes that reach in from the lines above and below."""
    part = ink[box.top : box.bottom, box.left : box.right].astype(np.uint8)
    if not part.any():
        return box
    _, _, stats, centres = cv2.connectedComponentsWithStats(part, connectivity=8)
    height = part.shape[0]
    keep = []
    for left, top, width, high, area, (_, y) in zip(*stats[1:].T, centres[1:], strict=True):
        foreign = (top == 0 and y < height * 0.2) or (top + high == height and y > height * 0.85)
        if area >= 3 and not foreign:
            keep.append((left, top, left + width, top + high))
    if not keep:
        return box
    edges = np.array(keep)
    left, top = edges[:, :2].min(axis=0)
    right, bottom = edges[:, 2:].max(axis=0)
    return Box(box.left + int(left), box.top + int(top), box.left + int(right), box.top + int(bottom))


def _same_height(lines: Sequence[ReadLine]) -> list[list[ReadLine]]:
    """Parts that stand side by side, as lines from top to bottom."""
    rows: list[list[ReadLine]] = []
    for line in sorted(lines, key=lambda line: (line.box.middle, line.box.left)):
        fitting = [row for row in rows if _beside(row[-1].box, line.box)]
        if fitting:
            fitting[-1].append(line)
        else:
            rows.append([line])
    return [sorted(row, key=lambda line: line.box.left) for row in rows]


def _beside(one: Box, other: Box) -> bool:
    return abs(one.middle - other.middle) < 0.4 * min(one.height, other.height)
