"""How sure a proposed name is: a probability, fitted so that of the names at 0.8 about eight in ten are right.

A logistic model over what the page reader knows: its own confidence in the letters, how near the nearest name is, and
how far ahead of the second. Confident letters that differ from every name speak against the nearest one: another name
was written. ``benchmarks/name_confidence.py`` fits the coefficients and measures them on hands and names that the fit
never saw (benchmarks/name_confidence.md).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from prescriptions.lexicon import NameMatch

_INTERCEPT = -8.162
_WEIGHTS = (0.455, 9.773, 18.603, -3.201)
_MAX_LOGIT = 4.6
# A thousand words show no more: of those above 0.9, 98.5 % were right.
_MOST = 0.99


def confidence_terms(engine_confidence: float, candidates: Sequence[NameMatch]) -> tuple[float, float, float, float]:
    """What the model weighs.

    Args:
        engine_confidence: Of the reader in the word's letters, 0 to 1.
        candidates: Names near the word, best first; at least one.

    Returns:
        The logit of the engine's confidence, cut at ±4.6; the similarity of the best name; its lead over the second;
        and the logit times what the best name lacks in similarity.
    """
    clear = 1 / (1 + math.exp(_MAX_LOGIT))
    share = min(max(engine_confidence, clear), 1 - clear)
    second = candidates[1].score if len(candidates) > 1 else 0.0
    logit, best = math.log(share / (1 - share)), candidates[0].score
    return logit, best, best - second, logit * (1 - best)


def name_confidence(engine_confidence: float, candidates: Sequence[NameMatch]) -> float:
    """Probability that the first candidate is what is written, 0 to 0.99, four decimals; 0 without one.

    Args:
        engine_confidence: Of the reader in the word's letters, 0 to 1.
        candidates: Names near the word, best first.
    """
    if not candidates:
        return 0.0
    terms = confidence_terms(engine_confidence, candidates)
    logit = _INTERCEPT + sum(weight * term for weight, term in zip(_WEIGHTS, terms, strict=True))
    return round(min(1 / (1 + math.exp(-logit)), _MOST), 4)
