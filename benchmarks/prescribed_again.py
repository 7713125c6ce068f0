"""Part of benchmarks/duplicates.py: prescriptions that were written twice, and repeats that only look so, read and
compared.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from datetime import date
from itertools import combinations, groupby

from benchmarks.altered_pages import PRINTING, REPEAT, clinic_of, day_of, draw, patient_of
from prescriptions.lexicon import bundled_lexicon
from prescriptions.page import page_of
from prescriptions.page_date import find_page_date
from prescriptions.pipeline import examine_page
from prescriptions.readers import make_reader
from prescriptions.reissue import Prescribed, PrescribedMedicine, reissue_of
from protocol.errors import QuarantinedError

WRITINGS = (1, 2, REPEAT)


class Engine:
    """The reader of this process, and its lexicon."""

    reader = None
    lexicon = None


def begin() -> None:
    Engine.reader, Engine.lexicon = make_reader("rapidocr"), bundled_lexicon("demo")


def read_three(task: tuple[int, int]) -> list[dict]:
    """The lines of text and the medicines of a prescription, of the same once more, and of its repeat."""
    return [_read(*task, writing) for writing in WRITINGS]


def _read(number: int, seed: int, writing: int) -> dict:
    try:
        page = examine_page(page_of(draw(number, seed, writing)), Engine.reader, Engine.lexicon)
    except QuarantinedError:
        return {"lines": [], "medicines": []}
    return {
        "lines": [[word.text for word in line] for _, line in groupby(page.words, key=lambda word: word.line)],
        "medicines": [
            [line.candidates[0].name, str(line.strength or ""), str(line.frequency or "")]
            for line in page.prescription.lines
            if line.candidates
        ],
    }


def prescribed(reading: dict) -> Prescribed:
    medicines = tuple(PrescribedMedicine(*parts) for parts in reading["medicines"])
    return Prescribed(find_page_date(reading["lines"]), medicines)


@dataclass
class Tally:
    """What became of the pairs of one patient's pages."""

    again: Counter = field(default_factory=Counter)
    """Written twice; by the reason, None where it was missed."""
    repeats: Counter = field(default_factory=Counter)
    """The same medicines on another day."""
    others: Counter = field(default_factory=Counter)
    """Other medicines."""
    days: Counter = field(default_factory=Counter)
    """Of the pages: whether the day was read right, wrong or not."""

    def recall(self) -> float:
        return 1 - self.again[None] / max(1, self.again.total())

    def precision(self) -> float:
        found = [tally.total() - tally[None] for tally in (self.again, self.repeats, self.others)]
        return found[0] / max(1, sum(found))


def tally(readings: dict[int, list[dict]], numbers: list[int], seed: int) -> Tally:
    """Compares every two pages of a patient among some prescriptions."""
    found = Tally()
    patients = defaultdict(list)
    for number in numbers:
        for writing, reading in zip(WRITINGS, readings[number], strict=True):
            page = prescribed(reading)
            found.days[_how_read(page.written_on, day_of(number, seed, writing))] += 1
            patients[patient_of(number)].append((number, writing, page))
    for pages in patients.values():
        for (one, first, page), (other, second, later) in combinations(pages, 2):
            counter = found.others if one != other else found.repeats if REPEAT in (first, second) else found.again
            counter[reissue_of(page, later)] += 1
    return found


def _how_read(read: date | None, written: date) -> str:
    return "not" if read is None else "right" if read == written else "wrong"


def is_printed(number: int) -> bool:
    return clinic_of(number) == PRINTING
