"""What Consent resources of FHIR R4B and R5 say in the same words: codings, references, extensions."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from node.consent.formats.giver_and_factor import factor_texts, giver_texts
from node.consent.formats.instants import instant
from node.consent.formats.record import OPERATION, PII_CATEGORY, URN
from protocol.consent_receipt import DUO_PURPOSES, ByGuardian, ByPatient, ByWaiver
from protocol.errors import MalformedError
from protocol.foreign_text import one_line

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pydantic import BaseModel

    from node.consent.formats.record import ConsentRecord
    from protocol.consent_factor import SecondFactor
    from protocol.consent_receipt import Giver

DUO_SYSTEMS = ("http://purl.obolibrary.org/obo/duo.owl", "http://purl.obolibrary.org/obo/")
"""The first is written; both are read."""
ACT_CODE = "http://terminology.hl7.org/CodeSystem/v3-ActCode"
BASIS_SYSTEM = "urn:fedrx:consent-basis"
WAIVER_BASIS = "ethics-waiver"
RECEIPT_SYSTEM = "urn:fedrx:consent-receipt"
SITE_SYSTEM = "urn:fedrx:site-id"
PATIENT_SYSTEM = "urn:fedrx:patient"
ACCOUNT_SYSTEM = "urn:fedrx:account"
METHOD, ASKED_BY, GIVEN_BY = URN + "method", URN + "asked-by", URN + "given-by"
WITHDRAWN_AT, SECOND_FACTOR, NOTICE = URN + "withdrawn-at", URN + "second-factor", URN + "notice"


def category() -> dict[str, Any]:
    """What kind of consent it is, as LOINC names it."""
    return {"coding": [{"system": "http://loinc.org", "code": "59284-0"}]}


def reference(kind: str, system: str, value: str) -> dict[str, Any]:
    """A reference by identifier: nothing else of the site's is served to be pointed at."""
    return {"type": kind, "identifier": {"system": system, "value": value}}


def purpose_codings(purposes: Iterable[str]) -> list[dict[str, str]]:
    """DUO codes with their meaning."""
    return [{"system": DUO_SYSTEMS[0], "code": code, "display": DUO_PURPOSES[code]} for code in purposes]


def basis(giver: Giver) -> dict[str, Any]:
    """Why the data may be used: somebody opted in, or a committee waived it."""
    if isinstance(giver, ByWaiver):
        return {"coding": [{"system": BASIS_SYSTEM, "code": WAIVER_BASIS}], "text": "waiver of an ethics committee"}
    return {"coding": [{"system": ACT_CODE, "code": "OPTIN"}]}


def giver_reference(record: ConsentRecord) -> dict[str, Any] | None:
    """Who agreed; nobody did under a waiver."""
    match record.receipt.giver:
        case ByPatient():
            return reference("Patient", PATIENT_SYSTEM, record.receipt.patient)
        case ByGuardian(relation):
            return {"type": "RelatedPerson", "display": relation}
        case _:
            return None


def notice_attachment(record: ConsentRecord) -> dict[str, Any]:
    """The text that was shown: its language, version and digest, not its words."""
    texts = {"version": record.receipt.notice_version, "digest": record.receipt.notice_digest.hex()}
    return {
        "extension": [nested(NOTICE, texts)],
        "contentType": "text/plain",
        "language": record.receipt.language,
    }


def limits() -> dict[str, Any]:
    """What may be done with which data, in every receipt the same."""
    return {"action": [{"text": OPERATION}], "code": [{"text": PII_CATEGORY}]}


def extensions(record: ConsentRecord) -> list[dict[str, Any]]:
    """What a Consent resource has no place for."""
    receipt = record.receipt
    found: list[dict[str, Any]] = [
        {"url": METHOD, "valueCode": receipt.method},
        {"url": ASKED_BY, "valueString": receipt.asked_by},
        nested(GIVEN_BY, giver_texts(receipt.giver)),
    ]
    if record.withdrawn_at is not None:
        found.append({"url": WITHDRAWN_AT, "valueDateTime": instant(record.withdrawn_at)})
    return found


def factor_extension(factor: SecondFactor) -> dict[str, Any]:
    """What was shown beside the witness."""
    return nested(SECOND_FACTOR, factor_texts(factor))


def nested(url: str, texts: Mapping[str, str]) -> dict[str, Any]:
    """An extension of named texts; numbers are texts too, for FHIR's integers end at 31 bits."""
    return {"url": url, "extension": [{"url": name, "valueString": text} for name, text in texts.items()]}


def checked_bytes(resource: dict[str, Any], model: type[BaseModel]) -> bytes:
    """A resource as JSON in UTF-8, checked against the definitions of its FHIR version.

    Raises:
        MalformedError: A field of the receipt cannot be written in FHIR.
    """
    check(resource, model, "the consent cannot be written as FHIR")
    return (json.dumps(resource, ensure_ascii=False, indent=1) + "\n").encode("utf-8")


def check(resource: dict[str, Any], model: type[BaseModel], what: str) -> None:
    """Checks a resource against the definitions of its FHIR version.

    Raises:
        MalformedError: It does not follow them; the message begins with ``what``.
    """
    try:
        model.model_validate(resource)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        raise MalformedError(f"{what} at {one_line(place)}: {one_line(first['msg'])}") from error
