"""Compares what was read of a page with what is written on it. Strict: a value is right when it is exactly the same."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

import numpy as np
from rapidfuzz.distance import Levenshtein
from reading_content import FIELDS

from prescriptions.naming import NEAR
from prescriptions.pipeline import ExaminedPage
from prescriptions.understand import MedicineLine

_SLACK = 12.0
"""Pixels by which a read word may lie beside the row that it is counted with."""


@dataclass
class Tally:
    """Counts over pages; add them up with ``add``."""

    found: Counter = field(default_factory=Counter)
    """Field → values read that are written."""
    read: Counter = field(default_factory=Counter)
    written: Counter = field(default_factory=Counter)
    character_errors: int = 0
    characters: int = 0
    misses: list[tuple[str, str, str, str]] = field(default_factory=list)
    """Field, written, read, and the words that were read there."""

    def add(self, other: Tally) -> None:
        for name in ("found", "read", "written"):
            getattr(self, name).update(getattr(other, name))
        self.character_errors += other.character_errors
        self.characters += other.characters
        self.misses += other.misses

    def f1(self, *fields: str) -> float:
        found, both = (sum(sum(c[name] for name in fields) for c in counters)
                       for counters in ((self.found,), (self.read, self.written)))  # fmt: skip
        return 2 * found / both if both else 1.0

    def share(self, counter: Counter, name: str) -> float:
        return self.found[name] / counter[name] if counter[name] else 1.0

    @property
    def character_error_rate(self) -> float:
        return self.character_errors / max(1, self.characters)


def score_page(examined: ExaminedPage, truth: dict) -> Tally:
    """One page's counts. Medicines are matched by where their words stand, so a wrong name is still one medicine."""
    tally = Tally()
    places = _flat_boxes(examined, truth)
    _score_characters(tally, examined, places, truth["rows"])
    free = list(range(len(truth["lines"])))
    for line in examined.prescription.lines:
        centre = _centre(places[line.word_index])
        mine = [n for n in free if _inside(centre, truth["lines"][n]["box"])]
        written = truth["lines"][free.pop(free.index(mine[0]))]["truth"] if mine else {}
        score_line(tally, written, values_of(line), _words_near(examined, line))
    for number in free:
        score_line(tally, truth["lines"][number]["truth"], {}, "")
    return tally


def values_of(line: MedicineLine) -> dict[str, str]:
    """What a line says, as canonical texts; a name only where one of the lexicon is near."""
    named = line.candidates and line.candidates[0].score >= NEAR
    values = {
        "medicine": line.candidates[0].name if named else "",
        "strength": str(line.strength or ""),
        "form": line.form or "",
        "route": line.route or "",
        "frequency": line.frequency.text if line.frequency else "",
        "duration": str(line.duration_days or ""),
        "quantity": str(line.quantity or ""),
        "instructions": "|".join(sorted(line.instructions)),
    }
    return {name: value for name, value in values.items() if value}


def score_line(tally: Tally, written: dict[str, str], read: dict[str, str], words: str) -> None:
    for name in FIELDS:
        wanted, got = written.get(name, ""), read.get(name, "")
        tally.written[name] += bool(wanted)
        tally.read[name] += bool(got)
        tally.found[name] += bool(wanted) and wanted == got
        if wanted != got:
            tally.misses.append((name, wanted, got, words))


def _words_near(examined: ExaminedPage, line: MedicineLine) -> str:
    row = examined.words[line.word_index].line
    return " ".join(word.text for word in examined.words if row <= word.line <= row + 2)


def _score_characters(tally: Tally, examined: ExaminedPage, places, rows: list[dict]) -> None:
    """Edits between each written row and what was read in its place, without spaces; what is read elsewhere counts."""
    there: dict[int, list[tuple[float, str]]] = {}
    for word, place in zip(examined.words, places, strict=True):
        x, y = _centre(place)
        distances = [max(row["box"][1] - y, y - row["box"][3], 0) for row in rows]
        nearest = int(np.argmin(distances))
        there.setdefault(nearest if distances[nearest] <= _SLACK else -1, []).append((x, word.text))
    for number, row in enumerate(rows):
        text = "".join(text for _, text in sorted(there.get(number, [])))
        plain = row["text"].replace(" ", "")
        tally.character_errors += Levenshtein.distance(plain, text)
        tally.characters += len(plain)
    tally.character_errors += sum(len(text) for _, text in there.get(-1, []))


def _flat_boxes(examined: ExaminedPage, truth: dict) -> list[np.ndarray]:
    """Corners of every read word on the page before it was bent and turned; shape [4, 2] each."""
    back = np.linalg.inv(np.array(truth["to_image"])) @ examined.prepared.to_page
    found = []
    for word in examined.words:
        box = word.box
        corners = np.array([(x, y, 1.0) for x in (box.left, box.right) for y in (box.top, box.bottom)]) @ back.T
        found.append(corners[:, :2] / corners[:, 2:])
    return found


def _centre(corners: np.ndarray) -> tuple[float, float]:
    x, y = corners.mean(axis=0)
    return float(x), float(y)


def _inside(point: tuple[float, float], box: list[float]) -> bool:
    return box[0] - _SLACK <= point[0] <= box[2] + _SLACK and box[1] - _SLACK <= point[1] <= box[3] + _SLACK
