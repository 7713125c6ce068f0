"""Whether two pages of one patient are one prescription written twice: the same day, the same medicines.

Handwriting is misread, so a part that was not read contradicts nothing, and a third of the lines may differ. What is
found is only ever shown to a person.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from protocol.canonical_json import JSONValue, encode, expect_list, expect_object, expect_str, parse
from protocol.errors import MalformedError

_LEAST_AGREEING = 2 / 3


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


def same_prescription(one: Prescribed, other: Prescribed) -> bool:
    """Whether both may be one prescription of one patient; never where a day was not read, or no medicine.

    Two thirds of the longer list must agree. A line agrees with one of the same medicine unless both strength and
    frequency contradict it.
    """
    if one.written_on is None or one.written_on != other.written_on or not (one.medicines and other.medicines):
        return False
    left = list(other.medicines)
    agreeing = 0
    for medicine in one.medicines:
        partner = next((candidate for candidate in left if _agree(medicine, candidate)), None)
        if partner is not None:
            left.remove(partner)
            agreeing += 1
    return agreeing >= _LEAST_AGREEING * max(len(one.medicines), len(other.medicines))


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


def _agree(one: PrescribedMedicine, other: PrescribedMedicine) -> bool:
    if one.name.casefold() != other.name.casefold():
        return False
    pairs = ((one.strength, other.strength), (one.frequency, other.frequency))
    return sum(bool(a and b and a != b) for a, b in pairs) < len(pairs)
