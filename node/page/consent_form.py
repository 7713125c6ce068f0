"""The consent form of the page becomes a grant."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from node.consent.grant import Grant, PatientProof, StaffProof
from node.consent.notice import shipped_notice
from protocol.consent_receipt import BY_PATIENT, RELATIONS, ByGuardian, Giver, Method
from protocol.errors import ConfigError

if TYPE_CHECKING:
    from node.page.forms import Form
    from node.settings import ConsentSettings

_MOST_DIGITS = 5
_METHODS = ("signed-form", "verbal-witnessed")


def grant_of(form: Form, officer: str, settings: ConsentSettings) -> Grant:
    """What happened at the desk, as the form says.

    Args:
        form: As it was sent.
        officer: The name of the user who is logged in: they asked, they witness, and theirs is the staff's code.
        settings: The language where the form names none.

    Raises:
        ConfigError: A field is missing or none of its choices.
    """
    method, days = form.text("method"), form.text("days")
    if method not in _METHODS:
        raise ConfigError("how consent was given is not said", hint="choose one of the two")
    if not (days.isascii() and days.isdigit() and len(days) <= _MOST_DIGITS):
        raise ConfigError(f"{days[:20]!r} is no number of days", hint="write a whole number, such as 365")
    if form.text("shown") != "yes":
        raise ConfigError("the patient has to see the text first", hint="show or read it, then tick the box")
    return Grant(
        patient=form.text("patient"),
        purposes=form.texts("purpose"),
        notice=shipped_notice(form.text("language") or settings.language),
        method=cast("Method", method),
        asked_by=officer,
        witness=officer,
        validity_days=int(days),
        giver=_giver(form.text("giver")),
        proof=_proof(form, officer),
    )


def _giver(chosen: str) -> Giver:
    if chosen == "patient":
        return BY_PATIENT
    if chosen not in RELATIONS:
        raise ConfigError("who agreed is not said", hint="choose the patient or a guardian")
    return ByGuardian(chosen)


def _proof(form: Form, officer: str) -> PatientProof | StaffProof | None:
    match form.text("proof"):
        case "patient":
            return PatientProof(form.text("patient_code"))
        case "staff":
            scans = form.uploads("form")
            if len(scans) != 1:
                raise ConfigError("a staff member's code stands beside one signed form", hint="choose its scan")
            return StaffProof(officer, form.text("staff_code"), scans[0].content)
        case _:
            return None
