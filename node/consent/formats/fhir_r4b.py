"""Consent of HL7 FHIR R4B (docs/spec/consent-formats.md, section 1), checked against its definitions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from node.consent.formats.document import Document
from node.consent.formats.fhir_giver import read_given_by
from node.consent.formats.fhir_reading import (
    NARROWS,
    extension_at,
    has_coding,
    identifier_in,
    read_common,
    read_patient,
    read_purposes,
    refuse_modifiers,
    refuse_other_keys,
    refuse_other_limits,
)
from node.consent.formats.fhir_writing import (
    ACCOUNT_SYSTEM,
    ACT_CODE,
    BASIS_SYSTEM,
    PATIENT_SYSTEM,
    RECEIPT_SYSTEM,
    SITE_SYSTEM,
    WAIVER_BASIS,
    basis,
    category,
    check,
    checked_bytes,
    extensions,
    factor_extension,
    giver_reference,
    limits,
    notice_attachment,
    purpose_codings,
    reference,
)
from node.consent.formats.instants import end_of, instant, start_of
from node.consent.formats.record import ConsentRecord, ReadConsent
from protocol.errors import ConsentError, MalformedError

if TYPE_CHECKING:
    from pydantic import BaseModel

WITNESS = "http://hl7.org/fhir/StructureDefinition/consent-Witness"
SCOPE = "http://terminology.hl7.org/CodeSystem/consentscope"


def encode_r4b(record: ConsentRecord) -> bytes:
    """A consent as an R4B Consent resource, JSON in UTF-8.

    Raises:
        MalformedError: A field cannot be written in FHIR, such as a name of blanks.
    """
    receipt = record.receipt
    witness = reference("Practitioner", ACCOUNT_SYSTEM, receipt.witness.hex())
    giver = giver_reference(record)
    granted_at = instant(receipt.granted_at)
    verification: dict[str, Any] = {
        "extension": [factor_extension(receipt.second_factor)],
        "verified": True,
        "verificationDate": granted_at,
    }
    resource: dict[str, Any] = {
        "resourceType": "Consent",
        "id": receipt.receipt_id.hex(),
        "extension": [{"url": WITNESS, "valueReference": witness}, *extensions(record)],
        "identifier": [{"system": RECEIPT_SYSTEM, "value": receipt.receipt_id.hex()}],
        "status": "active" if record.withdrawn_at is None else "inactive",
        "scope": {"coding": [{"system": SCOPE, "code": "research"}]},
        "category": [category()],
        "patient": reference("Patient", PATIENT_SYSTEM, receipt.patient),
        "dateTime": granted_at,
        "organization": [reference("Organization", SITE_SYSTEM, receipt.site_id.hex())],
        "sourceAttachment": notice_attachment(record),
        "policyRule": basis(receipt.giver),
        "verification": [verification],
        "provision": {
            "period": {"start": granted_at, "end": instant(receipt.expires_at)},
            "purpose": purpose_codings(receipt.purposes),
            **limits(),
        },
    }
    if giver is not None:
        resource["performer"] = [giver]
        verification["verifiedWith"] = giver
    return checked_bytes(resource, _model())


def read_r4b(document: Document) -> ReadConsent:
    """What an R4B Consent resource says.

    Raises:
        MalformedError: Not an R4B Consent.
        ConsentError: It denies, does not say that it permits, permits less than a receipt can say, or contradicts
            itself about who gave it.
    """
    if document.peek("resourceType") != "Consent":
        raise MalformedError("the document is no FHIR Consent")
    check(document.value, _model(), "the document is no FHIR R4B Consent")
    refuse_modifiers(document)
    waived = has_coding(document, [("policyRule",)], BASIS_SYSTEM, WAIVER_BASIS)
    _refuse_unless_permitted(document, waived=waived)
    for key in ("resourceType", "id", "scope", "category", "dateTime"):
        document.mark(key)
    witness_at = extension_at(document, WITNESS)
    witness = None if witness_at is None else identifier_in(document, ACCOUNT_SYSTEM, *witness_at, "valueReference")
    common = read_common(
        document, witness, identifier_in(document, SITE_SYSTEM, "organization", 0), ("sourceAttachment",)
    )
    if common["second_factor"] is not None:
        document.mark("verification", 0)
    if common["giver"] is not None:
        document.mark("policyRule")
    granted = document.text("provision", "period", "start") or document.text("dateTime")
    ends = document.text("provision", "period", "end")
    return ReadConsent(
        **common,
        purposes=read_purposes(document, ("provision", "purpose")),
        patient=read_patient(document, "patient"),
        granted_at=None if granted is None else start_of(granted),
        expires_at=None if ends is None else end_of(ends),
        given_by=read_given_by(document, common["giver"], ("performer",), ("patient",), waived=waived),
        dropped=document.unread(),
    )


def _refuse_unless_permitted(document: Document, *, waived: bool) -> None:
    opted_in = has_coding(document, [("policyRule",)], ACT_CODE, "OPTIN")
    kind = document.text("provision", "type")
    if kind == "deny" or not (opted_in or waived or kind == "permit"):
        raise ConsentError("the document does not say that the patient permits", hint=NARROWS)
    refuse_other_keys(document, ("provision",), {"type", "period", "purpose", "action", "code"})
    refuse_other_limits(document, ("provision",))


def _model() -> type[BaseModel]:
    from fhir.resources.R4B.consent import Consent  # noqa: PLC0415 - the definitions load for a second

    return Consent
