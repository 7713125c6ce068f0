"""Where the model saw each letter of a reading, and where the names that it came near to differ.

The letters are placed by the most probable CTC alignment. A frame sees its neighbours too, so a band says where the
model decided for a letter, to within about a letter's width: never where its ink ends.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from rapidfuzz.distance import Levenshtein

from learning.alignment import align, frame_columns
from learning.recogniser import log_probability_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from learning.alphabet import Alphabet
    from learning.lexicon_index import LexiconIndex
    from learning.recogniser import Reading
    from node.data.model_reader import ModelReader

_OTHERS = 3
_NEAR_SHARE = 0.005


@dataclass(frozen=True, slots=True)
class SeenLetter:
    """One letter and where it was seen."""

    letter: str
    """Empty where the spelling that is shown first has a letter and this one has none."""
    left: float
    """Left edge in columns of the crop."""
    right: float
    """Right edge; the same as ``left`` where the letter was seen behind the crop's end, on no ink at all."""
    probability: float
    """Of the letter in its frames, 0 to 1; 0 for an empty one."""
    differs: bool = False
    """Whether the spelling that is shown first has another letter here, or none."""


@dataclass(frozen=True, slots=True)
class SeenSpelling:
    """One spelling, placed on the crop."""

    name: str
    """Of the lexicon; empty where it is the letters as they were read, free of any lexicon."""
    share: float
    """Of the name among all names and "none of these", 0 to 1."""
    letters: tuple[SeenLetter, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Explanation:
    """One reading, letter by letter."""

    crop: NDArray[np.uint8]
    """Grey, uint8 [rows, columns]."""
    first: SeenSpelling
    """The name that the model claims; the letters that it read when it claims none."""
    others: tuple[SeenSpelling, ...]
    """The best of the other names, and what else came near to it, best first."""

    @property
    def claimed(self) -> bool:
        """Whether the model claims a name."""
        return bool(self.first.name)

    @property
    def sentence(self) -> str:
        """What the picture shows, for somebody who cannot see it."""
        letters = ", ".join(f"{seen.letter} {seen.probability:.0%}" for seen in self.first.letters)
        what = f"{self.first.name}, {self.first.share:.0%} sure" if self.claimed else "No name is sure enough"
        return f"{what}. Letters from left to right: {letters or 'none was seen'}."


def read_and_explain(model: ModelReader, crops: Sequence[NDArray[np.uint8]]) -> list[tuple[Reading, Explanation]]:
    """Does what ``ModelReader.read`` does, and explains each reading.

    Args:
        model: The reader.
        crops: uint8 [rows, columns] each.
    """
    if not crops:
        return []
    recogniser, backbone = model.recogniser, model.recogniser.backbone
    found = []
    for crop, log_probs in zip(crops, recogniser.frame_log_probs(backbone.front_features(crops)), strict=True):
        reading = recogniser.read_frames(log_probs, model.names, threshold=model.threshold)
        explanation = explain(reading, log_probs, crop, model.names, backbone.alphabet, backbone.input_shape)
        found.append((reading, explanation))
    return found


def explain(
    reading: Reading,
    log_probs: NDArray[np.float32],
    crop: NDArray[np.uint8],
    names: LexiconIndex,
    alphabet: Alphabet,
    input_shape: tuple[int, int],
) -> Explanation:
    """Places a reading's letters on its crop.

    Args:
        reading: Of this crop.
        log_probs: float32 [frames, symbols] of this crop, from which the reading was made.
        crop: uint8 [rows, columns].
        names: What the reading was chosen from.
        alphabet: Of the backbone.
        input_shape: Rows and columns that the backbone looks at.
    """
    rows, columns = crop.shape
    edges = frame_columns(len(log_probs), (rows, columns), *input_shape)

    def placed(spelling: str) -> tuple[SeenLetter, ...]:
        if not spelling:
            return ()
        found = align(alphabet.encode(spelling), log_probs)
        return tuple(
            SeenLetter(letter, float(edges[at.first, 0]), float(edges[at.last, 1]), at.probability)
            for letter, at in zip(spelling, found, strict=True)
        )

    def named(name: str, share: float) -> SeenSpelling:
        return SeenSpelling(name, share, placed(_spelling_of(name, log_probs, names, alphabet)))

    claimed = int(reading.name is not None)
    first = named(*reading.candidates[0]) if claimed else SeenSpelling("", 0.0, placed(reading.text))
    near = [
        named(name, share)
        for place, (name, share) in enumerate(reading.candidates[claimed : claimed + _OTHERS])
        if place == 0 or share >= _NEAR_SHARE
    ]
    return Explanation(crop, first, tuple(_compared(other, first) for other in near))


def _spelling_of(name: str, log_probs: NDArray[np.float32], names: LexiconIndex, alphabet: Alphabet) -> str:
    """Of a name's spellings and synonyms the one that the frames say most."""
    forms = [form for entry in names.entries if entry.name == name for form in entry.spellings()]
    spellings = [spelling for spelling in dict.fromkeys(map(alphabet.spell, forms)) if spelling]
    scores = log_probability_of([alphabet.encode(spelling) for spelling in spellings], log_probs)
    return max(zip(spellings, scores, strict=True), key=lambda pair: pair[1] / len(pair[0]))[0]


def _compared(other: SeenSpelling, first: SeenSpelling) -> SeenSpelling:
    """The spelling with what differs from the first one marked; case says nothing."""
    ours, theirs = ("".join(seen.letter for seen in spelling.letters).lower() for spelling in (first, other))
    letters: list[SeenLetter] = []
    for step in Levenshtein.opcodes(ours, theirs):
        if step.tag == "delete":
            gaps = first.letters[step.src_start : step.src_end]
            letters += [replace(seen, letter="", probability=0.0, differs=True) for seen in gaps]
        own = other.letters[step.dest_start : step.dest_end]
        letters += [replace(seen, differs=step.tag != "equal") for seen in own]
    return SeenSpelling(other.name, other.share, tuple(letters))
