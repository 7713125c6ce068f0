"""How often and when: ``1+0+1``, ``bd``, ``q8h``, ``twice daily``, ``sos``."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal

_WORDS = {
    "od": "1",
    "qd": "1",
    "daily": "1",
    "once daily": "1",
    "once a day": "1",
    "om": "1",
    "mane": "1",
    "hs": "1",
    "nocte": "1",
    "at night": "1",
    "at bedtime": "1",
    "bd": "2",
    "bid": "2",
    "bds": "2",
    "twice daily": "2",
    "twice a day": "2",
    "tds": "3",
    "tid": "3",
    "thrice daily": "3",
    "three times daily": "3",
    "three times a day": "3",
    "qid": "4",
    "qds": "4",
    "four times daily": "4",
    "four times a day": "4",
    "eod": "0.5",
    "alternate days": "0.5",
    "sos": None,
    "prn": None,
    "as needed": None,
    "when required": None,
    "stat": None,
}
_CANONICAL = {
    "qd": "od",
    "daily": "od",
    "once daily": "od",
    "once a day": "od",
    "mane": "om",
    "nocte": "hs",
    "at night": "hs",
    "at bedtime": "hs",
    "bid": "bd",
    "bds": "bd",
    "twice daily": "bd",
    "twice a day": "bd",
    "tid": "tds",
    "thrice daily": "tds",
    "three times daily": "tds",
    "three times a day": "tds",
    "qds": "qid",
    "four times daily": "qid",
    "four times a day": "qid",
    "alternate days": "eod",
    "prn": "sos",
    "as needed": "sos",
    "when required": "sos",
}
_DOSE = r"(?:1/2|\d(?:\.\d)?|½|[oOlI])"
_SLOTS = re.compile(rf"(?<![\w.]){_DOSE}(?:\s*(?P<sep>[+\-–])\s*{_DOSE})(?:\s*(?P=sep)\s*{_DOSE}){{1,2}}(?![\w./])")
_EVERY = re.compile(r"(?<!\w)q\.?\s*(?P<hours>\d{1,2})\s*h(?:rs?|ourly)?(?!\w)", re.IGNORECASE)
_EVERY_LONG = re.compile(r"(?<!\w)(?:every\s+)?(?P<hours>\d{1,2})\s*hour(?:s|ly)(?!\w)", re.IGNORECASE)
_WORD = re.compile(
    r"(?<![\w.])(?:"
    + "|".join(
        # Latin abbreviations are also written with full stops (b.d., t.d.s.), words with any space between them.
        r"\.?".join(word) if len(word) <= 4 and " " not in word and word != "stat" else word.replace(" ", r"\s+")
        for word in sorted(_WORDS, key=len, reverse=True)
    )
    + r")\.?(?!\w)",
    re.IGNORECASE,
)
_MAX_HOURS = 72


@dataclass(frozen=True, slots=True)
class Frequency:
    """A normalised frequency."""

    text: str
    """Canonical: ``1+0+1``, ``q8h``, or one of ``od om hs bd tds qid eod sos stat``."""
    doses_per_day: Decimal | None
    """Doses in a day; None when taken as needed or once."""

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, slots=True)
class FoundFrequency:
    """A frequency and where it stands in the text."""

    frequency: Frequency
    start: int
    """First character."""
    end: int
    """One past the last character."""


def find_frequency(text: str) -> FoundFrequency | None:
    """The first frequency in ``text``; slots (1+0+1) win over hours, hours over words."""
    for pattern, read in (
        (_SLOTS, _from_slots),
        (_EVERY, _from_hours),
        (_EVERY_LONG, _from_hours),
        (_WORD, _from_word),
    ):
        for match in pattern.finditer(text):
            frequency = read(match)
            if frequency is not None:
                return FoundFrequency(frequency, match.start(), match.end())
    return None


def parse_frequency(text: str) -> Frequency | None:
    """The frequency that ``text`` is, from end to end; None when it is anything else."""
    stripped = text.strip()
    found = find_frequency(stripped)
    return found.frequency if found and (found.start, found.end) == (0, len(stripped)) else None


def _from_slots(match: re.Match[str]) -> Frequency | None:
    slots = [_slot(part) for part in re.split(r"[+\-–]", match[0])]
    total = sum(slots, Decimal(0))
    if total == 0:
        return None
    return Frequency("+".join(f"{slot.normalize():f}" for slot in slots), total)


def _slot(text: str) -> Decimal:
    plain = text.strip().translate(str.maketrans("oOlI", "0011"))
    return Decimal("0.5") if plain in {"½", "1/2"} else Decimal(plain)


def _from_hours(match: re.Match[str]) -> Frequency | None:
    hours = int(match["hours"])
    if not 1 <= hours <= _MAX_HOURS:
        return None
    return Frequency(f"q{hours}h", Decimal(24) / hours)


def _from_word(match: re.Match[str]) -> Frequency:
    word = re.sub(r"\s+", " ", match[0].lower().replace(".", "")).strip()
    doses = _WORDS[word]
    return Frequency(_CANONICAL.get(word, word), None if doses is None else Decimal(doses))
