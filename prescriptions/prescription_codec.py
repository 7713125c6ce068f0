"""A medicine line as canonical JSON and back (docs/spec/prescription.md): how the local store keeps what was read.

Values with a notation of their own (strength, frequency, quantity) are kept as their canonical text, which their
parsers read back to the same value.
"""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING

from prescriptions.dose_form import FORMS
from prescriptions.duration import MAX_DAYS
from prescriptions.frequency import parse_frequency
from prescriptions.instructions import INSTRUCTIONS
from prescriptions.lexicon import NameMatch
from prescriptions.quantity import parse_quantity
from prescriptions.route import ROUTES
from prescriptions.strength import parse_strength
from prescriptions.understand import FLAGS, MedicineLine
from protocol.canonical_json import JSONValue, expect_int, expect_list, expect_object, expect_str
from protocol.errors import MalformedError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from typing import TypeVar

    Value = TypeVar("Value")

LINE_VERSION = 1
_KEYS = frozenset(
    {"version", "word_index", "candidates", "generic", "strength", "form", "route", "frequency", "duration_days",
     "quantity", "as_needed", "instructions", "confidence", "flags"}
)  # fmt: skip
_CANDIDATE_KEYS = frozenset({"name", "score"})
_SHARE = re.compile(r"(?:0\.\d{4}|1\.0000)")


def line_value(line: MedicineLine) -> JSONValue:
    """The value that stands for a line inside canonical JSON."""
    return {
        "version": LINE_VERSION,
        "word_index": line.word_index,
        "candidates": [{"name": _nfc(match.name), "score": f"{match.score:.4f}"} for match in line.candidates],
        "generic": None if line.generic is None else _nfc(line.generic),
        "strength": None if line.strength is None else str(line.strength),
        "form": line.form,
        "route": line.route,
        "frequency": None if line.frequency is None else str(line.frequency),
        "duration_days": line.duration_days,
        "quantity": None if line.quantity is None else str(line.quantity),
        "as_needed": line.as_needed,
        "instructions": list(line.instructions),
        "confidence": f"{line.confidence:.4f}",
        "flags": list(line.flags),
    }


def line_of(value: JSONValue) -> MedicineLine:
    """The line that a value stands for.

    Raises:
        MalformedError: Missing or unknown keys, another version, or a value that its parser does not know.
    """
    fields = expect_object(value, _KEYS)
    if fields["version"] != LINE_VERSION:
        raise MalformedError(f"a medicine line of version {fields['version']!r}", hint="update fedrx")
    candidates = [expect_object(item, _CANDIDATE_KEYS) for item in expect_list(fields["candidates"])]
    return MedicineLine(
        word_index=expect_int(fields["word_index"]),
        candidates=tuple(NameMatch(expect_str(item["name"]), _share(item["score"])) for item in candidates),
        strength=_parsed(fields["strength"], parse_strength),
        form=_one_of(fields["form"], FORMS),
        frequency=_parsed(fields["frequency"], parse_frequency),
        duration_days=None
        if fields["duration_days"] is None
        else expect_int(fields["duration_days"], low=1, high=MAX_DAYS),
        flags=_codes(fields["flags"], FLAGS),
        generic=None if fields["generic"] is None else expect_str(fields["generic"]),
        route=_one_of(fields["route"], ROUTES),
        quantity=_parsed(fields["quantity"], parse_quantity),
        as_needed=_truth(fields["as_needed"]),
        instructions=_codes(fields["instructions"], INSTRUCTIONS),
        confidence=_share(fields["confidence"]),
    )


def _parsed(value: JSONValue, parser: Callable[[str], Value | None]) -> Value | None:
    if value is None:
        return None
    text = expect_str(value)
    parsed = parser(text)
    if parsed is None or str(parsed) != text:
        raise MalformedError(f"{text!r} is not canonical")
    return parsed


def _one_of(value: JSONValue, known: Collection[str]) -> str | None:
    if value is None:
        return None
    text = expect_str(value)
    if text not in known:
        raise MalformedError(f"unknown code {text!r}", hint="update fedrx")
    return text


def _codes(value: JSONValue, known: Collection[str]) -> tuple[str, ...]:
    codes = tuple(expect_str(item) for item in expect_list(value))
    for code in codes:
        _one_of(code, known)
    return codes


def _share(value: JSONValue) -> float:
    text = expect_str(value)
    if not _SHARE.fullmatch(text):
        raise MalformedError(f"{text!r} is no share of one with four decimals")
    return float(text)


def _truth(value: JSONValue) -> bool:
    if not isinstance(value, bool):
        raise MalformedError(f"expected true or false, not {type(value).__name__}")
    return value


def _nfc(text: str) -> str:
    return unicodedata.normalize("NFC", text)
