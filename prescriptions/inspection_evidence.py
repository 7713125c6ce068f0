"""What each medicine line rests on: for the picture of ``fedrx node inspect``."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from prescriptions.understand import understand
from prescriptions.words import crop_word

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from prescriptions.box import Box
    from prescriptions.lexicon import Lexicon
    from prescriptions.page import Page
    from prescriptions.pipeline import ExaminedPage
    from prescriptions.reading import ReadWord
    from prescriptions.understand import MedicineLine

KINDS = ("form", "strength", "frequency", "duration", "quantity", "route", "instructions", "as needed")
_LINES_BELOW = 2
"""What a medicine's line does not say may stand below it."""


@dataclass(frozen=True, slots=True)
class Entity:
    """One thing that was read beside a medicine."""

    kind: str
    """Of ``KINDS``."""
    value: str
    confidence: float
    """0 to 1: that of the least sure word that it rests on; of the medicine's word where no single word decides."""
    boxes: tuple[Box, ...]
    """Of these words, in prepared pixels."""


@dataclass(frozen=True, slots=True, eq=False)
class LineView:
    """One medicine line with everything that a person may want to see of it."""

    text: str
    """The medicine's word as it was read."""
    confidence: float
    """Of the word, 0 to 1, the engine's."""
    box: Box
    """In prepared pixels."""
    crop: NDArray[np.uint8]
    candidates: tuple[tuple[str, float], ...]
    """Names of the lexicon with their likeness, best first."""
    entities: tuple[Entity, ...]
    flags: tuple[str, ...]
    model_round: int | None = None
    """Of the global model that read the word too."""
    model_text: str = ""
    model_candidates: tuple[tuple[str, float], ...] = ()
    """Names with their probabilities, best first."""

    def with_model(self, text: str, candidates: Sequence[tuple[str, float]], model_round: int) -> LineView:
        """With what the global model read."""
        return replace(self, model_text=text, model_candidates=tuple(candidates), model_round=model_round)


def line_views(examined: ExaminedPage, page: Page, lexicon: Lexicon) -> tuple[LineView, ...]:
    """The medicine lines of an examined page, from top to bottom."""
    return tuple(_view(examined, line, page, lexicon) for line in examined.prescription.lines)


def _view(examined: ExaminedPage, line: MedicineLine, page: Page, lexicon: Lexicon) -> LineView:
    word = examined.words[line.word_index]
    nearby = [other for other in examined.words if 0 <= other.line - word.line <= _LINES_BELOW]
    return LineView(
        text=word.text,
        confidence=word.confidence,
        box=word.box,
        crop=crop_word(examined.prepared, word.box, page.pixels.shape).pixels,
        candidates=tuple((match.name, match.score) for match in line.candidates),
        entities=_entities(line, word, nearby, lexicon),
        flags=line.flags,
    )


def _entities(line: MedicineLine, word: ReadWord, nearby: Sequence[ReadWord], lexicon: Lexicon) -> tuple[Entity, ...]:
    """What the line says, and the words without which it would say something else.

    Each nearby word is left out in turn: so the answer comes from the analysis itself and cannot drift from it.
    """
    values = _values(line)
    bearing: dict[str, list[ReadWord]] = {kind: [] for kind in values}
    for position, other in enumerate(nearby):
        if other.box == word.box:
            continue
        without = _line_at(word.box, [*nearby[:position], *nearby[position + 1 :]], lexicon)
        # Without its form a word may be no medicine at all; that says nothing about the rest of the line.
        left = {key: value for key, value in values.items() if key != "form"} if without is None else _values(without)
        for kind in values:
            if left.get(kind) != values[kind]:
                bearing[kind].append(other)
    return tuple(
        Entity(
            kind,
            value,
            min((bearer.confidence for bearer in bearing[kind]), default=word.confidence),
            tuple(bearer.box for bearer in bearing[kind]),
        )
        for kind, value in values.items()
    )


def _line_at(box: Box, words: Sequence[ReadWord], lexicon: Lexicon) -> MedicineLine | None:
    lines = understand(words, lexicon).lines
    return next((line for line in lines if words[line.word_index].box == box), None)


def _values(line: MedicineLine) -> dict[str, str]:
    found = {
        "form": line.form,
        "strength": line.strength,
        "frequency": line.frequency,
        "duration": None if line.duration_days is None else f"{line.duration_days} days",
        "quantity": line.quantity,
        "route": line.route,
        "instructions": ", ".join(line.instructions) or None,
        "as needed": "yes" if line.as_needed else None,
    }
    return {kind: str(value) for kind, value in found.items() if value is not None}
