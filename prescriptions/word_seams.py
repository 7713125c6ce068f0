"""Parts what an engine read as one word where both the ink and the text show a seam."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING

from prescriptions.box import Box

if TYPE_CHECKING:
    from collections.abc import Iterable

    from prescriptions.reading import ReadWord
    from prescriptions.segmentation import Segments

_NEAR = 1.5
"""Characters between where the gap is and where the text has its seam."""


def part_words(words: Iterable[ReadWord], segments: Segments) -> tuple[ReadWord, ...]:
    """Words of which none spans several words of the ink at a seam of its text.

    A gap alone parts nothing, for hands lift the pen within words; nor does a seam alone, for ``B12`` is one word. Both
    together do: ``TabAmoxil``, ``500mg1``, ``Syp.Napa``.

    Args:
        words: As a ``PageReader`` gives them.
        segments: Of the same picture.
    """
    pieces = [box for line in segments.words for box in line]
    return tuple(part for word in words for part in _parts(word, pieces))


def _parts(word: ReadWord, pieces: list[Box]) -> list[ReadWord]:
    inside = sorted((piece for piece in pieces if _within(piece, word.box)), key=lambda piece: piece.left)
    edges, cuts = [word.box.left], [0]
    for before, after in pairwise(inside):
        share = ((before.right + after.left) / 2 - word.box.left) / word.box.width
        seam = _seam_near(word.text, share * len(word.text))
        if seam is not None and seam > cuts[-1] and after.left > edges[-1]:
            edges.append(after.left)
            cuts.append(seam)
    if len(cuts) == 1:
        return [word]
    ends = [*edges[1:], word.box.right]
    texts = [word.text[first:last] for first, last in pairwise([*cuts, len(word.text)])]
    return [
        replace(word, text=text, box=Box(left, word.box.top, _ink_end(inside, left, end), word.box.bottom))
        for text, left, end in zip(texts, edges, ends, strict=True)
    ]


def _within(piece: Box, box: Box) -> bool:
    common = min(piece.bottom, box.bottom) - max(piece.top, box.top)
    return box.left <= (piece.left + piece.right) / 2 < box.right and 2 * common >= min(piece.height, box.height)


def _ink_end(inside: list[Box], left: int, end: int) -> int:
    return max((min(piece.right, end) for piece in inside if left <= piece.left < end), default=end)


def _seam_near(text: str, place: float) -> int | None:
    seams = [index for index in range(1, len(text)) if _is_seam(text[index - 1], text[index])]
    near = [index for index in seams if abs(index - place) <= _NEAR]
    return min(near, key=lambda index: abs(index - place), default=None)


def _is_seam(before: str, after: str) -> bool:
    if before.islower() and after.isupper():
        return True
    if before.isalpha() and after.isdigit():
        return True
    if before.isdigit() and after.isalpha():
        return True
    return before in ".,:;)" and after.isalpha()
