"""Words become a prescription: who, where, and which medicines in which strength, form and frequency.

After the source paper, section VI: semantic analysis takes names, dosages and types of drugs, and any private
information is left out except the patient's name and the hospital. The result types have no place for anything else.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import groupby, pairwise
from typing import TYPE_CHECKING

from prescriptions.dose_form import parse_form
from prescriptions.frequency import find_frequency
from prescriptions.letterhead import find_hospital, find_patient_name, is_private
from prescriptions.lexicon import fold_word
from prescriptions.strength import find_strengths

if TYPE_CHECKING:
    from collections.abc import Sequence

    from prescriptions.frequency import Frequency
    from prescriptions.lexicon import Lexicon, NameMatch
    from prescriptions.reading import ReadWord
    from prescriptions.strength import Strength

UNKNOWN_MEDICINE = "unknown-medicine"
"""No name of the lexicon is near; strength and form were not checked."""
AMBIGUOUS_MEDICINE = "ambiguous-medicine"
"""Two names are about equally near."""
UNKNOWN_STRENGTH = "unknown-strength"
"""The lexicon does not know the medicine in this strength."""
UNKNOWN_FORM = "unknown-form"
"""The lexicon does not know the medicine in this form."""

_CANDIDATES = 5
_NEAR = 0.6
_CLEARLY_NAMED = 0.84
_NAMED_BESIDE_A_DOSE = 0.5
_AMBIGUOUS_GAP = 0.05
_NO_MEDICINE = frozenset(
    {"days", "week", "weeks", "month", "months", "daily", "twice", "thrice", "once", "morning", "noon", "night",
     "before", "after", "meal", "food", "water", "with", "take", "apply", "times", "hours", "hour", "every", "rest",
     "avoid", "drink", "continue", "tablet", "capsule", "syrup", "name", "patient", "doctor", "hospital", "clinic",
     "follow", "from", "this", "that", "have", "page", "general", "medicine", "centre", "center", "road", "street"}
)  # fmt: skip
_DURATION = re.compile(
    r"(?<![\w.+\-/])(?P<count>\d{1,3})\s*(?P<unit>d(?:ays?)?|w(?:ee)?ks?|months?|mo)(?!\w)", re.IGNORECASE
)
_DAYS = {"d": 1, "w": 7, "m": 30}
_MISREAD_NUMBER = re.compile(
    r"(?<![^\W_])(?=[\w.]*\d|[OoSsIlB]\s*m)[\dOoSsIlB.,]+(?=\s*(?:mg|mcg|ml|gm?|%|iu)(?![a-z]))",
    re.IGNORECASE,
)
_MISREAD_SLOT = re.compile(r"(?<!\w)[\dOoIl|](?:\s*[+\-]\s*[\dOoIl|]){2}(?!\w)")
_STUCK_TIMES = re.compile(r"(?<=[+\-][\dOoIl])[x×](?=\s*\d)", re.IGNORECASE)
_MISREAD_SLASH = re.compile(r"(?<=\dmg)[lI|](?=\d)", re.IGNORECASE)
_MISREAD_HOURS = re.compile(r"(?<!\w)[9g](?=(?:4|6|8|12|24)\s*h(?!\w))")
_AS_DIGITS = str.maketrans("OoSsIlB|", "00551181")


@dataclass(frozen=True, slots=True)
class MedicineLine:
    """One prescribed medicine, as proposed to the reviewer."""

    word_index: int
    """Of the medicine's word, in the words that were given to ``understand``."""
    candidates: tuple[NameMatch, ...]
    """At most five names of the lexicon, best first; never a decision."""
    strength: Strength | None
    form: str | None
    """Of ``dose_form.FORMS``."""
    frequency: Frequency | None
    duration_days: int | None
    flags: tuple[str, ...]
    """What the reviewer should look at: the four constants of this module."""


@dataclass(frozen=True, slots=True)
class Prescription:
    """What is kept of a page's text."""

    patient_name: str | None
    """A candidate; personal data that stay at the site."""
    hospital: str | None
    """A candidate."""
    lines: tuple[MedicineLine, ...]
    """From top to bottom."""


@dataclass(frozen=True, slots=True)
class _Segment:
    """The part of a line that speaks of one medicine."""

    words: tuple[tuple[int, ReadWord], ...]

    def text_from(self, position: int) -> str:
        return " ".join(word.text for _, word in self.words[position:])


def understand(words: Sequence[ReadWord], lexicon: Lexicon) -> Prescription:
    """The prescription that the words of one page make.

    Args:
        words: Ordered by line and then from left to right, as a ``PageReader`` gives them.
        lexicon: The names that may be proposed.
    """
    rows = [list(row) for _, row in groupby(enumerate(words), key=lambda item: item[1].line)]
    texts = [[word.text for _, word in row] for row in rows]
    lines: list[MedicineLine] = []
    for number, row in enumerate(rows):
        if is_private(texts[number]):
            continue
        below = "" if number + 1 == len(rows) or is_private(texts[number + 1]) else " ".join(texts[number + 1])
        for segment in _segments(row):
            line = _medicine_line(segment, below, lexicon)
            if line is not None:
                lines.append(line)
    return Prescription(find_patient_name(texts), find_hospital(texts), tuple(lines))


