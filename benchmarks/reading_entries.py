"""How five countries write a prescribed medicine: the rows of the reading benchmark's pages, each with its truth.

Canonical values are chosen first and written out by the tables of this file.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from prescriptions.lexicon import Medicine


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


class EntryWriter:
    """Writes medicines, drawn from those that have a form and a strength to write."""

    def __init__(self, medicines: list[Medicine], rng: np.random.Generator) -> None:
        self._rng = rng
        self._medicines = [medicine for medicine in medicines if _forms(medicine) and 5 <= len(medicine.name) <= 13]

    def entry(self, style: str) -> Entry:
        """One medicine in a country's style."""
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

    def _one(self, choices):
        return choices[self._rng.integers(len(choices))]

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
