"""The symbols a recogniser writes, and how a label becomes their indices."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from protocol.errors import LearningError

BLANK = 0
"""Index of the CTC blank; symbol ``i`` of the alphabet has index ``i + 1``."""


@dataclass(frozen=True, slots=True)
class Alphabet:
    """An ordered set of characters with a CTC blank before them."""

    characters: str
    """Distinct characters, in the order of the prediction layer's rows 1, 2, …"""
    _index: dict[str, int] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        index = {character: position + 1 for position, character in enumerate(self.characters)}
        if len(index) != len(self.characters):
            raise LearningError("an alphabet holds a character twice")
        object.__setattr__(self, "_index", index)

    @property
    def size(self) -> int:
        """Number of classes of the prediction layer: the characters and the blank."""
        return len(self.characters) + 1

    def encode(self, text: str) -> tuple[int, ...]:
        """Indices of a label, each in 1 … size - 1.

        Raises:
            LearningError: The label is empty, or has a character that the recogniser cannot write.
        """
        if not text:
            raise LearningError("a label is empty", hint="review the word again, or leave it out of training")
        for character in text:
            if character not in self._index:
                raise LearningError(
                    f"the recogniser cannot write {character!r} (U+{ord(character):04X})",
                    hint="review the word again: its label must use the alphabet of the backbone",
                )
        return tuple(self._index[character] for character in text)

    def spell(self, text: str) -> str:
        """The nearest text that the alphabet can write: accents are dropped, then whatever it still does not know."""
        folded = unicodedata.normalize("NFKD", text)
        return "".join(character for character in folded if character in self._index)

    def decode_greedy(self, best: npt.NDArray[np.integer] | Sequence[int]) -> str:
        """Collapses repeats and drops blanks of a best path, [frames] of class indices."""
        written: list[str] = []
        previous = BLANK
        for index in best:
            if index not in (previous, BLANK):
                written.append(self.characters[int(index) - 1])
            previous = int(index)
        return "".join(written)


LATIN = Alphabet("0123456789!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~ €ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")
"""The 96 characters of EasyOCR's ``english_g2``, in its order."""
