"""How a recogniser's scores become probabilities, and from which probability on it claims a name.

The scores of two backbones have one unit, nats a symbol, but not one meaning: a sharper network is wrong at scores at
which a softer one is right. So each backbone has its own values (``learning.published``), chosen by
``python -m benchmarks.federated calibrate``: benchmarks/recogniser.md. Softmax with a temperature is the scaling of
C. Guo et al., "On Calibration of Modern Neural Networks", ICML 2017, section 4.2.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Calibration:
    """What a backbone's scores mean."""

    temperature: float
    """Nats a symbol, above 0: the larger, the less a difference of scores says."""
    none_of_these: float
    """Score, in nats a symbol, of "the word is not in the lexicon": a worse candidate is rather not believed."""
    abstain_below: float
    """Confidence, 0 to 1, below which no name is claimed unless the site says otherwise."""

    def probabilities(self, scores: Mapping[str, float]) -> tuple[tuple[str, float], ...]:
        """Softmax over the names and "none of these".

        Args:
            scores: Nats a symbol by canonical name, finite.

        Returns:
            Names with their probability in 0 … 1, best first, equal scores ordered by name; what they lack of 1 is the
            probability of "none of these".
        """
        ranked = sorted(scores.items(), key=lambda item: (-item[1], item[0]))
        top = max([self.none_of_these, *scores.values()])
        weights = [math.exp((score - top) / self.temperature) for _, score in ranked]
        total = sum(weights) + math.exp((self.none_of_these - top) / self.temperature)
        return tuple((name, weight / total) for (name, _), weight in zip(ranked, weights, strict=True))
