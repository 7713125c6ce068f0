"""How many words of the judging split a model reads right."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.federated.data import Words
from benchmarks.federated.features import fill
from learning.backbone import Backbone, Features
from learning.lexicon_index import LexiconIndex
from learning.recogniser import Recogniser
from node.rounds.features import FeatureCache
from protocol.parameters import parse_parameters

SHORTLIST = 50
_LONGEST_NAME = 24


@dataclass(frozen=True, slots=True)
class Exam:
    """Features and true names of the words that judge."""

    features: Features
    labels: tuple[str, ...]
    apart: tuple[bool, ...]
    """See ``data.Words``; these are counted on their own too."""
    names: tuple[str, ...]
    """The set's own brands: all of them are scored for each word."""
    many_names: tuple[str, ...]
    """Those and thousands of others: a shortlist of 50 is scored."""


def set_exam(cache: FeatureCache, words: Words, others: Sequence[str]) -> Exam:
    """Prepares the judging words for one backbone.

    Args:
        cache: The backbone's.
        words: The words that judge, and the set's own brands.
        others: Distractors.
    """
    fill(cache, words.judged, "judging words")
    labels, many = tuple(sample.label for sample in words.judged), dict.fromkeys((*words.names, *others))
    return Exam(cache.features_of(words.judged), labels, words.apart, words.names, tuple(many))


def reader_of(backbone: Backbone, model: Path) -> Recogniser:
    """A reader with the parameters of a model file."""
    return backbone.with_parameters(parse_parameters(model.read_bytes()))


def score(reader: Recogniser, exam: Exam, unseen: frozenset[str], *, with_many: bool) -> dict[str, list[int]]:
    """Right answers and words: all, those apart from training pictures, those of brands no site had, many names.

    Args:
        reader: The model.
        exam: The judging words.
        unseen: Brands that nobody trained on; their words are counted on their own too.
        with_many: Whether to read once more among thousands of names, which takes longer.
    """
    right = _right(reader, exam, exam.names, len(exam.names))
    apart = np.array(exam.apart)
    found = {"own": [int(right.sum()), len(right)]}
    if apart.any():
        found["apart"] = [int(right[apart].sum()), int(apart.sum())]
    if unseen:
        mine = np.array([label in unseen for label in exam.labels])
        found["unseen"] = [int(right[mine].sum()), int(mine.sum())]
    if with_many and len(exam.many_names) > len(exam.names):
        right = _right(reader, exam, exam.many_names, SHORTLIST)
        found["many"] = [int(right.sum()), len(right)]
        found["many_names"] = [len(exam.many_names)]
    return found


def other_names(products: Path | None, own: Sequence[str], count: int, backbone: Backbone) -> list[str]:
    """Distractors: so many brands of Drugs@FDA that the backbone can write, chosen by a fixed seed."""
    if products is None:
        return []
    with products.open(encoding="utf-8", newline="") as table:
        found = dict.fromkeys(row["DrugName"].strip().capitalize() for row in csv.DictReader(table))
    known = {name.casefold() for name in own}
    usable = [
        name
        for name in found
        if 3 <= len(name) <= _LONGEST_NAME and backbone.alphabet.spell(name) == name and name.casefold() not in known
    ]
    return [usable[i] for i in sorted(np.random.default_rng(0).permutation(len(usable))[:count])]


def _right(reader: Recogniser, exam: Exam, names: Sequence[str], shortlist: int) -> np.ndarray:
    readings = reader.read(exam.features, LexiconIndex.of(names), shortlist=shortlist)
    return np.array([reading.name == label for reading, label in zip(readings, exam.labels, strict=True)])
