"""The consent desk in a browser: who agreed, record, withdraw, erase, ask again, enrol a telephone."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Annotated

import segno
from fastapi import APIRouter, Depends
from markupsafe import Markup
from starlette.exceptions import HTTPException
from starlette.responses import Response

from node.consent.desk import pending_withdrawals
from node.consent.due import Why, due
from node.consent.grant import MAX_FORM_BYTES
from node.consent.notice import shipped_languages, shipped_notice
from node.consent.second_factor import enrolment_uri
from node.consent.traces import Trace, traces_of
from node.data.proposal import nfc
from node.page.access import Submission, Visitor, submission, visitor
from node.page.consent_form import WAIVER, grant_of
from node.page.screens import go_to, iso_day, show
from node.page.store_view import KnownPatient, patients
from node.store.local_store import check_patient
from node.store.receipts import StoredReceipt
from node.store.second_factor import enrol_patient
from node.store.users import Role
from protocol.consent_factor import PatientCode, StaffCodeAndForm
from protocol.consent_receipt import DAY_SECONDS, DUO_PURPOSES, RELATIONS, ByGuardian, ByWaiver
from protocol.errors import ConfigError

router = APIRouter()

Officer = Annotated[Visitor, Depends(visitor(Role.CONSENT_OFFICER))]
Officers = Annotated[Submission, Depends(submission(Role.CONSENT_OFFICER))]
_DUE_DAYS = 30
_QR_SCALE = 6
_WHY = {
    Why.EXPIRED: "the consent ended on",
    Why.EXPIRES_SOON: "the consent ends on",
    Why.OTHER_PURPOSE: "the consent does not cover what the network learns for",
}


@dataclass(frozen=True, slots=True)
class PatientLine:
    """A patient at the desk."""

    patient: KnownPatient
    until: int
    """When the consent that lasts longest ends, seconds since 1970; 0 without one in force."""
    withdrew: bool


@dataclass(frozen=True, slots=True)
class ReceiptLine:
    """A consent receipt in words."""

    stored: StoredReceipt
    state: str
    giver: str
    factor: str


@router.get("/consent")
def desk(visitor: Officer) -> Response:
    """Every patient, those to ask first."""
    parts, now = visitor.parts, visitor.parts.now()
    receipts = parts.consent.receipts()
    with parts.store.read() as transaction:
        known = patients(transaction)
    lines = sorted(
        (_line(patient, receipts, now) for patient in known),
        key=lambda line: (line.until > 0, line.withdrew, line.until),
    )
    asked_again = due(receipts, parts.settings.consent.purpose, now, now + _DUE_DAYS * DAY_SECONDS)
    return show(
        visitor,
        "consent.html",
        lines=lines,
        due=asked_again,
        why=_WHY,
        ids={line.patient.patient: line.patient.patient_id for line in lines},
        waiting=len(pending_withdrawals(parts.store)),
    )


@router.get("/consent/new")
def new(visitor: Officer, patient: str = "", language: str = "") -> Response:
    """The form, with the text that is shown to the patient."""
    parts = visitor.parts
    settings = parts.settings.consent
    with parts.store.read() as transaction:
        row = next((known for known in patients(transaction) if known.patient_id.hex() == patient), None)
    return show(
        visitor,
        "consent_new.html",
        patient="" if row is None else row.patient,
        patient_id="" if row is None else patient,
        notice=shipped_notice(language or settings.language),
        languages=shipped_languages(),
        purposes=DUO_PURPOSES,
        purpose=settings.purpose,
        relations=RELATIONS,
        waiver=WAIVER,
        today=iso_day(parts.now()),
        days=settings.validity_days,
        required=settings.second_factor == "required",
        can_witness=parts.has_witness(visitor.user.name),
    )


@router.post("/consent/new")
def grant(
    submitted: Annotated[
        Submission, Depends(submission(Role.CONSENT_OFFICER, max_bytes=lambda _office: MAX_FORM_BYTES + (1 << 20)))
    ],
) -> Response:
    """Records a consent. The officer who is logged in is the witness: nobody signs with another's key."""
    found = submitted.visitor
    parts = found.parts
    parts.require_witness(found.user.name)
    now = parts.now()
    signed = parts.consent.grant(grant_of(submitted.form, found.user.name, parts.settings.consent, now), now)
    patient = _row_of(found, signed.receipt.patient)
    found.note("consent", patient.patient_id)
    return go_to(f"/consent/patients/{patient.patient_id.hex()}")


@router.get("/consent/patients/{patient_id}")
def patient(visitor: Officer, patient_id: str) -> Response:
    """What a patient agreed to, and where their words went."""
    return _patient_screen(visitor, _known(visitor, patient_id), withdrawn=0)


