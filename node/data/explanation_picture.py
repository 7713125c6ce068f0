"""The picture of an explanation: the word, a band and a letter for each place the model looked at, and near names."""

from __future__ import annotations

from io import BytesIO
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from prescriptions.inspection_drawing import DESK, FAINT, INK, MODEL, SOFT, WARNING, WARNING_PAPER, Pen, tint

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from node.data.explanation import Explanation, SeenLetter, SeenSpelling
    from prescriptions.inspection_drawing import Colour

_WIDTH = 640
_INNER = 584
_LEFT = (_WIDTH - _INNER) // 2
_TITLE = 84
_LETTERS = 58
_MAX_CROP_HEIGHT = 170
_MAX_SCALE = 6.0
_SHARES = 40
_NEAR_HEADING = 46
_NEAR = 98
_FOOT = 82
_EVEN: Colour = (10, 101, 112)
_WEAK_BELOW = 0.5
_LETTER_CELL = 50.0
"""Pixels that a letter with its percentage wants; long words get less and smaller type."""
_TERRITORY, _SEEN = 0.13, 0.42
"""How strongly a band colours the paper: up to its neighbours, and where the letter was seen."""


def explanation_png(explanations: Sequence[tuple[str, Explanation]]) -> bytes:
    """One PNG, 640 pixels wide, with a card for each word, from top to bottom.

    Args:
        explanations: Each with where its word stands, such as ``page 1, medicine 2``; may be empty text.
    """
    cards = [_card(where, explanation) for where, explanation in explanations]
    height = sum(card.height for card in cards) + 16 * max(0, len(cards) - 1)
    sheet = Image.new("RGB", (_WIDTH, max(1, height)), DESK)
    top = 0
    for card in cards:
        sheet.paste(card, (0, top))
        top += card.height + 16
    stream = BytesIO()
    sheet.save(stream, "PNG")
    return stream.getvalue()


def _card(where: str, explanation: Explanation) -> Image.Image:
    rows, columns = explanation.crop.shape
    scale = min(_INNER / columns, _MAX_CROP_HEIGHT / rows, _MAX_SCALE)
    width, height = max(1, round(columns * scale)), max(1, round(rows * scale))
    near = len(explanation.others)
    total = _TITLE + _LETTERS + height + _SHARES + (_NEAR_HEADING + near * _NEAR if near else 0) + _FOOT
    card = Image.new("RGB", (_WIDTH, total), DESK)
    pen = Pen.on(card)
    pen.panel((0, 0, _WIDTH - 1, total - 1))
    _title(pen, where, explanation)
    left = _LEFT + (_INNER - width) // 2
    top = _TITLE + _LETTERS
    first = explanation.first.letters
    colours = [_colour(position, seen) for position, seen in enumerate(first)]
    word = np.asarray(Image.fromarray(explanation.crop).resize((width, height), Image.Resampling.LANCZOS))
    card.paste(Image.fromarray(_banded(word, first, colours, scale)), (left, top))
    pen.draw.rectangle((left - 1, top - 1, left + width, top + height), outline=FAINT)
    middles = [left + (seen.left + seen.right) / 2 * scale for seen in first]
    _first_letters(pen, first, colours, middles, (top, top + height))
    top += height + _SHARES
    if near:
        pen.text((_LEFT, top + 8), "Next to it" if explanation.claimed else "Nearest names", 19, SOFT)
        top += _NEAR_HEADING
    for other in explanation.others:
        _near_name(pen, other, [left + (seen.left + seen.right) / 2 * scale for seen in other.letters], top)
        top += _NEAR
    _legend(pen, total - _FOOT + 16, near=bool(near))
    return card


def _title(pen: Pen, where: str, explanation: Explanation) -> None:
    pen.text_to(_LEFT + _INNER, 26, where, 18)
    if explanation.claimed:
        after = pen.text((_LEFT, 20), pen.fitted(explanation.first.name, 34, _INNER - 300), 34, INK, bold=True)
        pen.text((_LEFT + after + 16, 32), f"{explanation.first.share:.0%} sure", 22, SOFT)
        return
    pen.text((_LEFT, 24), "Cannot tell: a person must read it", 26, WARNING, bold=True)
    seen = "".join(letter.letter for letter in explanation.first.letters)
    text = f"letters as the model saw them: “{seen}”" if seen else "the model saw no letter"
    pen.text((_LEFT, 58), pen.fitted(text, 19, _INNER), 19, SOFT)


def _first_letters(
    pen: Pen, letters: Sequence[SeenLetter], colours: Sequence[Colour], middles: Sequence[float], rows: tuple[int, int]
) -> None:
    """The letters above the word and their probabilities below, each tied to its band."""
    top, bottom = rows
    cell, places = _spread(middles)
    for seen, colour, middle, place in zip(letters, colours, middles, places, strict=True):
        pen.draw.line((place, top - 12, middle, top - 1), fill=colour, width=2)
        pen.draw.line((middle, bottom + 1, place, bottom + 11), fill=colour, width=2)
        _centred(pen, place, top - 52, _shown(seen), _size(cell, 32), colour, bold=True)
        _centred(pen, place, bottom + 13, f"{seen.probability:.0%}", _size(cell, 18), colour)


