"""What stands on the pages of the reading benchmark: made-up people, and medicines as five countries write them.

Every line is made together with its truth: canonical values are chosen first and written out by the tables of
``reading_entries``, never by the parsers that are measured. Nothing is drawn here.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from demo_content import FIRST, HOSPITALS, LAST, STREETS
from reading_entries import Entry, EntryWriter

from prescriptions.lexicon import Lexicon

FIELDS = ("medicine", "strength", "form", "route", "frequency", "duration", "quantity", "instructions")
STYLES = ("bangladesh", "india", "pakistan", "uk", "usa")


@dataclass(frozen=True)
class Split:
    """What may be looked at while the reading is improved, and what is measured at the end."""

    name: str
    seed: int
    typed: tuple[str, ...]
    hands: tuple[str, ...]
    half: int
    """Of the lexicon's names, of the people and of the hospitals."""


SPLITS = {
    "development": Split(
        "development", 101, ("open-sans", "roboto", "courier-prime", "merriweather"),
        ("caveat", "handlee", "architects-daughter", "indie-flower", "schoolbell", "shadows-into-light",
         "nothing-you-could-do", "cedarville-cursive"), 0),
    "held-out": Split(
        "held-out", 20_260, ("lato", "pt-serif", "ibm-plex-sans"),
        ("patrick-hand", "kalam", "coming-soon", "dancing-script", "gloria-hallelujah", "covered-by-your-grace",
         "bad-script"), 1),
}  # fmt: skip


@dataclass(frozen=True)
class Sheet:
    """Everything on one page besides its looks."""

    style: str
    hospital: str
    doctor: list[str]
    patient_rows: list[list[tuple[str, str]]]
    """Label and value."""
    findings: list[str]
    entries: list[Entry]
    advice: str


_FINDINGS = ("C/C: Fever for 3 days", "O/E: BP 120/80 mmHg, Temp 101 F", "H/O: Asthma", "Dx: URTI", "Wt: 62 kg",
             "Allergies: none known", "Pulse 84/min", "Inv: CBC, RBS, Urine R/E")  # fmt: skip
_ADVICE = ("Drink plenty of water", "Avoid oily food", "Rest for three days", "Review after 2 weeks",
           "Come again after 7 days with reports", "Follow up in one month")  # fmt: skip


class Writer:
    """Makes the contents of pages of one split."""

    def __init__(self, lexicon: Lexicon, split: Split, rng: np.random.Generator) -> None:
        self._rng = rng
        # The halves share no name: the permutation's seed is the same for both.
        order = np.random.default_rng(7).permutation(len(lexicon.medicines))
        self._medicines = EntryWriter([lexicon.medicines[index] for index in order[split.half :: 2]], rng)
        self._first, self._last = FIRST[split.half :: 2], LAST[split.half :: 2]
        self._hospitals = HOSPITALS[split.half :: 2]

    def sheet(self, style: str) -> Sheet:
        """One page in a country's style."""
        rng = self._rng
        patient = f"{self._one(self._first)} {self._one(self._last)}"
        return Sheet(
            style=style,
            hospital=self._one(self._hospitals),
            doctor=[
                f"Dr. {self._one(self._first)} {self._one(self._last)}, MBBS, FCPS",
                f"Reg. No. A-{rng.integers(10_000, 99_999)}   Tel: {self._phone()}",
                f"{rng.integers(1, 180)} {self._one(STREETS)}   E-mail: desk{rng.integers(10, 99)}@example.org",
            ],
            patient_rows=self._patient_rows(patient),
            findings=[str(text) for text in rng.choice(_FINDINGS, size=int(rng.integers(0, 4)), replace=False)],
            entries=[
                self._medicines.entry(style) for _ in range(int(rng.integers(3, 6 if style in {"uk", "usa"} else 8)))
            ],
            advice=self._one(_ADVICE),
        )

    def _patient_rows(self, patient: str) -> list[list[tuple[str, str]]]:
        rng = self._rng
        age, sex = str(rng.integers(3, 88)), self._one(("M", "F"))
        phone = self._phone()
        date = f"{rng.integers(1, 29):02}/{rng.integers(1, 13):02}/2025"
        name = self._one(("Name:", "Patient:", "Patient Name:"))
        blocks = (
            [[(name, patient), ("Age:", age), ("Date:", date)],
             [("Phone:", phone), ("Address:", f"{rng.integers(1, 180)} {self._one(STREETS)}")]],
            [[(name, patient), ("Age/Sex:", f"{age}/{sex}")], [("ID:", f"{rng.integers(10_000, 99_999)}"),
             ("Date:", date)]],
            [[("Date:", date), (name, patient)], [("Age:", age), ("Sex:", sex), ("Mobile:", phone)]],
        )  # fmt: skip
        return blocks[rng.integers(len(blocks))]

    def _phone(self) -> str:
        return f"0{self._rng.integers(1000, 9999)} 555 {self._rng.integers(100, 999)}"

    def _one(self, choices):
        return choices[self._rng.integers(len(choices))]
