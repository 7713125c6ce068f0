"""Who gave a consent, and its second factor, as flat texts: what both FHIR extensions and TS 27560 fields can hold."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import TYPE_CHECKING

from protocol.consent_factor import factor_value, parse_factor
from protocol.consent_receipt import BY_PATIENT, RELATIONS, ByGuardian, ByPatient, ByWaiver, Giver
from protocol.errors import MalformedError
from protocol.foreign_text import one_line
from protocol.identifiers import Digest

if TYPE_CHECKING:
    from protocol.canonical_json import JSONValue
    from protocol.consent_factor import SecondFactor
    from protocol.consent_receipt import GivenBy


def giver_texts(giver: Giver) -> dict[str, str]:
    """Who gave a consent; ``kind`` comes first."""
    match giver:
        case ByPatient():
            return {"kind": "patient"}
        case ByGuardian(relation):
            return {"kind": "guardian", "relation": relation}
        case ByWaiver(decision_digest, decided_on):
            return {"kind": "waiver", "decision_digest": decision_digest.hex(), "decided_on": decided_on.isoformat()}


def kind_of(giver: Giver) -> GivenBy:
    """Who agreed, in one word."""
    match giver:
        case ByPatient():
            return "patient"
        case ByGuardian():
            return "guardian"
        case ByWaiver():
            return "waiver"


def giver_of(texts: Mapping[str, str]) -> Giver:
    """Who gave a consent.

    Raises:
        MalformedError: Of no known kind, or something is missing.
    """
    kind, relation = texts.get("kind"), texts.get("relation")
    if kind == "patient":
        return BY_PATIENT
    if kind == "guardian":
        known = next((each for each in RELATIONS if each == relation), None)
        if known is None:
            raise MalformedError(f"a guardian's relation {one_line(str(relation))!r} is not known")
        return ByGuardian(known)
    if kind == "waiver":
        try:
            decided_on = date.fromisoformat(texts.get("decided_on", ""))
        except ValueError as error:
            raise MalformedError("the date of an ethics decision is none") from error
        return ByWaiver(Digest.from_hex(texts.get("decision_digest", "")), decided_on)
    raise MalformedError("who gave the consent is not known")


def factor_texts(factor: SecondFactor) -> dict[str, str]:
    """A second factor; ``kind`` comes first."""
    value = factor_value(factor)
    if not isinstance(value, dict):
        raise TypeError("a second factor is an object")
    return {"kind": str(value["kind"])} | {key: str(item) for key, item in value.items() if key != "kind"}


def factor_of(texts: Mapping[str, str]) -> SecondFactor:
    """A second factor.

    Raises:
        MalformedError: Of no known kind, or something is missing.
    """
    value: dict[str, JSONValue] = dict(texts)
    if "counter" in texts:
        if not (texts["counter"].isascii() and texts["counter"].isdigit() and len(texts["counter"]) <= 16):
            raise MalformedError("the counter of a second factor is no number")
        value["counter"] = int(texts["counter"])
    return parse_factor(value)
