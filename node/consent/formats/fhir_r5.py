"""Consent of HL7 FHIR R5 (docs/spec/consent-formats.md, section 2), checked against its definitions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from node.consent.formats.document import Document, Path
from node.consent.formats.fhir_giver import read_given_by
from node.consent.formats.fhir_reading import (
    NARROWS,
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
from node.consent.formats.giver_and_factor import factor_texts
from node.consent.formats.instants import end_of, instant, start_of
from node.consent.formats.record import ConsentRecord, ReadConsent
from protocol.errors import ConsentError, MalformedError

if TYPE_CHECKING:
    from pydantic import BaseModel

FACTOR_SYSTEM = "urn:fedrx:consent-second-factor"


def encode_r5(record: ConsentRecord) -> bytes:
    """A consent as an R5 Consent resource, JSON in UTF-8.

    Raises:
        MalformedError: A field cannot be written in FHIR, such as a name of blanks.
    """
    receipt = record.receipt
    giver = giver_reference(record)
    granted_at = instant(receipt.granted_at)
    verification: dict[str, Any] = {
        "extension": [factor_extension(receipt.second_factor)],
        "verified": True,
        "verificationType": {
            "coding": [{"system": FACTOR_SYSTEM, "code": factor_texts(receipt.second_factor)["kind"]}]
        },
        "verifiedBy": reference("Practitioner", ACCOUNT_SYSTEM, receipt.witness.hex()),
        "verificationDate": [granted_at],
    }
    resource: dict[str, Any] = {
        "resourceType": "Consent",
        "id": receipt.receipt_id.hex(),
        "extension": extensions(record),
        "identifier": [{"system": RECEIPT_SYSTEM, "value": receipt.receipt_id.hex()}],
        "status": "active" if record.withdrawn_at is None else "inactive",
        "category": [category()],
        "subject": reference("Patient", PATIENT_SYSTEM, receipt.patient),
        "date": granted_at[:10],
        "period": {"start": granted_at, "end": instant(receipt.expires_at)},
        "controller": [reference("Organization", SITE_SYSTEM, receipt.site_id.hex())],
        "sourceAttachment": [notice_attachment(record)],
        "regulatoryBasis": [basis(receipt.giver)],
        "verification": [verification],
        "decision": "permit",
        "provision": [{"purpose": purpose_codings(receipt.purposes), **limits()}],
    }
    if giver is not None:
        resource["grantor"] = [giver]
        verification["verifiedWith"] = giver
    return checked_bytes(resource, _model())


def read_r5(document: Document) -> ReadConsent:
    """What an R5 Consent resource says.

    Raises:
        MalformedError: Not an R5 Consent.
        ConsentError: It denies, does not say that it permits, permits less than a receipt can say, or contradicts
            itself about who gave it.
    """
    if document.peek("resourceType") != "Consent":
        raise MalformedError("the document is no FHIR Consent")
    check(document.value, _model(), "the document is no FHIR R5 Consent")
    refuse_modifiers(document)
    _refuse_unless_permitted(document)
    bases = list(document.items("regulatoryBasis"))
    waived = has_coding(document, bases, BASIS_SYSTEM, WAIVER_BASIS)
    for key in ("resourceType", "id", "category", "date"):
        document.mark(key)
    witness = identifier_in(document, ACCOUNT_SYSTEM, "verification", 0, "verifiedBy")
    site = identifier_in(document, SITE_SYSTEM, "controller", 0)
    common = read_common(document, witness, site, ("sourceAttachment", 0))
    if common["second_factor"] is not None:
        document.mark("verification", 0)
    if common["giver"] is not None:
        document.mark("regulatoryBasis", 0)
    granted, ends = _period(document)
    return ReadConsent(
        **common,
        purposes=read_purposes(document, ("provision", 0, "purpose")),
        patient=read_patient(document, "subject"),
        granted_at=granted,
        expires_at=ends,
        given_by=read_given_by(document, common["giver"], ("grantor",), ("subject",), waived=waived),
        dropped=document.unread(),
    )


def _refuse_unless_permitted(document: Document) -> None:
    if document.text("decision") != "permit":
        raise ConsentError("the document does not say that the patient permits", hint=NARROWS)
    rules = list(document.items("provision"))
    if len(rules) > 1:
        raise ConsentError("the document has more than one rule", hint=NARROWS)
    for rule in rules:
        refuse_other_keys(document, rule, {"period", "purpose", "action", "code"})
        refuse_other_limits(document, rule)


def _period(document: Document) -> tuple[int | None, int | None]:
    """From when until when: the later start and the earlier end of the consent's and its rule's period."""
    places: tuple[Path, ...] = (("period",), ("provision", 0, "period"))
    starts = [start_of(text) for place in places if (text := document.text(*place, "start"))]
    ends = [end_of(text) for place in places if (text := document.text(*place, "end"))]
    if not starts and (day := document.text("date")):
        starts = [start_of(day)]
    return max(starts, default=None), min(ends, default=None)


def _model() -> type[BaseModel]:
    from fhir.resources.consent import Consent  # noqa: PLC0415 - the definitions load for a second

    return Consent
