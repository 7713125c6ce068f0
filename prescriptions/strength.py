"""Strengths as they are written on prescriptions and in product lists: ``500mg``, ``5 mg/5ml``, ``0.5 %``."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal

_UNITS = {
    "mg": "mg",
    "mgm": "mg",
    "rng": "mg",
    "mq": "mg",
    "g": "g",
    "gm": "g",
    "gms": "g",
    "gram": "g",
    "grams": "g",
    "mcg": "mcg",
    "ug": "mcg",
    "µg": "mcg",
    "μg": "mcg",
    "iu": "iu",
    "units": "iu",
    "unit": "iu",
    "usp units": "iu",
    "ml": "ml",
    "mi": "ml",
    "meq": "meq",
    "%": "%",
}
_IN_MG = {"mg": Decimal(1), "g": Decimal(1000), "mcg": Decimal("0.001")}
# 025 has lost its point: 25 would be a hundredfold dose, so it is no number at all.
_NUMBER = r"\d{1,3}(?:,\d{3})+(?:\.\d+)?|(?:0|[1-9]\d*)(?:\.\d+)?|\.\d+"
_UNIT = "|".join(sorted((re.escape(unit) for unit in _UNITS), key=len, reverse=True))
_STRENGTH = re.compile(
    rf"(?<![\w.,])(?P<amount>{_NUMBER})\s*(?P<unit>{_UNIT})(?![a-z])"
    rf"(?:\s*(?:/|per)\s*(?P<volume>{_NUMBER})?\s*(?:ml|mi)(?![a-z]))?",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Strength:
    """An amount of substance, alone or in a volume.

    Equality compares what was written; ``same_as`` compares what it means (1 g and 1000 mg, 250 mg/5 ml and 50 mg/ml).
    """

    amount: Decimal
    """Positive, in ``unit``."""
    unit: str
    """``mg``, ``g``, ``mcg``, ``iu``, ``meq``, ``ml`` or ``%``."""
    volume_ml: Decimal | None = None
    """The volume that holds the amount, in millilitres; None for a strength per piece."""

    def same_as(self, other: Strength) -> bool:
        """Whether both mean the same strength."""
        return self._meaning() == other._meaning()

    def plus(self, other: Strength) -> Strength | None:
        """The sum of two ingredients' amounts (500 mg + 125 mg is sold as 625 mg); None where no sum is meant."""
        if self.volume_ml != other.volume_ml or self.unit == "%" or other.unit == "%":
            return None
        mine, theirs = self._meaning(), other._meaning()
        if mine[1] != theirs[1]:
            return None
        total = mine[0] + theirs[0]
        return Strength(total * (self.volume_ml or 1), mine[1], self.volume_ml)

    def _meaning(self) -> tuple[Decimal, str, bool]:
        factor = _IN_MG.get(self.unit)
        amount, unit = (self.amount * factor, "mg") if factor is not None else (self.amount, self.unit)
        if self.volume_ml is not None:
            amount = amount / self.volume_ml
        return amount.normalize(), unit, self.volume_ml is not None

    def __str__(self) -> str:
        text = f"{_plain(self.amount)} {self.unit}"
        if self.volume_ml is None:
            return text
        return f"{text}/ml" if self.volume_ml == 1 else f"{text}/{_plain(self.volume_ml)} ml"


@dataclass(frozen=True, slots=True)
class FoundStrength:
    """A strength and where it stands in the text."""

    strength: Strength
    start: int
    """First character."""
    end: int
    """One past the last character."""


def find_strengths(text: str) -> tuple[FoundStrength, ...]:
    """Every strength in ``text``, from left to right. An amount of nothing is no strength."""
    found = []
    for match in _STRENGTH.finditer(text):
        strength = _strength_of(match)
        if strength is not None:
            found.append(FoundStrength(strength, match.start(), match.end()))
    return tuple(found)


def parse_strength(text: str) -> Strength | None:
    """The strength that ``text`` is, from end to end; None when it is anything else."""
    match = _STRENGTH.fullmatch(text.strip())
    return _strength_of(match) if match else None


def _strength_of(match: re.Match[str]) -> Strength | None:
    amount = Decimal(match["amount"].replace(",", ""))
    unit = _UNITS[match["unit"].lower()]
    volume = None
    if re.search(r"/|per", match[0], re.IGNORECASE):
        volume = Decimal((match["volume"] or "1").replace(",", ""))
    if amount <= 0 or (volume is not None and volume <= 0):
        return None
    return Strength(amount, unit, volume)


def _plain(number: Decimal) -> str:
    text = f"{number:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
