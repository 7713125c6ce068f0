"""Which word of a line names a medicine, and which part of the line speaks of it."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from prescriptions.dose_form import guess_form, parse_form
from prescriptions.lexicon import fold_word
from prescriptions.misread import repair_digits
from prescriptions.strength import find_strengths

if TYPE_CHECKING:
    from collections.abc import Sequence

    from prescriptions.lexicon import Lexicon, NameMatch
    from prescriptions.reading import ReadWord

NEAR = 0.6
"""Similarity from which on a word is taken to mean a name of the lexicon."""

_CANDIDATES = 5
_CLEARLY_NAMED = 0.84
_NAMED_BESIDE_A_DOSE = 0.5
_NO_MEDICINE = frozenset(
    {"days", "week", "weeks", "month", "months", "daily", "twice", "thrice", "once", "morning", "noon", "night",
     "before", "after", "meal", "meals", "food", "water", "with", "take", "apply", "times", "hours", "hour", "every",
     "rest", "avoid", "drink", "continue", "tablet", "capsule", "syrup", "name", "patient", "doctor", "hospital",
     "clinic", "follow", "from", "this", "that", "have", "page", "general", "medicine", "centre", "center", "road",
     "street", "bedtime", "needed", "required", "alternate", "weekly", "hourly", "orally", "disp", "dispense", "strips",
     "strip", "bottle", "empty", "stomach", "breakfast", "lunch", "dinner", "review", "advice",
     "both", "each", "left", "right", "eyes", "nostril", "three", "four", "five", "thinly", "sparingly"}
)  # fmt: skip
_COUNT_WORDS = frozenset({"one", "two", "three", "four", "half"})


@dataclass(frozen=True, slots=True)
class Segment:
    """The part of a line that speaks of one medicine."""

    words: tuple[tuple[int, ReadWord], ...]
    """Each with its index among the page's words; never empty."""

    def text_from(self, position: int) -> str:
        """The text from a position of ``words`` on."""
        return " ".join(word.text for _, word in self.words[position:])

    def text_before(self, position: int) -> str:
        """The text before a position of ``words``."""
        return " ".join(word.text for _, word in self.words[:position])

    def form_near(self, position: int) -> str | None:
        """The dose form next to the name at ``position``: what leads it wins over what follows it."""
        before = [word.text for _, word in reversed(self.words[:position])]
        after = [word.text for _, word in self.words[position + 1 :]]
        written = next((form for text in before + after if (form := parse_form(text)) is not None), None)
        return written or (guess_form(before[0]) if before else None)


def segments_of(row: list[tuple[int, ReadWord]]) -> list[Segment]:
    """Cuts a line before every form that leads a word, so that two medicines side by side are two."""
    texts = [word.text for _, word in row]
    cuts = [
        position for position in range(len(texts) - 1) if _leads(texts, position) and _may_name(texts[position + 1])
    ]
    edges = [0, *cuts[1:], len(row)]
    return [Segment(tuple(row[start:stop])) for start, stop in pairwise(edges)]


def find_name(segment: Segment, lexicon: Lexicon) -> tuple[int, tuple[NameMatch, ...]] | None:
    """The position of the word that names the medicine, and the names it may mean, best first.

    A word is a name after a form, near a name of the lexicon beside a dose, or clearly a name by itself.
    """
    texts = [word.text for _, word in segment.words]
    best: tuple[float, int, tuple[NameMatch, ...]] | None = None
    for position, text in enumerate(texts):
        if not _may_name(text):
            continue
        candidates = lexicon.shortlist(text, limit=_CANDIDATES)
        score = candidates[0].score if candidates else 0.0
        if position and (_leads(texts, position - 1) or (score >= NEAR and guess_form(texts[position - 1]))):
            return position, candidates
        dosed = bool(find_strengths(repair_digits(segment.text_from(position + 1))))
        if score >= (_NAMED_BESIDE_A_DOSE if dosed else _CLEARLY_NAMED) and (best is None or score > best[0]):
            best = (score, position, candidates)
    return (best[1], best[2]) if best else None


def names_a_medicine(text: str, lexicon: Lexicon) -> bool:
    """Whether a line has a word that clearly names a medicine, or one that a form leads."""
    words = text.split()
    return any(
        _may_name(word)
        and ((position and _leads(words, position - 1)) or bool(lexicon.shortlist(word, limit=1, floor=_CLEARLY_NAMED)))
        for position, word in enumerate(words)
    )


def _leads(texts: Sequence[str], position: int) -> bool:
    """Whether the word at ``position`` is a form that a name may follow.

    ``1 drop``, ``2 tabs`` and ``one capsule`` say how much to take; a figure at the beginning of a line counts
    medicines.
    """
    if parse_form(texts[position]) is None:
        return False
    before = texts[position - 1] if position else ""
    return before.lower() not in _COUNT_WORDS and not (position > 1 and before.isdecimal())


def _may_name(text: str) -> bool:
    folded = fold_word(text)
    letters = sum(character.isalpha() for character in text)
    return letters >= 3 and letters * 2 > len(text) and folded not in _NO_MEDICINE and parse_form(text) is None
