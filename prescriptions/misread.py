"""Undoes usual misreadings of digits, only where the place leaves no doubt that a number stands there.

``I`` for 1, ``O`` for 0, ``S`` for 5 and ``B`` for 8 are repaired before a unit, between the signs of ``1+0+1``, before
days, weeks and months, and after a quantity's label; a stroke between plus signs is a 1. A word is never touched, and
no digit is added.
"""

from __future__ import annotations

import re

_MISREAD_AMOUNT = re.compile(
    r"(?<![^\W_])(?=[\w.]*\d|[OoSsIlB]\s*m|[Il]\s+g\b)[\dOoSsIlB.,]+(?=\s*(?:mg|mcg|ml|gm?|%|iu)(?![a-z]))",
    re.IGNORECASE,
)
_MISREAD_SLOT = re.compile(r"(?<!\w)[\dOoIl|](?:\s*[+\-]\s*[\dOoIl|]){2}(?!\w)")
_MISREAD_PLUS_SLOT = re.compile(r"(?<!\w)[\dOoDIl|/(!](?:\s*\+\s*[\dOoDIl|/(!]){2,3}(?![\w/])")
_MISREAD_IU = re.compile(r"(?<=\d)(\s*)l[uU](?!\w)")
_STUCK_TIMES = re.compile(r"(?<=[+\-][\dOoIl])[x×](?=\s*\d)", re.IGNORECASE)
_MISREAD_SLASH = re.compile(r"(?<=\dmg)[lI|](?=\d)", re.IGNORECASE)
_MISREAD_HOURS = re.compile(r"(?<!\w)[9g](?=(?:4|6|8|12|24)\s*h(?!\w))")
_MISREAD_TWELVE = re.compile(r"(?<!\w)q[lI|/](?=2\s*h(?!\w))")
_STUCK_DASH = re.compile(r"(?<=\+[\dOoIl])\s*-(?=\s*\d{1,3}\s*(?:days?|weeks?|months?)(?!\w))")
_PARTED_DECIMAL = re.compile(r"(?<!\w)(\d)\.\s+(?=[\dSOo]{1,3}\s*(?:mg|mcg|ml)(?!\w))")
_MISREAD_DAYS = re.compile(
    r"(?<!\w)(?P<times>(?:[x×]|for)\s*)?"
    # A letter alone is a number only behind a times sign or "for".
    r"(?P<count>(?=\w*\d)[\dOoIlS|]{1,3}|(?:(?<=x)|(?<=[x×] )|(?<=for ))[IlS|])"
    r"(?=\s*(?:days?|weeks?|wks?|months?)(?!\w))"
)
_MISREAD_COUNT = re.compile(r"(?:#|(?i:qty|disp|dispense|mitte)\s*[.:]?)\s*(?=[\dOoIlS|]*\d)[\dOoIlS|]{1,4}(?!\w)")
_LABEL_END = re.compile(r"[\dOoIlS|]+\Z")
_AS_SLOTS = str.maketrans("OoDIl|/(!", "000111111")
_AS_DIGITS = str.maketrans("OoSsIlB|", "00551181")


def repair_digits(text: str) -> str:
    """The text with misread digits put right: ``0.0S %``, ``Smg``, ``I+0+1``, ``98h`` for q8h, ``l0 days``."""
    parted = _STUCK_DASH.sub(" - ", _MISREAD_SLASH.sub("/", _STUCK_TIMES.sub(" x ", text)))
    amounts = _MISREAD_AMOUNT.sub(_digits, _MISREAD_IU.sub(r"\1IU", _PARTED_DECIMAL.sub(r"\1.", parted)))
    slots = _MISREAD_PLUS_SLOT.sub(_slots, _MISREAD_SLOT.sub(_digits, amounts))
    days = _MISREAD_DAYS.sub(lambda match: (match["times"] or "") + match["count"].translate(_AS_DIGITS), slots)
    counts = _MISREAD_COUNT.sub(lambda match: _LABEL_END.sub(_digits, match[0]), days)
    return _MISREAD_TWELVE.sub("q1", _MISREAD_HOURS.sub("q", counts))


def _slots(match: re.Match[str]) -> str:
    return match[0].translate(_AS_SLOTS)


def _digits(match: re.Match[str]) -> str:
    return match[0].translate(_AS_DIGITS)
