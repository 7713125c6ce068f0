"""Words become a prescription: who, where, and which medicines, how much of each, how, when and for how long.

After the source paper, section VI: semantic analysis takes names, dosages and types of drugs, and any private
information is left out except the patient's name and the hospital. The result types have no place for anything else:
every field of a line is a number, or a code of a closed vocabulary, or a name of the lexicon.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING

from prescriptions.as_needed import find_as_needed
from prescriptions.confidence import name_confidence
from prescriptions.duration import find_duration_days
from prescriptions.frequency import find_frequency
from prescriptions.instructions import find_instructions
from prescriptions.letterhead import find_hospital, find_patient_name, is_private
from prescriptions.misread import repair_digits
from prescriptions.naming import NEAR, Segment, find_name, names_a_medicine, segments_of
from prescriptions.quantity import find_quantity
from prescriptions.route import find_route
from prescriptions.strength import find_strengths

if TYPE_CHECKING:
    from collections.abc import Sequence

    from prescriptions.frequency import Frequency
    from prescriptions.lexicon import Lexicon, Medicine, NameMatch
    from prescriptions.quantity import Quantity
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

FLAGS = (UNKNOWN_MEDICINE, AMBIGUOUS_MEDICINE, UNKNOWN_STRENGTH, UNKNOWN_FORM)

_AMBIGUOUS_GAP = 0.05
_LINES_BELOW = 2
_ADVICE = frozenset({"rest", "avoid", "drink", "follow", "review", "visit", "come", "next", "walk", "advice", "diet"})


@dataclass(frozen=True, slots=True)
class MedicineLine:
    """One prescribed medicine, as proposed to the reviewer (docs/spec/prescription.md)."""

    word_index: int
    """Of the medicine's word, in the words that were given to ``understand``."""
    candidates: tuple[NameMatch, ...]
    """At most five names of the lexicon, best first; never a decision."""
    strength: Strength | None
    form: str | None
    """Of ``dose_form.FORMS``."""
    frequency: Frequency | None
    duration_days: int | None
    """1 to 1000."""
    flags: tuple[str, ...]
    """What the reviewer should look at: of ``FLAGS``."""
    generic: str | None = None
    """Active ingredients of the best candidate, as the lexicon has them; None when no name is near."""
    route: str | None = None
    """Of ``route.ROUTES``; only what is written."""
    quantity: Quantity | None = None
    """What to dispense."""
    as_needed: bool = False
    instructions: tuple[str, ...] = ()
    """Of ``instructions.INSTRUCTIONS``, in its order."""
    confidence: float = 0.0
    """Probability that the first candidate is what is written, 0 to 1 (``confidence.name_confidence``)."""


@dataclass(frozen=True, slots=True)
class Prescription:
    """What is kept of a page's text."""

    patient_name: str | None
    """A candidate; personal data that stay at the site."""
    hospital: str | None
    """A candidate."""
    lines: tuple[MedicineLine, ...]
    """From top to bottom."""


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
        below = _below(texts[number + 1 :], lexicon)
        for segment in segments_of(row):
            line = _medicine_line(segment, below, lexicon)
            if line is not None:
                lines.append(line)
    return Prescription(find_patient_name(texts), find_hospital(texts), tuple(lines))


def flags_of(medicine: Medicine | None, strength: Strength | None, form: str | None) -> tuple[str, ...]:
    """What the lexicon does not know.

    Args:
        medicine: The lexicon's entry; None when it has none of the name.
        strength: As it was read beside the name.
        form: As it was read beside the name.
    """
    if medicine is None:
        return (UNKNOWN_MEDICINE,)
    unknown = (
        (UNKNOWN_STRENGTH, strength is not None and not medicine.knows_strength(strength)),
        (UNKNOWN_FORM, form is not None and not medicine.knows_form(form)),
    )
    return tuple(flag for flag, is_unknown in unknown if is_unknown)


def _below(rows: Sequence[Sequence[str]], lexicon: Lexicon) -> str:
    """What stands under a medicine and still speaks of it: at most two lines that name no other and give no advice."""
    kept: list[str] = []
    for texts in rows[:_LINES_BELOW]:
        text = " ".join(texts)
        advises = bool(_ADVICE & {word.strip(" .,:;-").lower() for word in texts})
        if is_private(texts) or advises or names_a_medicine(text, lexicon):
            break
        kept.append(text)
    return repair_digits(" ".join(kept))


def _medicine_line(segment: Segment, below: str, lexicon: Lexicon) -> MedicineLine | None:
    found = find_name(segment, lexicon)
    if found is None:
        return None
    position, candidates = found
    rest = repair_digits(segment.text_from(position + 1))
    # What the line does not say may stand below it.
    strengths = (
        find_strengths(rest) or find_strengths(repair_digits(segment.text_before(position))) or find_strengths(below)
    )
    strength = strengths[0].strength if strengths else None
    frequency = find_frequency(rest) or find_frequency(below)
    form = segment.form_near(position)
    index, word = segment.words[position]
    medicine = lexicon.find(candidates[0].name) if candidates and candidates[0].score >= NEAR else None
    return MedicineLine(
        word_index=index,
        candidates=candidates,
        strength=strength,
        form=form,
        frequency=frequency.frequency if frequency else None,
        duration_days=find_duration_days(rest) or find_duration_days(below),
        flags=_ambiguous(candidates) * (medicine is not None) + flags_of(medicine, strength, form),
        generic=medicine.generic if medicine else None,
        route=find_route(rest) or find_route(below),
        quantity=find_quantity(rest) or find_quantity(below),
        as_needed=find_as_needed(f"{rest} {below}") is not None,
        instructions=find_instructions(f"{rest} {below}"),
        confidence=name_confidence(word.confidence, candidates),
    )


def _ambiguous(candidates: tuple[NameMatch, ...]) -> tuple[str, ...]:
    if len(candidates) < 2 or candidates[0].score >= 1:
        return ()
    return (AMBIGUOUS_MEDICINE,) if candidates[0].score - candidates[1].score < _AMBIGUOUS_GAP else ()