def _near_name(pen: Pen, other: SeenSpelling, middles: Sequence[float], top: int) -> None:
    """A near name: its letters where they would stand, those that differ from the first spelling marked."""
    pen.draw.line((_LEFT, top, _LEFT + _INNER, top), fill=FAINT)
    after = pen.text((_LEFT, top + 9), pen.fitted(other.name, 20, _INNER - 120), 20, INK, bold=True)
    pen.text((_LEFT + after + 12, top + 11), _share(other.share), 18, SOFT)
    cell, places = _spread(middles)
    size = _size(cell, 26)
    for seen, place in zip(other.letters, places, strict=True):
        if not seen.differs:
            _centred(pen, place, top + 40, _shown(seen), size, SOFT)
            continue
        half = max(pen.width(seen.letter, size), size * 0.6) / 2 + 5
        box = (place - half, top + 37, place + half, top + 72)
        pen.draw.rounded_rectangle(box, radius=6, fill=WARNING_PAPER, outline=WARNING)
        _centred(pen, place, top + 40, _shown(seen), size, WARNING, bold=True)
        if seen.letter:
            _centred(pen, place, top + 74, f"{seen.probability:.0%}", _size(cell, 17), WARNING)


def _legend(pen: Pen, top: int, *, near: bool) -> None:
    pen.draw.line((_LEFT, top - 8, _LEFT + _INNER, top - 8), fill=FAINT)
    rows = [[(tint(_EVEN, _SEEN), "seen here"), (tint(_EVEN, _TERRITORY), "up to its neighbours")]]
    rows += [[(tint(WARNING, _SEEN), "less than half sure")]]
    if near:
        rows[1].append((WARNING_PAPER, "another letter, or - for none"))
    for row, items in enumerate(rows):
        for column, (colour, text) in enumerate(items):
            across, down = _LEFT + column * _INNER // 2, top + 4 + 27 * row
            edge = WARNING if colour == WARNING_PAPER else FAINT
            pen.draw.rounded_rectangle((across, down, across + 18, down + 18), radius=4, fill=colour, outline=edge)
            pen.text((across + 27, down - 1), text, 17, SOFT)


def _shown(seen: SeenLetter) -> str:
    """The letter as it is drawn: a gap and a space have no ink of their own."""
    return {"": "-", " ": "·"}.get(seen.letter, seen.letter)


def _share(share: float) -> str:
    return f"{share:.0%}" if share >= 0.005 else "under 1%"


def _banded(
    word: NDArray[np.uint8], letters: Sequence[SeenLetter], colours: Sequence[Colour], scale: float
) -> NDArray[np.uint8]:
    """The enlarged word with its paper coloured and its ink left dark."""
    paper = np.full((word.shape[1], 3), 255.0)
    cuts = [(before.right + after.left) / 2 for before, after in pairwise(letters)]
    for seen, colour, begin, end in zip(
        letters, colours, [_outer(letters[:1], -1), *cuts], [*cuts, _outer(letters[-1:], 1)], strict=False
    ):
        paper[_pixel(begin, scale) : _pixel(end, scale)] = tint(colour, _TERRITORY)
        paper[_pixel(seen.left, scale) : _pixel(seen.right, scale)] = tint(colour, _SEEN)
    return (word[:, :, None] * (paper / 255.0)).round().astype(np.uint8)


def _outer(letters: Sequence[SeenLetter], side: int) -> float:
    """Where the outermost letter's ground ends: as far outwards as the letter is wide, at least four columns."""
    if not letters:
        return 0.0
    (seen,) = letters
    reach = max(4.0, seen.right - seen.left)
    return seen.left - reach if side < 0 else seen.right + reach


def _pixel(column: float, scale: float) -> int:
    return max(0, round(column * scale))


def _colour(position: int, seen: SeenLetter) -> Colour:
    if seen.probability < _WEAK_BELOW:
        return WARNING
    return MODEL if position % 2 else _EVEN


def _spread(middles: Sequence[float]) -> tuple[float, list[float]]:
    """Moves what stands too close apart, each group about its middle; gives the pixels between and the places."""
    cell = min(_LETTER_CELL, _INNER / max(1, len(middles)))
    groups: list[tuple[float, int]] = []
    for position, middle in enumerate(middles):
        total, count = middle - position * cell, 1
        while groups and groups[-1][0] / groups[-1][1] > total / count:
            before, members = groups.pop()
            total, count = total + before, count + members
        groups.append((total, count))
    least = _LEFT + cell / 2
    most = _LEFT + _INNER + cell / 2 - len(middles) * cell
    starts = [min(max(total / count, least), most) for total, count in groups for _ in range(count)]
    return cell, [start + position * cell for position, start in enumerate(starts)]


def _size(cell: float, largest: int) -> int:
    return max(9, round(largest * cell / _LETTER_CELL))


def _centred(pen: Pen, middle: float, top: float, text: str, size: int, colour: Colour, *, bold: bool = False) -> None:
    pen.text((middle - pen.width(text, size) / 2, top), text, size, colour, bold=bold)
