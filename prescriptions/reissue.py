"""Whether two pages of one patient are one prescription written twice: one day, the same medicines.

Handwriting is misread, days above all. What is found is only ever shown to a person, so a day that was not read, or
that differs by one digit that is easily misread, contradicts nothing; then strength and frequency must agree too. Days
that lie as a prescription and its repeat do are two prescriptions. The rule was chosen on half of the prescriptions
that benchmarks/duplicates.py draws.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import TYPE_CHECKING

from protocol.canonical_json import JSONValue, encode, expect_list, expect_object, expect_str, parse
from protocol.errors import MalformedError

if TYPE_CHECKING:
    from collections.abc import Callable

_LEAST_AGREEING = 2 / 3
_ALIKE = frozenset(map(frozenset, ("17", "14", "47", "49", "38", "35", "56", "06", "08", "68", "27", "12", "79")))
"""Digits of which one is read for the other."""
_WEEK = 7


class Reissue(StrEnum):
    """Why two pages may be one prescription, in words for who decides; the most telling first."""

    SAME_DAY = "one day, the same medicines"
    MISREAD_DAY = "the same medicines, and days that differ in one digit that is easily misread"
    UNREAD_DAY = "the same medicines, and a day that could not be read"


@dataclass(frozen=True, slots=True)
class PrescribedMedicine:
    """One line, as it was read."""

    name: str
    """Of the lexicon where one is near; compared without case."""
    strength: str
    """Canonical, or empty where none was read."""
    frequency: str
    """Canonical, or empty where none was read."""


@dataclass(frozen=True, slots=True)
class Prescribed:
    """What a page prescribes, and when. Personal data."""

    written_on: date | None
    """Of ``page_date.find_page_date``."""
    medicines: tuple[PrescribedMedicine, ...]


def reissue_of(one: Prescribed, other: Prescribed) -> Reissue | None:
    """Why both may be one prescription of one patient; None where they are two.

    Two thirds of the longer list must agree. On one day a line agrees with one of the same medicine unless both
    strength and frequency contradict it; else neither may contradict it, and one of them must be the same.
    """
    reason = _days_agree(one.written_on, other.written_on)
    longer = max(len(one.medicines), len(other.medicines))
    if reason is None or not longer:
        return None
    agree = _may_agree if reason is Reissue.SAME_DAY else _agree
    agreeing = _count(one.medicines, other.medicines, agree)
    return reason if agreeing >= _LEAST_AGREEING * longer else None


def encode_prescribed(prescribed: Prescribed) -> bytes:
    """The canonical JSON; the texts must be NFC."""
    lines: list[JSONValue] = [[line.name, line.strength, line.frequency] for line in prescribed.medicines]
    return encode({"day": prescribed.written_on.isoformat() if prescribed.written_on else "", "lines": lines})


def decode_prescribed(content: bytes) -> Prescribed:
    """What ``encode_prescribed`` encoded.

    Raises:
        MalformedError: Other bytes.
    """
    fields = expect_object(parse(content), frozenset({"day", "lines"}))
    medicines = []
    for line in expect_list(fields["lines"]):
        parts = [expect_str(part) for part in expect_list(line)]
        if len(parts) != 3:
            raise MalformedError("a prescribed line has a name, a strength and a frequency")
        medicines.append(PrescribedMedicine(*parts))
    day = expect_str(fields["day"])
    try:
        written_on = date.fromisoformat(day) if day else None
    except ValueError as error:
        raise MalformedError("a page's day is no date") from error
    return Prescribed(written_on, tuple(medicines))


def _days_agree(one: date | None, other: date | None) -> Reissue | None:
    if one is None or other is None:
        return Reissue.UNREAD_DAY
    if one == other:
        return Reissue.SAME_DAY
    return Reissue.MISREAD_DAY if _misread(one, other) and not _repeats(one, other) else None


def _misread(one: date, other: date) -> bool:
    """Whether the days, as they are written, differ in one digit that is easily taken for the other."""
    differing = [{a, b} for a, b in zip(one.isoformat(), other.isoformat(), strict=True) if a != b]
    return len(differing) == 1 and frozenset(differing[0]) in _ALIKE


def _repeats(one: date, other: date) -> bool:
    """Whether one is some weeks after the other, or on the same day of another month or of the next year."""
    if one.year == other.year and one.month != other.month:
        return True
    return abs((one - other).days) % _WEEK == 0 or abs(one.year - other.year) == 1


def _count(
    one: tuple[PrescribedMedicine, ...],
    other: tuple[PrescribedMedicine, ...],
    agree: Callable[[PrescribedMedicine, PrescribedMedicine], bool],
) -> int:
    """How many lines of one find a line of the other; each is found once."""
    left = list(other)
    for medicine in one:
        partner = next((candidate for candidate in left if agree(medicine, candidate)), None)
        if partner is not None:
            left.remove(partner)
    return len(other) - len(left)


def _may_agree(one: PrescribedMedicine, other: PrescribedMedicine) -> bool:
    doses = _doses(one, other)
    return one.name.casefold() == other.name.casefold() and (any(doses) or len(doses) < 2)


def _agree(one: PrescribedMedicine, other: PrescribedMedicine) -> bool:
    doses = _doses(one, other)
    return one.name.casefold() == other.name.casefold() and bool(doses) and all(doses)


def _doses(one: PrescribedMedicine, other: PrescribedMedicine) -> list[bool]:
    """Whether strength and frequency are the same, as far as both were read."""
    pairs = ((one.strength, other.strength), (one.frequency, other.frequency))
    return [a == b for a, b in pairs if a and b]
