"""What stands on the pages of the reading benchmark: made-up people, and medicines as five countries write them.

Every line is made together with its truth: canonical values are chosen first and written out by tables of this file,
never by the parsers that are measured. Nothing is drawn here.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from demo_content import FIRST, HOSPITALS, LAST, STREETS

from prescriptions.lexicon import Lexicon, Medicine

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


@dataclass
class Row:
    """One written row; ``name`` is the position of the medicine's word."""

    words: list[str]
    name: int | None = None
    indent: int = 0


@dataclass
class Entry:
    """One prescribed medicine: the rows that say it, and what they say; a field that is not written is absent."""

    rows: list[Row]
    truth: dict[str, str] = field(default_factory=dict)


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


_FORM_WORDS = {
    # Short with a full stop, as a lead; and long, behind the strength, one and many.
    "tablet": ("Tab.", "tablet", "tablets"), "capsule": ("Cap.", "capsule", "capsules"),
    "syrup": ("Syp.", "syrup", "syrup"), "suspension": ("Susp.", "suspension", "suspension"),
    "cream": ("Cream", "cream", "cream"), "ointment": ("Oint.", "ointment", "ointment"),
    "injection": ("Inj.", "injection", "injection"),
}  # fmt: skip
_SOLID, _LIQUID, _SKIN = ("tablet", "capsule"), ("syrup", "suspension"), ("cream", "ointment")
_SLOTS = ("1+0+1", "1+1+1", "0+0+1", "1+0+0", "0+1+0", "1+1+1+1")
_LATIN = {"od": ("OD", "od"), "bd": ("BD", "bd", "b.d."), "tds": ("TDS", "tds", "t.d.s."), "qid": ("QID", "qid"),
          "hs": ("HS", "hs"), "q8h": ("8 hourly", "q8h"), "q6h": ("6 hourly",), "eod": ("alternate days",)}  # fmt: skip
_ENGLISH = {"od": ("once daily", "ONCE daily", "once a day"), "bd": ("twice daily", "TWICE daily", "twice a day"),
            "tds": ("three times daily", "three times a day"), "qid": ("four times daily", "four times a day"),
            "hs": ("at night",), "om": ("in the morning", "every morning"), "weekly": ("once a week",),
            "q8h": ("every 8 hours",)}  # fmt: skip
_AMERICAN = {"od": ("daily", "once daily", "QD"), "bd": ("BID", "twice daily"), "tds": ("TID", "three times a day"),
             "qid": ("QID",), "hs": ("QHS", "at bedtime"), "q6h": ("q6h", "every 6 hours"),
             "q12h": ("q12h",)}  # fmt: skip
_SAYS = {"HS": "at-bedtime", "hs": "at-bedtime", "QHS": "at-bedtime", "at bedtime": "at-bedtime",
         "at night": "at-night", "in the morning": "in-the-morning", "every morning": "in-the-morning"}  # fmt: skip
"""Words of a frequency that are an instruction too."""
_FOOD = {"after-food": ("after food", "after meal", "after meals"), "before-food": ("before food", "before meal"),
         "with-food": ("with food",)}  # fmt: skip
