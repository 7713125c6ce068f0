"""Reviewed pages as an HL7 FHIR R4B Bundle of MedicationRequests (docs/spec/prescription.md, section 4).

Each request is a draft proposal: what was read, for a person to prescribe or not; never an order. The patient is named
by the site's own identifier alone.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from uuid import uuid5

from pydantic import ValidationError

from prescriptions.export.fhir_dosage import dosage_of
from protocol.errors import PrescriptionError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from prescriptions.export.records import ReviewedMedicine, ReviewedPage

READ_NOTE = "Read from an image by a machine. A person confirmed the medicine's name; every other field is unconfirmed."


def export_fhir(pages: Iterable[ReviewedPage]) -> bytes:
    """The pages' medicines as a Bundle of type ``collection``, JSON in UTF-8, checked against the FHIR R4B definitions.

    Raises:
        PrescriptionError: The bundle does not follow FHIR, which is a bug of this module; nothing is exported.
    """
    entries = []
    for page in pages:
        for medicine in page.medicines:
            request = medication_request(medicine, page)
            entries.append({"fullUrl": uuid5(medicine.request_id, "MedicationRequest").urn, "resource": request})
    bundle: dict[str, Any] = {"resourceType": "Bundle", "type": "collection", "entry": entries}
    _check(bundle)
    return (json.dumps(bundle, ensure_ascii=False, indent=1) + "\n").encode("utf-8")


def medication_request(medicine: ReviewedMedicine, page: ReviewedPage) -> dict[str, Any]:
    """One MedicationRequest (https://hl7.org/fhir/R4B/medicationrequest.html), without elements that are not known."""
    line = medicine.line
    product = " ".join(str(part) for part in (medicine.name, line.strength, line.form) if part)
    request: dict[str, Any] = {
        "resourceType": "MedicationRequest",
        "status": "draft",
        "intent": "proposal",
        "medicationCodeableConcept": {"text": f"{product} ({line.generic})" if line.generic else product},
        "subject": {"identifier": {"value": page.patient}},
        "groupIdentifier": {"value": uuid5(page.page_id, "page").urn},
        "note": [{"text": f"{READ_NOTE} Look at: {', '.join(line.flags)}." if line.flags else READ_NOTE}],
    }
    if dosage := dosage_of(line):
        request["dosageInstruction"] = dosage
    if line.quantity is not None:
        unit = {"unit": line.quantity.unit} if line.quantity.unit else {}
        request["dispenseRequest"] = {"quantity": {"value": line.quantity.count, **unit}}
    return request


def _check(bundle: dict[str, Any]) -> None:
    from fhir.resources.R4B.bundle import Bundle  # noqa: PLC0415 - the definitions load for a second

    try:
        Bundle.model_validate(bundle)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        raise PrescriptionError(
            f"the export is not valid FHIR at {place}: {first['msg']}", hint="report this"
        ) from error
