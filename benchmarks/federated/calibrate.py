"""How far a reader's confidence can be believed: chosen on one half of the words, measured on the other.

Each backbone's two values are chosen by their log-likelihood among many names, every model's words read twice: with all
true names in the lexicon, and as strangers, each with its own true name taken out. The threshold follows from the
confidence: the least one at which enough of the names that are given are right, more strangers among the words.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize

from benchmarks.federated.kept_scores import WordScores
from benchmarks.recogniser_probe import pixels_digest
from learning.calibration import Calibration
from node.data.samples import TrainableSample

STRANGERS = 0.25
"""Share of words whose name the lexicon does not have, as in benchmarks/name_confidence.py, for threshold and error."""
FITTED_STRANGERS = 0.1
"""The same for the likelihood. With one in four the error grew on the very words that were chosen on."""
ENOUGH = 0.975
"""Of the names that are given so many are to be right."""
BINS = 10
BEFORE = Calibration(temperature=0.4, none_of_these=-2.5, abstain_below=0.5)
"""What both backbones were read with before each had its own, chosen by hand on english-g2."""

Models = Mapping[str, Sequence[WordScores]]
"""One backbone's models by row, one a seed, as they read the same words from the same lexicon."""


@dataclass(frozen=True, slots=True)
class Answers:
    """What one model says of the words."""

    places: np.ndarray
    """int [words]: the best name's position in the lexicon."""
    confidence: np.ndarray
    """float64 [words], 0 to 1."""
    right: np.ndarray
    """bool [words]."""

    def named(self, threshold: float) -> np.ndarray:
        """bool [words]: where a name is claimed."""
        return self.confidence >= threshold


def first_half(samples: Iterable[TrainableSample]) -> np.ndarray:
    """bool [words]: about half of them, by the SHA-256 of their pixels, so that copies stay together."""
    return np.array([pixels_digest(sample.crop)[0] < 128 for sample in samples])


def shares(scores: np.ndarray, temperature: float, none_of_these: float) -> np.ndarray:
    """``Calibration.probabilities`` of many words at once.

    Args:
        scores: float64 [words, candidates], nats a symbol.
        temperature: Nats a symbol.
        none_of_these: Nats a symbol.

    Returns:
        float64 [words, candidates + 1]; the last is "none of these".
    """
    logits = np.pad(scores, ((0, 0), (0, 1)), constant_values=none_of_these) / temperature
    weights = np.exp(logits - logits.max(axis=1, keepdims=True))
    return weights / weights.sum(axis=1, keepdims=True)


def answers(words: WordScores, scores: np.ndarray, calibration: Calibration) -> Answers:
    """What is read with a calibration.

    Args:
        words: The words.
        scores: Of ``words.known()`` or ``words.strangers()``: a stranger is never right.
        calibration: What the scores mean.
    """
    found = shares(scores, calibration.temperature, calibration.none_of_these)[:, :-1]
    best, rows = found.argmax(axis=1), np.arange(len(found))
    places = words.places[rows, best]
    return Answers(places, found[rows, best], places == words.truth)


def fitted(models: Models) -> Calibration:
    """The values under which names and strangers are likeliest, and the threshold that follows from them.

    Args:
        models: Of one backbone, read from many names; each row counts the same, however many seeds it has.
    """

    def loss(at: np.ndarray) -> float:
        return sum(
            float(np.mean([log_loss(words, 1 / at[0], at[1] / at[0]) for words in row])) for row in models.values()
        )

    # In 1 / temperature and none_of_these / temperature the loss is convex: there is one best pair.
    start = [1 / BEFORE.temperature, BEFORE.none_of_these / BEFORE.temperature]
    best = minimize(loss, start, method="Nelder-Mead", bounds=[(0.1, 50.0), (-200.0, 0.0)]).x
    temperature, none_of_these = round(float(1 / best[0]), 2), round(float(best[1] / best[0]), 2)
    return Calibration(temperature, none_of_these, threshold_of(models, Calibration(temperature, none_of_these, 0.0)))


def threshold_of(models: Models, calibration: Calibration) -> float:
    """The least threshold, in hundredths, at which enough of the names that each row gives are right."""
    for hundredths in range(100):
        if all(rightness(row, calibration, hundredths / 100) >= ENOUGH for row in models.values()):
            return hundredths / 100
    return 1.0


def rightness(row: Sequence[WordScores], calibration: Calibration, threshold: float) -> float:
    """Right names among those given, strangers among the words; over a row's seeds together."""
    right = given = 0.0
    for words in row:
        known, strangers = (answers(words, s, calibration) for s in (words.known(), words.strangers()))
        right += (1 - STRANGERS) * float((known.named(threshold) & known.right).mean())
        given += (1 - STRANGERS) * float(known.named(threshold).mean())
        given += STRANGERS * float(strangers.named(threshold).mean())
    return right / given if given else 1.0


def log_loss(words: WordScores, temperature: float, none_of_these: float) -> float:
    """Mean -ln of what is given to the truth: the true name, or "none of these" where it is no candidate."""
    loss = 0.0
    for weight, scores in ((1 - FITTED_STRANGERS, words.known()), (FITTED_STRANGERS, words.strangers())):
        found = shares(scores, temperature, none_of_these)
        true = (words.places == words.truth[:, np.newaxis]) & np.isfinite(scores)
        column = np.where(true.any(axis=1), true.argmax(axis=1), scores.shape[1])
        given = found[np.arange(len(found)), column]
        loss -= weight * float(np.log(np.maximum(given, 1e-300)).mean())
    return loss


def calibration_error(found: Sequence[tuple[float, Answers]]) -> float:
    """Expected calibration error over ten bins of equal width.

    Args:
        found: Answers, each set with its weight.
    """
    confidence, right = (np.concatenate([getattr(a, part) for _, a in found]) for part in ("confidence", "right"))
    weights = np.concatenate([np.full(len(a.right), weight / len(a.right)) for weight, a in found])
    bins = np.minimum((confidence * BINS).astype(int), BINS - 1)
    off = np.bincount(bins, weights * (confidence - right), BINS)
    return float(np.abs(off).sum() / weights.sum())
