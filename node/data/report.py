"""What a site has, in numbers. It is made and shown at the site; nothing of it is sent.

No patient, file, hospital or staff member is named, and of the labels only those that the lexicon knows: what a person
typed could be anything.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from enum import StrEnum
from statistics import median, quantiles
from typing import TYPE_CHECKING

from node.store.duplicates import PairKind, PairStatus
from node.store.tables import WordStatus

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from node.data.word_measures import WordMeasures


MEASURED = 500
"""Most words whose pictures are measured; it takes about a millisecond each."""


class LabelSource(StrEnum):
    """Where the label of a reviewed word comes from."""

    BOTH_READERS = "both-readers"
    """Page reader and model proposed it, and a person accepted it."""
    MODEL = "model"
    """Only the model proposed it."""
    PAGE_READER = "page-reader"
    """Only the page reader proposed it."""
    PICKED = "picked"
    """A person chose another of the proposed names."""
    TYPED = "typed"
    """A person wrote what nothing proposed."""


class Use(StrEnum):
    """What a reviewed word may be used for now."""

    TRAINING = "training"
    HELD_OUT = "held-out"
    """It scores each new model and never trains."""
    NO_CONSENT = "no-consent"
    """Its patient has no consent in force for the network's purpose."""
    DUPLICATE = "duplicate"
    """Its page repeats another, or may do so and waits for a decision."""


@dataclass(frozen=True, slots=True)
class WordRow:
    """What the report takes of one word."""

    page: bytes
    patient: bytes
    """Random ids."""
    status: WordStatus
    brand: str = ""
    """The label; of the lexicon's spelling where it is known. Empty for a word without one."""
    known: bool = False
    """Whether the lexicon has the brand."""
    source: LabelSource | None = None
    """None for a word without a label, as are the next two."""
    reviewer: str = ""
    use: Use | None = None
    measures: WordMeasures | None = None
    """None where there is no picture, or it was not measured."""
    repeats: bool = False
    """Whether its picture is, bit by bit, that of a word before it."""


@dataclass(frozen=True, slots=True)
class Spread:
    """How a number spreads."""

    count: int
    least: float
    lower: float
    """A quarter lies below."""
    middle: float
    upper: float
    """A quarter lies above."""
    most: float


@dataclass(frozen=True, slots=True)
class Brands:
    """Which medicines the reviewed words name, and how evenly."""

    words: int
    """Reviewed words with a label."""
    counts: tuple[tuple[str, int], ...]
    """Words of each name of the lexicon, most first."""
    unlisted_names: int
    """How many other labels there are; they are not shown."""
    unlisted_words: int
    effective: float
    """exp(entropy): so many equally frequent names would be as varied. 0 without words."""
    gini: float
    """0: every name has as many words; towards 1: few names have nearly all."""
    largest_share: float
    """Of the most frequent name, 0 to 1."""


@dataclass(frozen=True, slots=True)
class Quality:
    """How good the pictures are. Up to ``MEASURED`` words, chosen by their random ids, are measured."""

    measured: int
    height: Spread | None
    """Pixels."""
    contrast: Spread | None
    sharpness: Spread | None
    repeated: int
    """Words, measured or not, whose picture is bit by bit that of a word before them."""


@dataclass(frozen=True, slots=True)
class Writing:
    """How far the writing differs. The store keeps no prescriber, so their number is not known.

    Instead: from how many patients and pages the words come, and how far pages differ in slant and stroke width, two
    habits of a hand.
    """

    patients: int
    words_a_patient: Spread | None
    largest_patient_share: float
    """Of all words, 0 to 1."""
    page_slant: Spread | None
    """Degrees; the middle value of each page's words."""
    page_stroke: Spread | None
    """Shares of the crop's height; the middle value of each page's words."""


@dataclass(frozen=True, slots=True)
class DataReport:
    """What a site has."""

    pages: int
    pages_reviewed: int
    words: Mapping[str, int]
    """By status."""
    sources: Mapping[str, int]
    """Reviewed words by ``LabelSource``."""
    reviewers: int
    busiest_reviewer_share: float
    """Of the reviewed words, 0 to 1."""
    uses: Mapping[str, int]
    """Reviewed words by ``Use``."""
    duplicates: Mapping[str, Mapping[str, int]]
    """Pairs of pages by kind, then by what a person said. Exact copies of a page are turned away at import."""
    brands: Brands
    quality: Quality
    writing: Writing


