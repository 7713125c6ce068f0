"""Made-up people and plausible prescriptions for the synthetic pages. Nothing is drawn here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

    from prescriptions.lexicon import Medicine

FORMS = {
    "tablet": "Tab.", "capsule": "Cap.", "syrup": "Syp.", "suspension": "Syp.", "cream": "Cream", "ointment": "Oint.",
    "gel": "Gel", "drops": "Drops", "injection": "Inj.", "inhaler": "Inhaler", "solution": "Syp.", "spray": "Spray",
    "lotion": "Lotion", "patch": "Patch", "powder": "Powder", "suppository": "Supp.",
}  # fmt: skip
FREQUENCIES = ("1+0+1", "1+1+1", "0+0+1", "1+0+0", "1-0-1", "bd", "tds", "od", "hs", "q8h")
HOSPITALS = ("Riverside General Hospital", "Green Valley Clinic", "Lakeview Medical Centre", "Sunrise Care Hospital",
              "Hillcrest Health Clinic", "Northgate Hospital", "Old Bridge Clinic", "Meadow Park Hospital")  # fmt: skip
FIRST = ("Amina", "Karim", "Rahul", "Priya", "David", "Sofia", "Noor", "Elena", "Tomas", "Grace", "Imran", "Maria")
LAST = ("Rahman", "Das", "Hossain", "Silva", "Okafor", "Khan", "Roy", "Novak", "Begum", "Walker", "Mehta", "Costa")
STREETS = ("Mill Road", "Station Road", "Lake Street", "Garden Lane", "Temple Road", "Market Street")
ADVICE = ("Drink plenty of water", "Avoid oily food", "Rest for three days", "Light walk every morning")


@dataclass(frozen=True, slots=True)
class Patient:
    """A made-up person."""

    patient_id: str
    name: str
    age: int
    phone: str
    street: str


@dataclass(frozen=True, slots=True)
class Line:
    """One medicine as it will be written."""

    name: str
    form: str
    strength: str
    frequency: str
    days: int


def make_patients(count: int, rng: np.random.Generator) -> list[Patient]:
    """Made-up people with seeded private strings, ids P001 and up."""
    return [
        Patient(
            patient_id=f"P{number:03}",
            name=f"{FIRST[rng.integers(len(FIRST))]} {LAST[rng.integers(len(LAST))]}",
            age=int(rng.integers(3, 88)),
            phone=f"0{rng.integers(1000, 9999)} 555 {rng.integers(100, 999)}",
            street=f"{rng.integers(1, 180)} {STREETS[rng.integers(len(STREETS))]}",
        )
        for number in range(1, count + 1)
    ]


def make_line(medicine: Medicine, rng: np.random.Generator) -> Line:
    """A plausible way to prescribe a medicine: a form and a single strength that the lexicon knows."""
    forms = [form for form in ("tablet", "capsule", "syrup", "suspension", "cream", "ointment", "gel", "drops")
             if form in medicine.forms] or list(medicine.forms)  # fmt: skip
    form = forms[rng.integers(min(2, len(forms)))]
    liquid, skin = form in {"syrup", "suspension", "solution"}, form in {"cream", "ointment", "gel", "lotion", "drops"}
    single = [text for text in medicine.strengths if " + " not in text]
    fitting = [text for text in single if ("/" in text) == liquid and ("%" in text) == skin] or single
    strength = fitting[rng.integers(len(fitting))] if fitting else ""
    if rng.random() < 0.5:
        strength = strength.replace(" mg", "mg")
    return Line(medicine.name, form, strength, FREQUENCIES[rng.integers(len(FREQUENCIES))],
                int(rng.choice([3, 5, 7, 10, 14])))  # fmt: skip
