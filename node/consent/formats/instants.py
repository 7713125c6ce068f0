"""Times as texts: what this project writes, and the partial dates of other systems."""

from __future__ import annotations

from datetime import UTC, date, datetime

from protocol.errors import MalformedError
from protocol.foreign_text import one_line

_DAY_LENGTHS = {4: "-01-01", 7: "-01", 10: ""}


def instant(timestamp: int) -> str:
    """A time as ISO 8601 in UTC, to the second.

    Args:
        timestamp: Seconds since 1970.
    """
    return datetime.fromtimestamp(timestamp, UTC).isoformat()


def start_of(text: str) -> int:
    """The first second of a year, month, day or time, in seconds since 1970; a date is taken as UTC's.

    Raises:
        MalformedError: No such time, or a time without a zone.
    """
    try:
        whole = _DAY_LENGTHS.get(len(text))
        moment = datetime.fromisoformat(text if whole is None else f"{text}{whole}T00:00:00+00:00")
        if moment.tzinfo is None:
            raise ValueError("no zone")
        return int(moment.timestamp())
    except (ValueError, OverflowError) as error:
        raise MalformedError(f"{one_line(text)!r} is no time") from error


def end_of(text: str) -> int:
    """The second after the last one of a year, month or day, or a time itself, in seconds since 1970.

    Raises:
        MalformedError: No such time, or a time without a zone.
    """
    if len(text) not in _DAY_LENGTHS:
        return start_of(text)
    try:
        first = date.fromisoformat(text + _DAY_LENGTHS[len(text)])
        match len(text):
            case 4:
                after = first.replace(year=first.year + 1)
            case 7:
                after = first.replace(year=first.year + first.month // 12, month=first.month % 12 + 1)
            case _:
                after = date.fromordinal(first.toordinal() + 1)
    except ValueError as error:
        raise MalformedError(f"{one_line(text)!r} is no time") from error
    return start_of(after.isoformat())