_DAYS = (3, 5, 7, 10, 14, 30)
_LENGTHS = {3: ("3 days",), 5: ("5 days",), 7: ("7 days", "1 week"), 10: ("10 days",), 14: ("14 days", "2 weeks"),
            30: ("30 days", "1 month")}  # fmt: skip
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
        chosen = [lexicon.medicines[index] for index in order[split.half :: 2]]
        self._medicines = [medicine for medicine in chosen if _forms(medicine) and 5 <= len(medicine.name) <= 13]
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
            entries=[self._entry(style) for _ in range(int(rng.integers(3, 6 if style in {"uk", "usa"} else 8)))],
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

    def _entry(self, style: str) -> Entry:
        medicine = self._one(self._medicines)
        form = self._one(_forms(medicine))
        truth = {"medicine": medicine.name, "form": form}
        strength = self._strength(medicine, form)
        if strength:
            truth["strength"] = strength
        return getattr(self, f"_{style}")(medicine.name, form, strength, truth)

    def _strength(self, medicine: Medicine, form: str) -> str:
        fitting = _strengths(medicine, form)
        return self._one(fitting) if fitting else ""

    def _written(self, strength: str, *, tight: float = 0.5, capital: bool = False) -> list[str]:
        if not strength:
            return []
        text = strength.replace(" %", "%").replace(" iu", " IU")
        if "/" in text or self._rng.random() < tight:
            text = text.replace(" ", "")
        return (text.upper() if capital else text).split()

    def _often(self, table: dict[str, tuple[str, ...]], truth: dict[str, str]) -> list[str]:
        canonical = self._one(tuple(table))
        words = self._one(table[canonical])
        truth["frequency"] = canonical
        if words in _SAYS:
            _instruct(truth, _SAYS[words])
        return words.split()

    def _food(self, truth: dict[str, str], chance: float) -> list[str]:
        if self._rng.random() >= chance:
            return []
        code = self._one(tuple(_FOOD))
        _instruct(truth, code)
        return self._one(_FOOD[code]).split()

    def _long(self, truth: dict[str, str], chance: float = 0.85) -> list[str]:
        if self._rng.random() >= chance:
            return []
        days = int(self._one(_DAYS))
        truth["duration"] = str(days)
        return self._one(_LENGTHS[days]).split()

    # Countries

    def _bangladesh(self, name, form, strength, truth) -> Entry:
        """``Tab. Napa 500 mg`` and below it ``1+0+1 ---- 7 days (after meal)``, or all in one row."""
        head = [_FORM_WORDS[form][0], name, *self._written(strength)]
        if form in _SKIN:
            dose = ["Apply", *self._often({k: _LATIN[k] for k in ("bd", "tds")}, truth)]
            truth["route"] = "topical"
        else:
            slots = self._one(_SLOTS)
            truth["frequency"] = slots
            dose = [slots]
        length = self._long(truth)
        dose += ([self._one(("--", "x", "-"))] if length else []) + length
        food = self._food(truth, 0.4)
        dose += [f"({' '.join(food)})"] if food else []
        if self._rng.random() < 0.5:
            return Entry([Row(head, 1), Row(" ".join(dose).split(), indent=1)], truth)
        return Entry([Row(" ".join([*head, *dose]).split(), 1)], truth)

    def _india(self, name, form, strength, truth) -> Entry:
        """``TAB. DOLO 650MG 1-0-1 x 5 days after food``, sometimes in capitals and with ``Qty: 10 tabs``."""
        capital = self._rng.random() < 0.5
        lead = _FORM_WORDS[form][0]
        head = [lead.upper() if capital else lead, name.upper() if capital else name,
                *self._written(strength, capital=capital)]  # fmt: skip
        if form in _SKIN:
            dose = [*self._often({k: _LATIN[k] for k in ("bd", "od")}, truth), "L/A"]
            truth["route"] = "topical"
        elif self._rng.random() < 0.5:
            slots = self._one(_SLOTS[:5])
            truth["frequency"] = slots
            dose = [slots.replace("+", "-")]
        else:
            dose = self._often({k: _LATIN[k] for k in ("od", "bd", "tds", "hs")}, truth)
        length = self._long(truth)
        dose += [*(["x"] if length else []), *length, *self._food(truth, 0.4)]
        rows = [Row([*head, *dose], 1)]
        if form in _SOLID and self._rng.random() < 0.3:
            count = int(self._one((10, 14, 15, 20, 30)))
            truth["quantity"] = f"qty {count} {form}"
            rows.append(Row(["Qty:", str(count), f"{lead.strip('.').lower()}s"], indent=1))
        return Entry(rows, truth)

    def _pakistan(self, name, form, strength, truth) -> Entry:
        """``Cap. Risek 20 mg PO od before meal x 14 days``."""
        head = [_FORM_WORDS[form][0], name, *self._written(strength)]
        route = []
        if form in (*_SOLID, *_LIQUID) and self._rng.random() < 0.4:
            route, truth["route"] = [self._one(("PO", "orally", "p.o."))], "oral"
        elif form == "injection":
            route, truth["route"] = (["IV"], "intravenous") if self._rng.random() < 0.5 else (["IM"], "intramuscular")
        elif form in _SKIN:
            route, truth["route"] = ["apply"], "topical"
        dose = [*route, *self._often(_LATIN, truth), *self._food(truth, 0.3)]
        length = self._long(truth)
        return Entry([Row([*head, *dose, *(["x"] if length else []), *length], 1)], truth)

    def _uk(self, name, form, strength, truth) -> Entry:
        """``Amoxicillin 500 mg capsules``, ``Take ONE capsule three times daily for 7 days``, ``Supply 21``."""
        one, many = _FORM_WORDS[form][1:]
        head = [name, *self._written(strength, tight=0.3), many]
        if form in _SKIN:
            dose = ["Apply", *(["thinly"] if self._rng.random() < 0.5 else [])]
            truth["route"] = "topical"
            if "thinly" in dose:
                _instruct(truth, "apply-thinly")
        elif form in _LIQUID:
            dose = ["Take", *self._one((["5", "ml"], ["10", "ml"]))]
        elif form == "injection":
            dose = ["By", "intravenous", "injection"]
            truth["route"] = "intravenous"
        else:
            dose = ["Take", self._one(("ONE", "one", "1")), one]
        dose += self._often(_ENGLISH, truth)
        dose += self._food(truth, 0.25)
        length = self._long(truth, 0.7)
        rows = [Row(head, 0), Row([*dose, *(["for"] if length else []), *length], indent=1)]
        if form in _SOLID and self._rng.random() < 0.5:
            count = int(self._one((7, 14, 21, 28, 56)))
            truth["quantity"] = f"qty {count} {form}"
            rows.append(Row([self._one(("Supply:", "Mitte", "Quantity:")), str(count), many], indent=1))
        return Entry(rows, truth)

    def _usa(self, name, form, strength, truth) -> Entry:
        """``Lisinopril 10 mg tab``, ``Sig: 1 tab PO daily``, ``Disp: #30 Refills: 2``."""
        short = {"tablet": "tab", "capsule": "cap"}.get(form, _FORM_WORDS[form][1])
        head = [name, *self._written(strength, tight=0.3), short]
        if form in _SKIN:
            dose = ["Apply", "to", "affected", "area"]
            truth["route"] = "topical"
        elif form == "injection":
            dose, truth["route"] = ["1", "dose", "IM"], "intramuscular"
        elif self._rng.random() < 0.5:
            dose, truth["route"] = [*(["1", short] if form in _SOLID else ["5", "mL"]), "PO"], "oral"
        else:
            dose, truth["route"] = ["Take", *(["1", short] if form in _SOLID else ["5", "mL"]), "by", "mouth"], "oral"
        dose += self._often(_AMERICAN, truth)
        dose += self._food(truth, 0.2)
        length = self._long(truth, 0.6)
        rows = [Row(head, 0), Row(["Sig:", *dose, *([self._one(("x", "for"))] if length else []), *length], indent=1)]
        count = int(self._one((10, 20, 30, 60, 90)))
        if form in _SOLID:
            truth["quantity"] = f"qty {count}"
            rows.append(Row(["Disp:", f"#{count}", *(["Refills:", str(self._rng.integers(0, 4))])], indent=1))
        return Entry(rows, truth)


def _forms(medicine: Medicine) -> list[str]:
    return [form for form in _FORM_WORDS if form in medicine.forms and _strengths(medicine, form)]


def _strengths(medicine: Medicine, form: str) -> list[str]:
    single = [text for text in medicine.strengths if " + " not in text and len(text) <= 16]
    if form in _SKIN:
        return [text for text in single if "%" in text]
    if form in _LIQUID:
        return [text for text in single if text.endswith("ml") and "/" in text]
    return [text for text in single if "/" not in text and "%" not in text]


def _instruct(truth: dict[str, str], code: str) -> None:
    said = {*truth.get("instructions", "").split("|"), code} - {""}
    truth["instructions"] = "|".join(sorted(said))
