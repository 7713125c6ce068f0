"""The consent form of the page becomes a grant."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, cast

from node.consent.grant import Grant, PatientProof, StaffProof
from node.consent.notice import shipped_notice
from protocol.consent_receipt import (
    BY_PATIENT,
    DAY_SECONDS,
    RELATIONS,
    ByGuardian,
    ByWaiver,
    Giver,
    Method,
    ethics_decision_digest,
)
from protocol.errors import ConfigError

if TYPE_CHECKING:
    from node.page.forms import Form
    from node.settings import ConsentSettings

WAIVER = "waiver"
"""Among the givers of the form: nobody agreed, an ethics committee decided."""
_MOST_DIGITS = 5
_METHODS = ("signed-form", "verbal-witnessed")


def grant_of(form: Form, officer: str, settings: ConsentSettings, now: int) -> Grant:
    """What happened at the desk, as the form says.

    Args:
        form: As it was sent.
        officer: The name of the user who is logged in: they asked, they witness, and theirs is the staff's code.
        settings: The language where the form names none.
        now: Seconds since 1970.

    Raises:
        ConfigError: A field is missing or none of its choices.
    """
    decision = _decision(form) if form.text("giver") == WAIVER else None
    days = form.text("days")
    if not (days.isascii() and days.isdigit() and len(days) <= _MOST_DIGITS):
        raise ConfigError(f"{days[:20]!r} is no number of days", hint="write a whole number, such as 365")
    if decision is None and form.text("shown") != "yes":
        raise ConfigError("the patient has to see the text first", hint="show or read it, then tick the box")
    return Grant(
        patient=form.text("patient"),
        purposes=form.texts("purpose"),
        notice=shipped_notice(form.text("language") or settings.language),
        method=_method(form) if decision is None else "ethics-decision",
        asked_by=officer,
        witness=officer,
        validity_days=int(days),
        giver=_giver(form.text("giver")) if decision is None else _waiver(form, decision, now),
        proof=_proof(form, officer, decision),
    )


def _method(form: Form) -> Method:
    method = form.text("method")
    if method not in _METHODS:
        raise ConfigError("how consent was given is not said", hint="choose one of the two")
    return cast("Method", method)


def _giver(chosen: str) -> Giver:
    if chosen == "patient":
        return BY_PATIENT
    if chosen not in RELATIONS:
        raise ConfigError("who agreed is not said", hint="choose the patient, a guardian or a committee's waiver")
    return ByGuardian(chosen)


def _waiver(form: Form, decision: bytes, now: int) -> ByWaiver:
    try:
        decided_on = date.fromisoformat(form.text("decided_on"))
    except ValueError as error:
        raise ConfigError("the day of the committee's decision is missing", hint="it stands on the decision") from error
    if decided_on > datetime.fromtimestamp(now + DAY_SECONDS, UTC).date():
        raise ConfigError("the committee's decision is dated after today", hint="check the date on the decision")
    return ByWaiver(ethics_decision_digest(decision), decided_on)


def _decision(form: Form) -> bytes:
    found = form.uploads("decision")
    if len(found) != 1 or not found[0].content:
        raise ConfigError("a waiver rests on one document", hint="choose the committee's decision")
    return found[0].content


def _proof(form: Form, officer: str, decision: bytes | None) -> PatientProof | StaffProof | None:
    match form.text("proof"):
        case "patient":
            return PatientProof(form.text("patient_code"))
        case "staff":
            # Under a waiver nobody signs: what is kept as evidence is the decision.
            return StaffProof(officer, form.text("staff_code"), _signed_form(form) if decision is None else decision)
        case _:
            return None


def _signed_form(form: Form) -> bytes:
    scans = form.uploads("form")
    if len(scans) != 1:
        raise ConfigError("a staff member's code stands beside one signed form", hint="choose its scan")
    return scans[0].content
