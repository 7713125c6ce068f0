"""Consent documents for tests: this site's own, another system's, and changed ones."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from node.consent.formats.document import Document
from node.consent.formats.fhir_r4b import encode_r4b, read_r4b
from node.consent.formats.fhir_r5 import encode_r5, read_r5
from node.consent.formats.record import ConsentRecord, ReadConsent
from node.consent.formats.ts27560 import encode_ts27560, read_ts27560
from protocol.consent_receipt import ConsentReceipt
from protocol.identifiers import AccountAddress, Digest, site_id_of

SITE = site_id_of("dhaka-general")
DAY = 24 * 3600
NOW = 1_790_000_000
CONFIG = Path("node.toml")
FORMATS: dict[str, tuple[Callable[[ConsentRecord], bytes], Callable[[Document], ReadConsent]]] = {
    "fhir-r4b": (encode_r4b, read_r4b),
    "fhir-r5": (encode_r5, read_r5),
    "ts27560": (encode_ts27560, read_ts27560),
}


def made(**changes: Any) -> ConsentRecord:
    values: dict[str, Any] = {
        "receipt_id": Digest(b"\x31" * 32), "site_id": SITE, "patient": "P-0042", "purposes": ("DUO:0000006",),
        "language": "bn", "notice_digest": Digest(b"\x32" * 32), "notice_version": "1", "method": "signed-form",
        "asked_by": "Dr Khan", "witness": AccountAddress(b"\x11" * 20), "granted_at": NOW,
        "expires_at": NOW + 365 * DAY,
    }  # fmt: skip
    withdrawn_at = changes.pop("withdrawn_at", None)
    return ConsentRecord(ConsentReceipt(**(values | changes)), withdrawn_at)


def changed(data: bytes, change: Callable[[dict[str, Any]], object]) -> bytes:
    value = json.loads(data)
    change(value)
    return json.dumps(value).encode()


def foreign_r4b(**changes: Any) -> bytes:
    value: dict[str, Any] = {
        "resourceType": "Consent",
        "status": "active",
        "scope": {"coding": [{"code": "research"}]},
        "category": [{"text": "research"}],
        "patient": {"reference": "Patient/7", "identifier": {"value": "P-7"}, "display": "Rahima"},
        "dateTime": "2026-09-01",
        "performer": [{"reference": "Patient/7"}],
        "sourceAttachment": {"title": "form", "language": "bn"},
        "policyRule": {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "OPTIN"}]},
        "provision": {
            "period": {"start": "2026-09-01", "end": "2026-12-31"},
            "purpose": [
                {"system": "http://purl.obolibrary.org/obo/", "code": "DUO_0000042"},
                {"system": "http://terminology.hl7.org/CodeSystem/v3-ActReason", "code": "HRESCH"},
            ],
        },
    }
    return json.dumps(value | changes).encode()


def with_events(*events: dict[str, Any]) -> bytes:
    return changed(encode_ts27560(made()), lambda value: value.update(events=list(events)))


GAVE = {"event_state": "consent_given", "event_time": "2026-09-01T08:00:00Z"}


def changed_grantor(grantors: list[dict[str, Any]], **subject: Any) -> bytes:
    """An R5 consent of another system: without our extension about who gave it."""

    def change(value: dict[str, Any]) -> None:
        value["extension"] = [item for item in value["extension"] if not item["url"].endswith("given-by")]
        value["grantor"] = grantors
        value["subject"] |= subject

    return changed(encode_r5(made()), change)
