"""Two readers that check each other: the sum of their log-probabilities over the union of their candidates.

A reader's probabilities are those of ``Recogniser.read``: CTC scores per symbol, made comparable by each backbone's own
calibration. The second reader's share in the sum is tried from 0 to 1; which one is reported was chosen on the
Validation split.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TypeVar

import numpy as np

from benchmarks.federated.scoring import SHORTLIST, Exam
from learning.lexicon_index import LexiconIndex
from learning.recogniser import Reading, Recogniser

T = TypeVar("T")
SHARES = tuple(round(tenth / 10, 1) for tenth in range(11))
"""Tried for the second reader."""
_LEAST = -700.0
"""ln of a probability that underflows; also of a name that only the other reader can spell."""


def joined_scores(readers: Sequence[Recogniser], exams: Sequence[Exam]) -> dict[str, object]:
    """Right answers by the second reader's share, among the set's own names and among many, and where both agree.

    Args:
        readers: Two.
        exams: The same words, as features of each reader's own backbone.
    """
    own = [reader.read(exam.features, LexiconIndex.of(exam.names), shortlist=len(exam.names)) for reader, exam in
           zip(readers, exams, strict=True)]  # fmt: skip
    labels, names, apart = exams[0].labels, exams[0].many_names, exams[0].apart
    agreed = [(a.name, label) for a, b, label in zip(*own, labels, strict=True) if a.name == b.name]
    found: dict[str, object] = {
        "words": len(labels),
        "agreed": [sum(name == label for name, label in agreed), len(agreed)],
        "own": _right_by_share(own, labels),
    }
    if any(apart):
        found["apart"] = _right_by_share([_only(readings, apart) for readings in own], _only(labels, apart))
        found["apart_words"] = sum(apart)
    if len(names) > len(exams[0].names):
        found["many"] = _right_by_share(_union_readings(readers, exams, names), labels)
        found["many_names"] = len(names)
    return found


def _only(items: Sequence[T], wanted: Sequence[bool]) -> list[T]:
    return [item for item, want in zip(items, wanted, strict=True) if want]


def _union_readings(
    readers: Sequence[Recogniser], exams: Sequence[Exam], names: Sequence[str]
) -> tuple[list[Reading], list[Reading]]:
    """Both readers' probabilities of every name that is on either's shortlist."""
    index = LexiconIndex.of(names)
    lists = [
        reader.read(exam.features, index, shortlist=SHORTLIST) for reader, exam in zip(readers, exams, strict=True)
    ]
    both: tuple[list[Reading], list[Reading]] = ([], [])
    for word, pair in enumerate(zip(*lists, strict=True)):
        union = LexiconIndex.of(sorted({name for reading in pair for name, _ in reading.candidates}))
        for readings, reader, exam in zip(both, readers, exams, strict=True):
            features = exam.features[word : word + 1]
            readings.extend(reader.read(features, union, shortlist=len(union.entries)))
    return both


def _right_by_share(readings: Sequence[Sequence[Reading]], labels: Sequence[str]) -> dict[str, int]:
    right = dict.fromkeys(map(str, SHARES), 0)
    for first, second, label in zip(*readings, labels, strict=True):
        logs = [_logs(reading) for reading in (first, second)]
        names = sorted(logs[0].keys() | logs[1].keys())
        table = np.array([[log.get(name, _LEAST) for name in names] for log in logs])
        for share in SHARES:
            best = int(np.argmax((1 - share) * table[0] + share * table[1]))
            right[str(share)] += names[best] == label
    return right


def _logs(reading: Reading) -> Mapping[str, float]:
    return {name: math.log(p) if p > 0 else _LEAST for name, p in reading.candidates}
