"""The page without what nobody needs: white but for the medicines, their doses, the patient's name and the hospital.

The picture begins as blank paper, and only the boxes of words that are known to say something wanted are copied onto
it: what the reader overlooked, a signature or a stamp, is never copied. A word beside a medicine is wanted when it is
part of the shortest piece of text that says a value of the line, so a telephone number on the line stays behind.
"""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

import numpy as np

from prescriptions.as_needed import find_as_needed
from prescriptions.dose_form import guess_form, parse_form
from prescriptions.duration import find_duration_days
from prescriptions.frequency import find_frequency
from prescriptions.instructions import find_instructions
from prescriptions.letterhead import find_hospital, find_patient_name, is_private
from prescriptions.misread import repair_digits
from prescriptions.quantity import find_quantity
from prescriptions.route import find_route
from prescriptions.strength import find_strengths

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from numpy.typing import NDArray

    from prescriptions.reading import ReadWord
    from prescriptions.understand import MedicineLine, Prescription

    Says = Callable[[str], bool]
    """Whether a text says a certain value."""

PAPER = 255
_LONGEST_SAYING = 7
"""Words: ``1 + 0 + 1`` may be five."""
_MOST_DIGITS = 6
"""Of a word that speaks of a dose; a telephone number has more."""
_LINES_BELOW = 2
_MARGIN = 2


def redact(grey: NDArray[np.uint8], words: Sequence[ReadWord], prescription: Prescription) -> NDArray[np.uint8]:
    """The prepared page with paper in place of everything that is not kept; uint8, the shape of ``grey``, read-only.

    Args:
        grey: The page as it was read, shape [height, width].
        words: Every word, in pixels of ``grey``.
        prescription: What the words say; ``word_index`` of its lines counts in ``words``.
    """
    wanted = kept_words(words, prescription)
    height, width = grey.shape
    shown = np.zeros(grey.shape, np.bool_)
    for index in wanted:
        box = words[index].box.grown(_MARGIN, width, height)
        shown[box.top : box.bottom, box.left : box.right] = True
    for index, word in enumerate(words):
        if index not in wanted:
            shown[word.box.top : word.box.bottom, word.box.left : word.box.right] = False
    picture = np.where(shown, grey, np.uint8(PAPER))
    picture.flags.writeable = False
    return picture


def kept_words(words: Sequence[ReadWord], prescription: Prescription) -> frozenset[int]:
    """Indexes of the words that a redacted page shows.

    Args:
        words: By line and then from left to right.
        prescription: As ``understand`` made it of these words.
    """
    rows = [[index for index, _ in row] for _, row in groupby(enumerate(words), key=lambda item: item[1].line)]
    kept: set[int] = set()
    for line in prescription.lines:
        kept.add(line.word_index)
        for piece in _pieces(line.word_index, rows, words, {other.word_index for other in prescription.lines}):
            kept.update(_form_words(piece, line, words))
            for says in _values(line):
                kept.update(_shortest(piece, says, words))
    for row in rows:
        texts = [words[index].text for index in row]
        if prescription.hospital and find_hospital([texts]) == prescription.hospital:
            kept.update(_spelling(row, prescription.hospital, words))
        if prescription.patient_name and find_patient_name([texts]) == prescription.patient_name:
            kept.update(_spelling(row, prescription.patient_name, words))
    return frozenset(kept)


def _pieces(
    index: int, rows: Sequence[Sequence[int]], words: Sequence[ReadWord], named: set[int]
) -> Iterator[list[int]]:
    """The words that may speak of a medicine: behind its name, before it, and on the lines below."""
    number = next(number for number, row in enumerate(rows) if index in row)
    row = list(rows[number])
    place = row.index(index)
    others = [row.index(other) for other in named if other in row and other != index]
    end = min((other for other in others if other > place), default=len(row))
    begin = max((other + 1 for other in others if other < place), default=0)
    yield row[place + 1 : end]
    yield row[begin:place]
    for below in rows[number + 1 : number + 1 + _LINES_BELOW]:
        if named & set(below) or is_private([words[other].text for other in below]):
            return
        yield list(below)


def _values(line: MedicineLine) -> Iterator[Says]:
    strength, frequency, quantity = line.strength, line.frequency, line.quantity
    if strength is not None:
        yield lambda text: any(found.strength == strength for found in find_strengths(text))
    if frequency is not None:
        yield lambda text: (found := find_frequency(text)) is not None and found.frequency == frequency
    if line.duration_days is not None:
        yield lambda text: find_duration_days(text) == line.duration_days
    if quantity is not None:
        yield lambda text: find_quantity(text) == quantity
    if line.route is not None:
        yield lambda text: find_route(text) == line.route
    if line.as_needed:
        yield lambda text: find_as_needed(text) is not None
    yield from map(_instructs, line.instructions)


def _instructs(code: str) -> Says:
    return lambda text: code in find_instructions(text)


def _shortest(piece: Sequence[int], says: Says, words: Sequence[ReadWord]) -> Sequence[int]:
    """The first of the shortest runs of words that say it; empty when none does."""
    for count in range(1, min(_LONGEST_SAYING, len(piece)) + 1):
        for first in range(len(piece) - count + 1):
            run = piece[first : first + count]
            texts = [words[index].text for index in run]
            if all(map(_may_be_dose, texts)) and says(repair_digits(" ".join(texts))):
                return run
    return ()


def _may_be_dose(text: str) -> bool:
    return sum(character.isdigit() for character in text) <= _MOST_DIGITS and "@" not in text


def _form_words(piece: Sequence[int], line: MedicineLine, words: Sequence[ReadWord]) -> Iterator[int]:
    for index in piece:
        text = words[index].text
        if line.form is not None and line.form in {parse_form(text), guess_form(text)}:
            yield index


def _spelling(row: Sequence[int], text: str, words: Sequence[ReadWord]) -> Iterator[int]:
    """The words of a row that spell a text, in its order; a label before them is left behind."""
    wanted = [_plain(part) for part in text.split()]
    for index in row:
        if wanted and _plain(words[index].text.rpartition(":")[2]) == wanted[0]:
            del wanted[0]
            yield index


def _plain(text: str) -> str:
    return text.strip(" .,:;-").casefold()
