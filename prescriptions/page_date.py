"""The day on which a prescription was written: ``12/03/2025``, ``12-3-25``, ``12 Mar 2025``, ``March 12, 2025``, ISO.

A text that is no date is None. A year of two digits is of this century. A date of birth is never taken for the day of
the prescription. Behind the label ``Date`` more misread signs are put right than elsewhere: a date stands there.
"""

from __future__ import annotations

import re
from datetime import date
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

FIRST_YEAR = 1990
LAST_YEAR = 2099
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_MONTH = (
    r"(?P<month>jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?"
    r"|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)"
)
_DIGIT = r"[0-9OoIl|]"
"""Without regard to case, as the patterns below."""
_GAP = r"\s*[.,'\-/ ]?\s*"
_START, _END = r"(?<![\w./\-])", r"(?![\w/\-]|[.,]\d)"
_PATTERNS = tuple(
    re.compile(_START + pattern + _END, re.IGNORECASE | re.ASCII)
    for pattern in (
        rf"(?P<year>{_DIGIT}{{4}})\s*(?P<sign>[\-/.])\s*(?P<second>{_DIGIT}{{1,2}})\s*(?P=sign)\s*(?P<first>{_DIGIT}{{1,2}})(?:T[\d:.]+Z?)?",
        rf"(?P<first>{_DIGIT}{{1,2}})\s*(?P<sign>[\-/.])\s*(?P<second>{_DIGIT}{{1,2}})\s*(?P=sign)\s*(?P<year>{_DIGIT}{{4}}|{_DIGIT}{{2}})",
        rf"(?P<first>{_DIGIT}{{1,2}})(?:st|nd|rd|th)?{_GAP}{_MONTH}{_GAP}(?P<year>{_DIGIT}{{4}}|'?{_DIGIT}{{2}})",
        rf"{_MONTH}{_GAP}(?P<first>{_DIGIT}{{1,2}})(?:st|nd|rd|th)?\s*[, ]\s*(?P<year>{_DIGIT}{{4}})",
    )
)
_AS_DIGITS = str.maketrans("OoIiLl|", "0011111")
_LABEL = r"(?<!\w)(?i:date|dated|dt)\b\s*[.:\-]*\s*"
_DATE_LABEL = re.compile(_LABEL + "$")
_MISREAD = r"[0-9OoDIl|!iSsZzBbGgq]"
_PART = rf"({_MISREAD}(?:\s?{_MISREAD})?)\s*"
_MISREAD_YEAR = rf"([2Zz][\s.,]*[0OoD][\s.,]*{_MISREAD}[\s.,]*{_MISREAD})(?![\w/\-]|[.,]\d)"
_LABELLED = re.compile(rf"{_LABEL}{_PART}[\-/.,]\s*{_PART}[\-/.,]\s*{_MISREAD_YEAR}")
_AS_MISREAD = str.maketrans("OoDIl|!iSsZzBbGgq", "00011111552286699", " .,")
_BIRTH_LABEL = re.compile(
    r"(?<!\w)(?:d\.?\s?o\.?\s?b|birth\s*date|date\s+of\s+birth|born|birth)\b\s*[.:\-]*\s*$", re.IGNORECASE
)
_BEFORE = 24
_MAX_LINE_CHARACTERS = 400


def find_page_date(lines: Sequence[Sequence[str]], *, day_first: bool = True) -> date | None:
    """The day that a page was written.

    The first date after the label ``Date`` counts; without one, the only date of the page. Dates after ``DOB`` or
    ``Born`` are left out, and of several different dates without a label none is taken.

    Args:
        lines: The words of each line of the page, from top to bottom.
        day_first: Whether ``05/04/2025`` is the fifth of April; a day above 12 decides by itself.
    """
    others: set[date] = set()
    for words in lines:
        text = " ".join(words)[:_MAX_LINE_CHARACTERS]
        # Before the others: of 12/3/20!4 they see the year 20.
        labelled = _labelled_date(text, day_first)
        if labelled is not None:
            return labelled
        for found, start, _ in sorted(_dates(text, day_first), key=lambda hit: hit[1]):
            before = text[max(0, start - _BEFORE) : start]
            if _BIRTH_LABEL.search(before):
                continue
            if _DATE_LABEL.search(before):
                return found
            others.add(found)
    return others.pop() if len(others) == 1 else None


def _dates(text: str, day_first: bool) -> Iterator[tuple[date, int, int]]:
    taken: list[tuple[int, int]] = []
    for pattern in _PATTERNS:
        for match in pattern.finditer(text):
            if any(match.start() < end and start < match.end() for start, end in taken):
                continue
            found = _date_of(match, day_first)
            if found is not None:
                taken.append(match.span())
                yield found, match.start(), match.end()


def _date_of(match: re.Match[str], day_first: bool) -> date | None:
    parts = match.groupdict()
    year = _number(parts["year"].lstrip("'"))
    year = year + 2000 if year < 100 else year
    first = _number(parts["first"])
    if "month" in parts:
        return _valid(year, _MONTHS.index(parts["month"][:3].lower()) + 1, first)
    second = _number(parts["second"])
    if match.start("year") < match.start("second"):
        return _valid(year, second, first)  # ISO is never ambiguous
    day, month = (first, second) if day_first else (second, first)
    found = _valid(year, month, day)
    # Where a sign was misread, a month above 12 may be one more misreading.
    return found or (_valid(year, day, month) if (parts["first"] + parts["second"]).isdigit() else None)


def _labelled_date(text: str, day_first: bool) -> date | None:
    match = _LABELLED.search(text)
    if match is None or _BIRTH_LABEL.search(text[: match.start(1)]):
        return None
    first, second, year = (int(part.translate(_AS_MISREAD)) for part in match.groups())
    return _valid(year, second, first) if day_first else _valid(year, first, second)


def _number(text: str) -> int:
    return int(text.translate(_AS_DIGITS))


def _valid(year: int, month: int, day: int) -> date | None:
    if not FIRST_YEAR <= year <= LAST_YEAR:
        return None
    try:
        return date(year, month, day)
    except ValueError:
        return None
