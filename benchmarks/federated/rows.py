"""What is measured: one row a question, each run with several seeds."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from protocol.plan import Weighting


@dataclass(frozen=True, slots=True)
class Reader:
    """A backbone and what of it is shared."""

    backbone: str
    scope: str
    rounds: int
    """By which its bar is to be met."""
    learning_rate: str
    alone_rate: str
    """Of one who trains without others, and whose steps no mean shrinks."""
    bar: float
    """Accuracy among 78 names on a held-out split."""


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table."""

    name: str
    reader: str
    backbone: str
    scope: str
    rounds: int
    """0: as published, untrained."""
    learning_rate: str
    mode: Literal["federated", "alone"] = "federated"
    """``alone``: every site trains for itself, as often and as long as in a federated run."""
    sites: int = 5
    dirichlet: float | None = 0.5
    """Concentration over brands; None shares words out evenly."""
    weighting: Weighting = "num_examples"
    epochs: int = 1
    unseen_brands: int = 0
    """Brands that are taken out of every site's words."""


READERS = {
    "ppocr-head": Reader("pp-ocr-v6", "head", 2, "0.005", "0.005", 0.96),
    "ppocr-neck": Reader("pp-ocr-v6", "neck", 8, "0.001", "0.001", 0.97),
    "easyocr-last-conv": Reader("english-g2", "last-conv", 12, "0.004", "0.002", 0.94),
}
_VARIANTS: dict[str, dict[str, object]] = {
    "": {},
    "-zero-shot": {"rounds": 0, "mode": "alone", "sites": 1, "dirichlet": None},
    "-central": {"mode": "alone", "sites": 1, "dirichlet": None},
    "-alone": {"mode": "alone"},
    "-equal": {"weighting": "equal"},
    "-iid": {"dirichlet": None},
    "-skewed": {"dirichlet": 0.1},
    "-twenty": {"sites": 20},
    "-unseen": {"unseen_brands": 8},
}


def all_rows() -> dict[str, Row]:
    """Every row by its name: each reader, and one thing changed at a time."""
    rows = {}
    for reader, of in READERS.items():
        plain = Row(reader, reader, of.backbone, of.scope, of.rounds, of.learning_rate)
        for suffix, changes in _VARIANTS.items():
            rate = of.alone_rate if changes.get("mode") == "alone" else of.learning_rate
            rows[reader + suffix] = replace(plain, name=reader + suffix, learning_rate=rate, **changes)
    return rows


def tuned(row: Row, learning_rate: str | None, rounds: int | None) -> Row:
    """The row with another rate or length, under a name of its own so that results are never mixed up."""
    if learning_rate is not None and learning_rate != row.learning_rate:
        name = f"{row.name}-rate-{learning_rate.replace('.', '-')}"
        row = replace(row, name=name, learning_rate=learning_rate)
    if rounds is not None and rounds != row.rounds:
        row = replace(row, name=f"{row.name}-rounds-{rounds}", rounds=rounds)
    return row