@router.post("/consent/patients/{patient_id}/withdraw")
def withdraw(submitted: Officers, patient_id: str) -> Response:
    """Records a withdrawal: in force at this site when the answer comes."""
    found = submitted.visitor
    known = _known(found, patient_id)
    withdrawn = found.parts.consent.withdraw(known.patient, found.parts.now())
    found.note("withdraw", known.patient_id)
    return _patient_screen(found, known, withdrawn=withdrawn)


@router.post("/consent/patients/{patient_id}/erase")
def erase(submitted: Officers, patient_id: str) -> Response:
    """Forgets a patient for good, once their identifier was typed."""
    found = submitted.visitor
    known = _known(found, patient_id)
    if nfc(submitted.form.text("confirm")) != known.patient:
        raise ConfigError(
            "what was typed is not this patient's identifier",
            hint="nothing was erased; type it as it stands on their screen",
        )
    erasure = found.parts.erase(known.patient, found.parts.now())
    found.note("erase", known.patient_id)
    return show(found, "erased.html", erasure=erasure)


@router.post("/consent/enrol")
def enrol(submitted: Officers) -> Response:
    """Shows a patient's QR code, this once."""
    found = submitted.visitor
    name = check_patient(submitted.form.text("patient"))
    with found.parts.store.write() as transaction:
        secret = enrol_patient(transaction, name, replace=submitted.form.text("replace") == "yes")
    row = _row_of(found, name)
    found.note("enrol", row.patient_id)
    uri = enrolment_uri(secret, name, f"FedRx {found.parts.settings.site}")
    return show(found, "enrolment.html", patient=row, code=_qr(uri))


def _patient_screen(visitor: Visitor, known: KnownPatient, *, withdrawn: int) -> Response:
    parts, now = visitor.parts, visitor.parts.now()
    receipts = parts.consent.receipts(known.patient)
    traces: tuple[Trace, ...] | None = None
    with parts.chain.seen() as seen:
        if seen.history is not None:
            traces = traces_of(parts.store, known.patient, seen.history, parts.site_id)
    return show(
        visitor,
        "patient.html",
        patient=known,
        receipts=[_receipt_line(stored, now) for stored in reversed(receipts)],
        in_force=any(stored.in_force(now) for stored in receipts),
        traces=traces,
        slugs=parts.lineages,
        purposes=DUO_PURPOSES,
        withdrawn=withdrawn,
    )


def _line(patient: KnownPatient, receipts: tuple[StoredReceipt, ...], now: int) -> PatientLine:
    mine = [stored for stored in receipts if stored.patient_id == patient.patient_id]
    until = max((stored.entry.signed.receipt.expires_at for stored in mine if stored.in_force(now)), default=0)
    return PatientLine(patient, until, withdrew=not until and any(stored.state == "withdrawn" for stored in mine))


def _receipt_line(stored: StoredReceipt, now: int) -> ReceiptLine:
    receipt = stored.entry.signed.receipt
    state = "in force" if stored.in_force(now) else "withdrawn" if stored.state == "withdrawn" else "expired"
    match receipt.giver:
        case ByGuardian(relation):
            giver = f"a guardian ({relation.replace('-', ' ')})"
        case ByWaiver(_, decided_on):
            giver = f"nobody: an ethics committee waived it on {decided_on:%d %b %Y}"
        case _:
            giver = "the patient"
    match receipt.second_factor:
        case PatientCode():
            factor = "code of the patient's telephone"
        case StaffCodeAndForm(staff):
            paper = "committee's document" if receipt.given_by == "waiver" else "signed form"
            factor = f"{paper} and code of {staff}"
        case _:
            factor = "witness alone"
    return ReceiptLine(stored, state, giver, factor)


def _known(visitor: Visitor, patient_id: str) -> KnownPatient:
    with visitor.parts.store.read() as transaction:
        found = next((known for known in patients(transaction) if known.patient_id.hex() == patient_id), None)
    if found is None:
        raise HTTPException(404, "there is no such patient here")
    return found


def _row_of(visitor: Visitor, name: str) -> KnownPatient:
    with visitor.parts.store.read() as transaction:
        return next(known for known in patients(transaction) if known.patient == name)


def _qr(uri: str) -> Markup:
    drawn = io.BytesIO()
    segno.make(uri, micro=False).save(
        drawn, kind="svg", scale=_QR_SCALE, xmldecl=False, svgns=False, dark="#000", light="#fff", title="QR code"
    )
    # Drawn by the library from its own paths; the URI is not in it as text.
    return Markup(drawn.getvalue().decode("utf-8"))  # noqa: S704
