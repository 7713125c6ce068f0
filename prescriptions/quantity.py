"""How much to dispense: ``#30``, ``Qty 10 tabs``, ``Disp: 1 bottle``, ``x 20 caps``, ``2 strips``.

A bare count before a dose form (``2 tablets``) is what to take at once, not what to dispense; it is no quantity.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

MAX_COUNT = 9999
_UNITS = {
    "tablet": r"tab(?:let)?s?",
    "capsule": r"cap(?:sule)?s?",
    "bottle": r"bottles?|btls?",
    "strip": r"strips?",
    "tube": r"tubes?",
    "box": r"box(?:es)?",
    "pack": r"pack(?:et|s|ets)?",
    "vial": r"vials?",
    "ampoule": r"amp(?:oule)?s?",
    "sachet": r"sachets?",
    "inhaler": r"inhalers?",
    "patch": r"patch(?:es)?",
    "suppository": r"supp(?:ositor(?:y|ies))?",
    "ml": r"ml",
    "g": r"gm?|grams?",
}
UNITS = tuple(_UNITS)
"""Every unit that a ``Quantity`` may have."""

_PACKAGES = ("bottle", "strip", "tube", "box", "pack")
_ANY = "|".join(_UNITS.values())
# Times so many millilitres is a dose.
_PIECES = "|".join(shape for unit, shape in _UNITS.items() if unit not in {"ml", "g"})
_OTHER_UNITS = r"days?|weeks?|months?|hours?|times?|mg|mcg|iu"
_LABEL = (
    r"(?:#|(?<!\w)(?:qty|quantity|disp(?:ense)?|mitte|supply|total)(?![a-z])\s*[.:]?"
    # Disp with one letter misread, only with its colon.
    r"|(?<!\w)(?:[a-z]isp|d[a-z]sp|di[a-z]p)\s*:)"
)
_LABELLED = re.compile(
    rf"{_LABEL}\s*(?P<count>\d{{1,4}})(?:\s*(?P<unit>{_ANY})(?!\w)|(?![\w/%+]|[.,]\d|\s*(?:{_OTHER_UNITS})(?!\w)))",
    re.IGNORECASE,
)
_TIMES = re.compile(rf"(?<!\w)[x×]\s*(?P<count>\d{{1,4}})\s*(?P<unit>{_PIECES})(?!\w)", re.IGNORECASE)
_PACKED = re.compile(
    rf"(?<![\w.+\-/])(?P<count>\d{{1,3}})\s*(?P<unit>{'|'.join(_UNITS[unit] for unit in _PACKAGES)})(?!\w)",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Quantity:
    """A number of pieces, packages or millilitres."""

    count: int
    """1 to 9999."""
    unit: str | None
    """Of ``UNITS``; None when the page gives the number alone."""

    def __str__(self) -> str:
        return f"qty {self.count}" + (f" {self.unit}" if self.unit else "")


def find_quantity(text: str) -> Quantity | None:
    """The first quantity in ``text``; labelled ones win over ``x 20 caps``, those over ``2 strips``."""
    for pattern in (_LABELLED, _TIMES, _PACKED):
        for match in pattern.finditer(text):
            if int(match["count"]) > 0:
                return Quantity(int(match["count"]), _unit_of(match["unit"]))
    return None


def parse_quantity(text: str) -> Quantity | None:
    """The quantity whose canonical text this is; None for any other text."""
    quantity = find_quantity(text)
    return quantity if quantity is not None and str(quantity) == text else None


def _unit_of(written: str | None) -> str | None:
    if written is None:
        return None
    return next(unit for unit, shape in _UNITS.items() if re.fullmatch(shape, written, re.IGNORECASE))
