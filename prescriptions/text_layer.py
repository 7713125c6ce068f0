"""The text layer of a PDF page: words without reading, where the picture bears them out.

A layer is only what the file claims, and the file may come from anyone: what a person sees on the page counts. So the
layer is believed when every word of it has ink beneath, no two lie on each other, and the engine, which reads just the
lines with medicines and whatever the layer does not mention, finds the same medicines and figures there and no others.
In every other case the page is read as a picture, as if there were no layer.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING

import numpy as np
from rapidfuzz.distance import Levenshtein

from prescriptions.box import Box, around
from prescriptions.understand import understand
from prescriptions.word_split import ReadLine, ink_of, words_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from prescriptions.lexicon import Lexicon
    from prescriptions.page import Page
    from prescriptions.preprocess import PreparedPage
    from prescriptions.reading import PageReader, ReadWord
    from prescriptions.segmentation import Segments

_FEWEST_WORDS = 5
_WITNESS_LINES = 3
_MOST_UNMENTIONED = 0.3
"""Of the words of the ink: with more the layer is a letterhead around a picture."""
_SAME_NAME, _SAME_LINE = 0.85, 0.75
_OVERLAP = 0.3
_MARGIN, _PAPER = 8, 245
_LOOKALIKES = str.maketrans({"0": "o", "1": "l", "i": "l", "5": "s", "8": "b", "|": "l"})


@dataclass(frozen=True, slots=True)
class _Strip:
    """A line cut out to be read again."""

    box: Box
    said: str
    """What the layer says there; empty where it says nothing."""
    names: tuple[str, ...]
    """Its medicine words."""


def believed_layer(
    page: Page, prepared: PreparedPage, segments: Segments, reader: PageReader, lexicon: Lexicon
) -> tuple[ReadWord, ...]:
    """The words of a page's text layer in prepared pixels, confidence 1; empty where it is not believed.

    Args:
        page: With its layer.
        prepared: The page as it would be read.
        segments: Of the prepared page.
        reader: Reads the strips that bear the layer out: one small picture.
        lexicon: Tells which lines hold medicines.

    Raises:
        PrescriptionError: The reader failed.
    """
    ink = ink_of(prepared.grey)
    words = _layer_words(page, prepared, ink)
    if len(words) < _FEWEST_WORDS or not _visible(words, ink):
        return ()
    pieces = [piece for line in segments.words for piece in line]
    unmentioned = [piece for piece in pieces if not any(_mentions(word.box, piece) for word in words)]
    if len(unmentioned) > _MOST_UNMENTIONED * len(pieces):
        return ()
    strips = _strips(words, lexicon) + _silent_strips(unmentioned, segments)
    return words if _borne_out(strips, prepared.grey, reader, lexicon) else ()


def _layer_words(page: Page, prepared: PreparedPage, ink: NDArray[np.bool_]) -> tuple[ReadWord, ...]:
    from_page = np.asarray(np.linalg.inv(prepared.to_page), np.float64)
    height, width = prepared.grey.shape
    return words_of(
        [ReadLine(word.text, word.box.moved(from_page, width, height), (), (1.0,)) for word in page.layer], ink
    )


def _visible(words: Sequence[ReadWord], ink: NDArray[np.bool_]) -> bool:
    for _, row in groupby(words, key=lambda word: word.line):
        line = list(row)
        if any(one.box.overlap(other.box) > _OVERLAP for i, one in enumerate(line) for other in line[:i]):
            return False
    return all(ink[w.box.top : w.box.bottom, w.box.left : w.box.right].any() for w in words)


def _mentions(box: Box, piece: Box) -> bool:
    across, down = (piece.left + piece.right) / 2, piece.middle
    slack = max(4, box.height // 2)
    return box.left - slack <= across <= box.right + slack and box.top - slack <= down <= box.bottom + slack


def _strips(words: Sequence[ReadWord], lexicon: Lexicon) -> list[_Strip]:
    """The lines with medicines, and the longest others until there are three."""
    names: dict[int, list[str]] = {}
    for line in understand(words, lexicon).lines:
        word = words[line.word_index]
        names.setdefault(word.line, []).append(word.text)
    rows = {number: list(row) for number, row in groupby(words, key=lambda word: word.line)}
    longest = sorted(rows, key=lambda number: (number not in names, -sum(len(word.text) for word in rows[number])))
    chosen = longest[: max(len(names), _WITNESS_LINES)]
    return [
        _Strip(
            around(word.box for word in rows[number]),
            " ".join(word.text for word in rows[number]),
            tuple(names.get(number, ())),
        )
        for number in chosen
    ]


def _silent_strips(unmentioned: Sequence[Box], segments: Segments) -> list[_Strip]:
    found = []
    for words in segments.words:
        silent = [piece for piece in words if piece in unmentioned]
        if silent:
            found.append(_Strip(around(silent), "", ()))
    return found


def _borne_out(strips: Sequence[_Strip], grey: NDArray[np.uint8], reader: PageReader, lexicon: Lexicon) -> bool:
    picture, tops = _collage(strips, grey)
    words = reader.read(picture)
    for number, strip in enumerate(strips):
        there = [word for word in words if tops[number] <= word.box.middle < tops[number + 1]]
        if strip.said:
            if not _agree(strip, [word.text for word in there]):
                return False
        elif understand(there, lexicon).lines:
            return False
    return True


def _collage(strips: Sequence[_Strip], grey: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], list[int]]:
    """The strips one below the other on paper, and where each begins; one more entry for the end."""
    height, width = grey.shape
    boxes = [strip.box.grown(_MARGIN, width, height) for strip in strips]
    tops = [0]
    for box in boxes:
        tops.append(tops[-1] + box.height + 2 * _MARGIN)
    picture = np.full((tops[-1], max(box.width for box in boxes) + 2 * _MARGIN), _PAPER, np.uint8)
    for box, top in zip(boxes, tops, strict=False):
        cut = grey[box.top : box.bottom, box.left : box.right]
        picture[top + _MARGIN : top + _MARGIN + box.height, _MARGIN : _MARGIN + box.width] = cut
    return picture, tops


def _agree(strip: _Strip, read: Sequence[str]) -> bool:
    """The same line, the same figures in it, and each medicine by nearly the same letters."""
    text = " ".join(read)
    if Levenshtein.normalized_similarity(_folded(strip.said), _folded(text)) < _SAME_LINE:
        return False
    if re.findall(r"\d", strip.said) != re.findall(r"\d", text):
        return False
    joined = [_folded(a + b) for a, b in zip(read, [*read[1:], ""], strict=True)] + [_folded(word) for word in read]
    return all(
        max((Levenshtein.normalized_similarity(_folded(name), word) for word in joined), default=0.0) >= _SAME_NAME
        for name in strip.names
    )


def _folded(text: str) -> str:
    return "".join(character for character in text.casefold().translate(_LOOKALIKES) if character.isalnum())