def report_of(
    pages_reviewed: Sequence[bool], words: Sequence[WordRow], pairs: Iterable[tuple[PairKind, PairStatus]]
) -> DataReport:
    """Counts what there is.

    Args:
        pages_reviewed: For each page of the store whether every word of it was reviewed.
        words: All words of the store.
        pairs: Pages that may be duplicates, by kind and status.
    """
    labelled = [word for word in words if word.source is not None]
    found_pairs = Counter(pairs)
    by_reviewer = Counter(word.reviewer for word in labelled)
    return DataReport(
        pages=len(pages_reviewed),
        pages_reviewed=sum(pages_reviewed),
        words=_counts(WordStatus, (word.status for word in words)),
        sources=_counts(LabelSource, (word.source for word in labelled)),
        reviewers=len(by_reviewer),
        busiest_reviewer_share=_largest_share(by_reviewer),
        uses=_counts(Use, (word.use for word in labelled)),
        duplicates={
            kind.value: {status.value: found_pairs[kind, status] for status in PairStatus} for kind in PairKind
        },
        brands=_brands(labelled),
        quality=_quality(words),
        writing=_writing(words),
    )


def spread_of(values: Sequence[float]) -> Spread | None:
    """Least, quartiles (between neighbours interpolated) and most; None without values."""
    if not values:
        return None
    lower, middle, upper = quantiles(values, n=4, method="inclusive") if len(values) > 1 else [values[0]] * 3
    return Spread(len(values), min(values), lower, middle, upper, max(values))


def _brands(labelled: Sequence[WordRow]) -> Brands:
    every = Counter((word.brand, word.known) for word in labelled)
    known = {brand: count for (brand, listed), count in every.items() if listed}
    total = len(labelled)
    sizes = sorted(every.values())
    entropy = -sum(size / total * math.log(size / total) for size in sizes)
    # Gini, from the sorted sizes: sum of (2 i - n - 1) x_i over n times the total.
    unevenness = sum((2 * place - len(sizes) - 1) * size for place, size in enumerate(sizes, start=1))
    return Brands(
        words=total,
        counts=tuple(sorted(known.items(), key=lambda item: (-item[1], item[0]))),
        unlisted_names=len(every) - len(known),
        unlisted_words=total - sum(known.values()),
        effective=math.exp(entropy) if sizes else 0.0,
        gini=unevenness / (len(sizes) * total) if sizes else 0.0,
        largest_share=sizes[-1] / total if sizes else 0.0,
    )


def _quality(words: Sequence[WordRow]) -> Quality:
    measured = [word.measures for word in words if word.measures is not None]
    return Quality(
        measured=len(measured),
        height=spread_of([found.height for found in measured]),
        contrast=spread_of([found.contrast for found in measured]),
        sharpness=spread_of([found.sharpness for found in measured]),
        repeated=sum(word.repeats for word in words),
    )


def _writing(words: Iterable[WordRow]) -> Writing:
    patients: Counter[bytes] = Counter()
    pages: dict[bytes, list[WordMeasures]] = {}
    for word in words:
        patients[word.patient] += 1
        if word.measures is not None:
            pages.setdefault(word.page, []).append(word.measures)
    return Writing(
        patients=len(patients),
        words_a_patient=spread_of(list(patients.values())),
        largest_patient_share=_largest_share(patients),
        page_slant=spread_of([median(found.slant for found in page) for page in pages.values()]),
        page_stroke=spread_of([median(found.stroke for found in page) for page in pages.values()]),
    )


def _largest_share(counts: Mapping[str, int] | Mapping[bytes, int]) -> float:
    return max(counts.values()) / sum(counts.values()) if counts else 0.0


def _counts(kinds: type[StrEnum], found: Iterable[StrEnum | None]) -> dict[str, int]:
    counted = Counter(found)
    return {kind.value: counted[kind] for kind in kinds}
