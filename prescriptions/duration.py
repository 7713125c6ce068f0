"""How long: ``7 days``, ``x 2 weeks``, ``5d``, ``x 5/7``, ``two weeks``. Counted in days."""

from __future__ import annotations

import re

MAX_DAYS = 1000
_DAYS = {"d": 1, "w": 7, "f": 14, "m": 30, "y": 365}
_SHARES = {"7": 1, "52": 7, "12": 30}
_COUNTS = {
    "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9,
    "ten": 10, "twelve": 12, "fourteen": 14, "fifteen": 15, "twenty": 20, "thirty": 30,
}  # fmt: skip
# Every three days is a frequency, after seven days a visit; neither says how long.
_NO_DURATION = r"(?<!every\s)(?<!after\s)(?<!within\s)(?<!in\s)"
_UNIT = r"(?P<unit>d(?:ays?)?|w(?:ee)?ks?|fortnights?|months?|mths?|mo|years?|yrs?)"
_COUNTED = re.compile(
    rf"{_NO_DURATION}(?<![\w.+\-/])(?:[x×]\s*)?(?P<count>\d{{1,3}})\s*(?:-\s*)?{_UNIT}(?![\w/])", re.IGNORECASE
)
_SPELLED = re.compile(
    rf"{_NO_DURATION}(?<!\w)(?P<count>{'|'.join(_COUNTS)})\s+(?P<unit>days?|weeks?|fortnights?|months?|years?)(?!\w)",
    re.IGNORECASE,
)
_SHARED = re.compile(r"(?<!\w)(?:[x×]|for)\s*(?P<count>\d{1,2})/(?P<share>7|52|12)(?![\d/])", re.IGNORECASE)


def find_duration_days(text: str) -> int | None:
    """How many days, 1 to 1000; a month counts as 30, a year as 365. None when no duration is named.

    ``x 5/7``, ``x 2/52`` and ``x 3/12`` are sevenths of a week and parts of a year: 5 days, 2 weeks, 3 months.
    """
    for pattern in (_COUNTED, _SPELLED, _SHARED):
        for match in pattern.finditer(text):
            days = _days_of(match.groupdict())
            if 0 < days <= MAX_DAYS:
                return days
    return None


def duration_text(days: int) -> str:
    """A duration as it is shown; ``find_duration_days`` reads it back."""
    return f"{days} day{'' if days == 1 else 's'}"


def _days_of(parts: dict[str, str]) -> int:
    count = _COUNTS.get(parts["count"].lower())
    number = int(parts["count"]) if count is None else count
    return number * (_SHARES[parts["share"]] if "share" in parts else _DAYS[parts["unit"][0].lower()])