def repair_digits(text: str) -> str:
    """Undoes usual misreadings where the place leaves no doubt: ``0.0S %``, ``Smg``, ``I+0+1``, ``98h`` for q8h."""
    parted = _MISREAD_SLASH.sub("/", _STUCK_TIMES.sub(" x ", text))
    amounts = _MISREAD_NUMBER.sub(lambda match: match[0].translate(_AS_DIGITS), parted)
    slots = _MISREAD_SLOT.sub(lambda match: match[0].translate(_AS_DIGITS), amounts)
    return _MISREAD_HOURS.sub("q", slots)


def find_duration_days(text: str) -> int | None:
    """How many days: ``7 days``, ``x 2 weeks``, ``5d``. A month counts as 30."""
    match = _DURATION.search(text)
    return int(match["count"]) * _DAYS[match["unit"][0].lower()] if match and int(match["count"]) else None


def _segments(row: list[tuple[int, ReadWord]]) -> list[_Segment]:
    """Cuts a line before every form that leads a word, so that two medicines side by side are two."""
    cuts = [
        position
        for position, (_, word) in enumerate(row[:-1])
        if _leads(word.text) and _may_name(row[position + 1][1].text)
    ]
    edges = [0, *cuts[1:], len(row)]
    return [_Segment(tuple(row[start:stop])) for start, stop in pairwise(edges)]


def _medicine_line(segment: _Segment, below: str, lexicon: Lexicon) -> MedicineLine | None:
    position, candidates = _name_in(segment, lexicon)
    if position is None:
        return None
    rest = repair_digits(segment.text_from(position + 1))
    # What the line does not say may stand below it, unless that line names a medicine of its own.
    more = "" if _names_another(below, lexicon) else repair_digits(below)
    strengths = find_strengths(rest) or find_strengths(more)
    strength = strengths[0].strength if strengths else None
    frequency = find_frequency(rest) or find_frequency(more)
    form = _form_in(segment, position)
    return MedicineLine(
        word_index=segment.words[position][0],
        candidates=candidates,
        strength=strength,
        form=form,
        frequency=frequency.frequency if frequency else None,
        duration_days=find_duration_days(rest) or find_duration_days(more),
        flags=_flags(candidates, strength, form, lexicon),
    )


def _name_in(segment: _Segment, lexicon: Lexicon) -> tuple[int | None, tuple[NameMatch, ...]]:
    """The word that names the medicine: after a form, near a name beside a dose, or clearly a name by itself."""
    texts = [word.text for _, word in segment.words]
    best: tuple[float, int, tuple[NameMatch, ...]] | None = None
    for position, text in enumerate(texts):
        if not _may_name(text):
            continue
        candidates = lexicon.shortlist(text, limit=_CANDIDATES)
        score = candidates[0].score if candidates else 0.0
        if position and _leads(texts[position - 1]):
            return position, candidates
        dosed = bool(find_strengths(repair_digits(segment.text_from(position + 1))))
        if score >= (_NAMED_BESIDE_A_DOSE if dosed else _CLEARLY_NAMED) and (best is None or score > best[0]):
            best = (score, position, candidates)
    return (best[1], best[2]) if best else (None, ())


def _names_another(text: str, lexicon: Lexicon) -> bool:
    words = text.split()
    return any(
        _may_name(word)
        and ((position and _leads(words[position - 1])) or bool(lexicon.shortlist(word, limit=1, floor=_CLEARLY_NAMED)))
        for position, word in enumerate(words)
    )


def _leads(text: str) -> bool:
    return parse_form(text) is not None


def _may_name(text: str) -> bool:
    folded = fold_word(text)
    letters = sum(character.isalpha() for character in text)
    return letters >= 3 and letters * 2 > len(text) and folded not in _NO_MEDICINE and parse_form(text) is None


def _form_in(segment: _Segment, position: int) -> str | None:
    before = [word.text for _, word in reversed(segment.words[:position])]
    after = [word.text for _, word in segment.words[position + 1 :]]
    return next((form for text in before + after if (form := parse_form(text)) is not None), None)


def _flags(
    candidates: tuple[NameMatch, ...], strength: Strength | None, form: str | None, lexicon: Lexicon
) -> tuple[str, ...]:
    medicine = lexicon.find(candidates[0].name) if candidates and candidates[0].score >= _NEAR else None
    if medicine is None:
        return (UNKNOWN_MEDICINE,)
    flags = []
    if len(candidates) > 1 and candidates[0].score < 1 and candidates[0].score - candidates[1].score < _AMBIGUOUS_GAP:
        flags.append(AMBIGUOUS_MEDICINE)
    if strength is not None and not medicine.knows_strength(strength):
        flags.append(UNKNOWN_STRENGTH)
    if form is not None and not medicine.knows_form(form):
        flags.append(UNKNOWN_FORM)
    return tuple(flags)
