"""How often and when: ``1+0+1``, ``bd``, ``q8h``, ``twice daily``, ``every 3 days``, ``sos``."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal

from prescriptions.as_needed import find_as_needed

DAY_HOURS = 24
_WEEK_HOURS, _MONTH_HOURS = 7 * DAY_HOURS, 30 * DAY_HOURS
_MAX_HOURS = 72
_MAX_TIMES = 12
_CANONICAL = {
    # Text: times, in so many hours. None: when needed, or at once and never again.
    "od": (1, DAY_HOURS),
    "om": (1, DAY_HOURS),
    "hs": (1, DAY_HOURS),
    "bd": (2, DAY_HOURS),
    "tds": (3, DAY_HOURS),
    "qid": (4, DAY_HOURS),
    "eod": (1, 2 * DAY_HOURS),
    "weekly": (1, _WEEK_HOURS),
    "monthly": (1, _MONTH_HOURS),
    "sos": None,
    "stat": None,
}
_SPELLINGS = {
    "od": "od|qd|daily|every day|each day|once daily|once a day|once in a day|once per day",
    "om": "om|qam|mane|every morning|in the morning|each morning",
    "hs": "hs|qhs|nocte|at night|every night|each night|at bedtime|at bed time|before bed|before sleep",
    "bd": "bd|bid|bds|morning and night|morning and evening|morning & night",
    "tds": "tds|tid|thrice daily|thrice a day|thrice in a day",
    "qid": "qid|qds",
    "eod": "eod|qod|alternate days|alternate day|alt days|alt day|every other day|every second day|on alternate days",
    "weekly": "weekly|once weekly|once a week|once in a week|every week|once per week",
    "monthly": "monthly|once monthly|once a month|every month",
    "stat": "stat|at once|immediately|single dose",
}
_MEANING = {spelling: text for text, spellings in _SPELLINGS.items() for spelling in spellings.split("|")}
_LOOKALIKES = str.maketrans("0l1|5", "oiiis")
_LATIN = {word.translate(_LOOKALIKES): word for word in _MEANING if len(word) <= 4 and word.isalpha()}

_DOSE = r"(?:1\s1/2|1/2|1/4|3/4|\d(?:\.(?:5|25|75))?[½¼¾]?|[½¼¾]|[oOlI])"
_SLOTS = re.compile(rf"(?<![\w.]){_DOSE}(?:\s*(?P<sep>[+\-–])\s*{_DOSE})(?:\s*(?P=sep)\s*{_DOSE}){{1,2}}(?![\w/]|\.\d)")
_QUARTERS = {"½": 2, "¼": 1, "¾": 3, "1/2": 2, "1/4": 1, "3/4": 3, ".5": 2, ".25": 1, ".75": 3}
_EVERY = re.compile(r"(?<!\w)q\.?\s*(?P<count>\d{1,2})\s*(?P<unit>[hd])(?:rs?|ourly|ays?)?\.?(?!\w)", re.IGNORECASE)
_EVERY_LONG = re.compile(
    r"(?<!\w)(?:every\s+(?P<hours>\d{1,2})\s*(?:hours?|hrs?|h)|(?P<hourly>\d{1,2})\s*-?\s*(?:hourly|hrly)"
    r"|every\s+(?P<days>\d{1,2}|two|three|four|five|six)\s*days?)(?!\w)",
    re.IGNORECASE,
)
_NUMBERS = {"once": 1, "twice": 2, "thrice": 3, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6}
_ADVERBS = frozenset({"once", "twice", "thrice"})
_TIMES = re.compile(
    rf"(?<![\w.+/])(?:(?P<count>\d{{1,2}}|{'|'.join(_NUMBERS)})\s*(?P<marked>times?|x|×|/|per(?!\w))?)"
    r"\s*(?:(?:/|in\s+an?(?!\w)|an?(?!\w)|per(?!\w)|each(?!\w)|every(?!\w))\s*)?(?P<period>daily|day|weekly|week)(?!\w)",
    re.IGNORECASE,
)
# Engines put spaces behind the full stops of t.d.s.
_DOTTED = "|".join(r"\.\s?".join(word) for word in sorted(_LATIN.values(), key=len, reverse=True))
_TOKEN = re.compile(rf"(?<![\w.])(?:(?:{_DOTTED})\.?|(?:[a-z0-9|]\.?){{2,4}})(?!\w)", re.IGNORECASE)
_PHRASE = re.compile(
    r"(?<![\w.])(?:"
    + "|".join(
        re.escape(word).replace(r"\ ", r"\s+")
        for word in sorted(_MEANING, key=len, reverse=True)
        if word not in _LATIN.values()
    )
    + r")(?!\w)",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Frequency:
    """A normalised frequency. Its canonical text says all of it: ``parse_frequency(text)`` gives it back."""

    text: str
    """``1+0+1``, ``q8h``, ``q3d``, ``5 times daily``, ``2 times weekly`` or one of ``od om hs bd tds qid eod weekly
    monthly sos stat``."""
    times: int | None
    """How often within ``period_hours``; None when taken as needed or once."""
    period_hours: int | None
    """24 for a day; None when ``times`` is."""
    slot_quarters: tuple[int, ...] = ()
    """Of ``1+0+½``: what is taken in the morning, at noon, (in the evening,) at night, in quarters: 4, 0, 2."""

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
    """The first frequency in ``text``.

    Slots (1+0+1) win over hours, those over counts, those over words; ``sos`` is the answer only when nothing says
    how often.
    """
    for pattern, read in (
        (_SLOTS, _from_slots),
        (_EVERY, _from_interval),
        (_EVERY_LONG, _from_interval),
        (_TIMES, _from_count),
        (_TOKEN, _from_token),
        (_PHRASE, _from_phrase),
    ):
        for match in pattern.finditer(text):
            frequency = read(match)
            if frequency is not None:
                return FoundFrequency(frequency, match.start(), match.end())
    needed = find_as_needed(text)
    return FoundFrequency(_of("sos"), needed.start(), needed.end()) if needed else None


def parse_frequency(text: str) -> Frequency | None:
    """The frequency that ``text`` is, from end to end; None when it is anything else."""
    stripped = text.strip()
    found = find_frequency(stripped)
    return found.frequency if found and (found.start, found.end) == (0, len(stripped)) else None


def _from_slots(match: re.Match[str]) -> Frequency | None:
    quarters = tuple(_quarters(part) for part in re.split(r"[+\-–]", match[0]))
    if not any(quarters):
        return None
    text = "+".join(f"{Decimal(slot) / 4:f}" for slot in quarters)
    return Frequency(text, sum(slot > 0 for slot in quarters), DAY_HOURS, quarters)


def _quarters(text: str) -> int:
    plain = text.strip().translate(str.maketrans("oOlI", "0011"))
    for part, quarters in _QUARTERS.items():
        if plain.endswith(part):
            return 4 * int(plain.removesuffix(part).strip() or "0") + quarters
    return 4 * int(plain)


def _from_interval(match: re.Match[str]) -> Frequency | None:
    parts = {name: value for name, value in match.groupdict().items() if value is not None}
    if (days := parts.get("days")) is not None:
        return _every_days(_NUMBERS.get(days.lower()) or int(days))
    count = int(parts.get("count") or parts.get("hours") or parts["hourly"])
    if parts.get("unit", "h").lower() == "d":
        # q1d may be a misread qid: neither is believed.
        return _every_days(count) if count > 1 else None
    return Frequency(f"q{count}h", 1, count) if 1 <= count <= _MAX_HOURS else None


def _every_days(days: int) -> Frequency | None:
    if days in {1, 2, 7}:
        return _of({1: "od", 2: "eod", 7: "weekly"}[days])
    return Frequency(f"q{days}d", 1, days * DAY_HOURS) if 2 < days <= 30 else None


def _from_count(match: re.Match[str]) -> Frequency | None:
    word = match["count"].lower()
    times = int(word) if word.isdecimal() else _NUMBERS[word]
    # ``2 daily`` is a dose and ``7 day`` a duration; only ``2 times daily`` and ``twice daily`` say how often.
    if not 1 <= times <= _MAX_TIMES or not (match["marked"] or word in _ADVERBS):
        return None
    if match["period"].lower() in {"daily", "day"}:
        usual = {1: "od", 2: "bd", 3: "tds", 4: "qid"}.get(times)
        return _of(usual) if usual else Frequency(f"{times} times daily", times, DAY_HOURS)
    return _of("weekly") if times == 1 else Frequency(f"{times} times weekly", times, _WEEK_HOURS)


def _from_token(match: re.Match[str]) -> Frequency | None:
    plain = re.sub(r"[.\s]", "", match[0]).lower()
    digits = sum(character.isdecimal() for character in plain)
    word = _LATIN.get(plain.translate(_LOOKALIKES))
    # A digit is taken for a letter only among more letters: b1d is bid, q1d may as well be every day.
    believed = digits < len(plain) - digits or plain in {"0d", "h5"}
    return _of(_MEANING[word]) if word and believed and plain != "q1d" else None


def _from_phrase(match: re.Match[str]) -> Frequency:
    return _of(_MEANING[re.sub(r"\s+", " ", match[0].lower())])


def _of(text: str) -> Frequency:
    meaning = _CANONICAL[text]
    return Frequency(text, *meaning) if meaning else Frequency(text, None, None)
