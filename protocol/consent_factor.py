"""The second factor of a consent (docs/spec/consent.md, section 1): what shows beside the witness that it was given."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TypeAlias

from protocol.canonical_json import JSONValue, expect_int, expect_object, expect_str
from protocol.errors import MalformedError
from protocol.identifiers import Digest, digest_of

STAFF_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
"""Short name of a staff member."""


@dataclass(frozen=True, slots=True)
class PatientCode:
    """A one-time code (TOTP, RFC 6238) of the patient's own telephone."""

    counter: int
    """Number of the code's 30-second step since 1970; each is taken once."""


@dataclass(frozen=True, slots=True)
class StaffCodeAndForm:
    """Without a telephone: a staff member's one-time code, and the form that was signed by hand."""

    staff: str
    """The staff member's short name."""
    counter: int
    """Number of the code's 30-second step since 1970; each is taken once."""
    form_digest: Digest
    """Digest of the scanned form (``consent_form_digest``), which stays sealed at the site."""

    def __post_init__(self) -> None:
        if not STAFF_NAME.fullmatch(self.staff):
            raise MalformedError(f"{self.staff!r} is no staff member's short name")


@dataclass(frozen=True, slots=True)
class NoSecondFactor:
    """The witness alone; a site's settings say whether that is enough."""


SecondFactor: TypeAlias = PatientCode | StaffCodeAndForm | NoSecondFactor
NO_SECOND_FACTOR = NoSecondFactor()


def consent_form_digest(scan: bytes) -> Digest:
    """Digest of a scanned form's bytes."""
    return digest_of("consent-form", scan)


def factor_value(factor: SecondFactor) -> JSONValue:
    """A second factor as a receipt holds it."""
    match factor:
        case PatientCode(counter):
            return {"kind": "patient-totp", "counter": counter}
        case StaffCodeAndForm(staff, counter, form_digest):
            return {
                "kind": "staff-totp-and-form",
                "staff": staff,
                "counter": counter,
                "form_digest": form_digest.hex(),
            }
        case NoSecondFactor():
            return {"kind": "none"}


def parse_factor(value: JSONValue) -> SecondFactor:
    """The second factor of a receipt.

    Raises:
        MalformedError: Of no known kind, or with other keys than its kind has.
    """
    kind = value.get("kind") if isinstance(value, dict) else None
    if kind == "patient-totp":
        return PatientCode(expect_int(expect_object(value, frozenset({"kind", "counter"}))["counter"]))
    if kind == "staff-totp-and-form":
        fields = expect_object(value, frozenset({"kind", "staff", "counter", "form_digest"}))
        return StaffCodeAndForm(
            expect_str(fields["staff"]),
            expect_int(fields["counter"]),
            Digest.from_hex(expect_str(fields["form_digest"])),
        )
    if kind == "none":
        expect_object(value, frozenset({"kind"}))
        return NO_SECOND_FACTOR
    raise MalformedError("the second factor of the consent is of no known kind")
