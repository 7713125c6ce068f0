"""How often a recogniser names the right medicine, with its uncertainty."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from protocol.errors import LearningError

if TYPE_CHECKING:
    from learning.backbone import Features
    from learning.lexicon_index import LexiconIndex
    from learning.recogniser import Recogniser

_Z_95 = 1.959963984540054


@dataclass(frozen=True, slots=True)
class Score:
    """Right answers among all, with a 95 % interval."""

    correct: int
    total: int
    accuracy: float
    """correct / total, in 0 … 1."""
    low: float
    high: float
    """Bounds of the Wilson score interval, in 0 … 1."""

    def __str__(self) -> str:
        return f"{self.accuracy:.3f} ({self.correct}/{self.total}, 95 % {self.low:.3f} to {self.high:.3f})"


def score_of(correct: int, total: int) -> Score:
    """The Wilson 95 % interval (E. B. Wilson, JASA 22, 1927): sound for small counts and near 0 and 1.

    Raises:
        LearningError: Not 0 ≤ correct ≤ total with total ≥ 1.
    """
    if not 0 <= correct <= total or total == 0:
        raise LearningError(f"{correct} right answers of {total} cannot be scored", hint="hold out some reviewed words")
    share, z2 = correct / total, _Z_95**2
    middle = (share + z2 / (2 * total)) / (1 + z2 / total)
    half = _Z_95 / (1 + z2 / total) * math.sqrt(share * (1 - share) / total + z2 / (4 * total * total))
    # Rounding must not push a bound past the share itself, which the exact interval always contains.
    return Score(correct, total, share, min(share, max(0.0, middle - half)), max(share, min(1.0, middle + half)))


def evaluate(
    recogniser: Recogniser, features: Features, labels: Sequence[str], names: LexiconIndex, *, shortlist: int = 50
) -> Score:
    """Scores the best candidate of each crop, without abstention.

    Args:
        recogniser: With the parameters to judge; ``Backbone.initial_parameters`` gives the zero-shot score.
        features: [crops, *feature_shape].
        labels: Canonical names, in the same order.
        names: The lexicon.
        shortlist: As in ``Recogniser.read``.

    Raises:
        LearningError: No crops, or lengths that differ.
    """
    right = right_answers(recogniser, features, labels, names, shortlist=shortlist)
    return score_of(sum(right), len(right))


def right_answers(
    recogniser: Recogniser, features: Features, labels: Sequence[str], names: LexiconIndex, *, shortlist: int = 50
) -> tuple[bool, ...]:
    """Whether the best candidate of each crop is its label; arguments as in ``evaluate``.

    Raises:
        LearningError: Lengths that differ.
    """
    if len(features) != len(labels):
        raise LearningError(f"{len(labels)} labels do not fit {len(features)} crops")
    readings = recogniser.read(features, names, shortlist=shortlist)
    return tuple(read.name == label for read, label in zip(readings, labels, strict=True))
