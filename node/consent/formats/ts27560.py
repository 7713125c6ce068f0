"""Consent records of ISO/IEC TS 27560:2023 as JSON (docs/spec/consent-formats.md, section 3).

The standard names fields and sections and leaves their encoding open; the section names are this project's.
"""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

from node.consent.formats.giver_and_factor import factor_of, factor_texts, giver_of, giver_texts, kind_of
from node.consent.formats.instants import end_of, instant, start_of
from node.consent.formats.record import (
    ASK_HERE,
    CONTRADICTS,
    OPERATION,
    PII_CATEGORY,
    URN,
    ConsentRecord,
    ReadConsent,
)
from protocol.consent_receipt import DUO_PURPOSES
from protocol.errors import ConsentError, MalformedError
from protocol.foreign_text import one_line
from protocol.identifiers import AccountAddress, Digest, SiteId

if TYPE_CHECKING:
    from node.consent.formats.document import Document, Path
    from protocol.consent_receipt import GivenBy, Giver

SCHEMA_VERSION = "ISO/IEC TS 27560:2023"
LAWFUL_BASIS: dict[GivenBy, str] = {
    "patient": "consent",
    "guardian": "consent-of-guardian",
    "waiver": "waiver-of-ethics-committee",
}
WITHDRAWAL_METHOD = "telling any member of the site's staff, at any time, without a reason"
GIVEN = ("consent_given", "given", "ConsentGiven", "dpv:ConsentGiven")
"""The first is written; all are read, as the Data Privacy Vocabulary spells them."""
WITHDRAWN = ("consent_withdrawn", "withdrawn", "ConsentWithdrawn", "dpv:ConsentWithdrawn")
_LIMITING = ("geographic_restrictions", "processing_locations")


def encode_ts27560(record: ConsentRecord) -> bytes:
    """A consent as a record, JSON in UTF-8. Fields that a receipt does not know (the page names them) are absent."""
    receipt = record.receipt
    site = receipt.site_id.hex()
    value = {
        "schema_version": SCHEMA_VERSION,
        "record_id": receipt.receipt_id.hex(),
        "pii_principal_id": receipt.patient,
        "pii_processing": {
            "privacy_notice": {"version": receipt.notice_version, "digest": receipt.notice_digest.hex()},
            "language": receipt.language,
            "purposes": [_purpose(record, code) for code in receipt.purposes],
        },
        "party_identification": [{"party_id": site, "party_role": "pii_controller"}],
        "events": _events(record),
        URN + "receipt": {
            "method": receipt.method,
            "asked_by": receipt.asked_by,
            "given_by": giver_texts(receipt.giver),
            "second_factor": factor_texts(receipt.second_factor),
        },
    }
    return (json.dumps(value, ensure_ascii=False, indent=1) + "\n").encode("utf-8")


def read_ts27560(document: Document) -> ReadConsent:
    """What a record says.

    Raises:
        MalformedError: Not such a record.
        ConsentError: It limits the consent in a way that a receipt cannot say, or contradicts itself about who gave it.
    """
    if not document.require("schema_version").startswith("ISO/IEC TS 27560"):
        raise MalformedError("the document is no record of ISO/IEC TS 27560")
    purposes = [_read_purpose(document, item) for item in document.items("pii_processing", "purposes")]
    ours = URN + "receipt"
    giver = _texts(document, ours, "given_by")
    factor = _texts(document, ours, "second_factor")
    if giver is None and document.peek(ours, "given_by") is not None:
        raise ConsentError("the document does not say who gave the consent", hint=ASK_HERE)
    given, withdrawn_at, active = _read_events(document)
    known = None if giver is None else giver_of(giver)
    own: dict[str, Any] = {} if known is None else _own_fields(document, given, known)
    return ReadConsent(
        **own,
        given_by=_given_by(document, known),
        active=active,
        purposes=tuple(sorted({code for code in purposes if code is not None})),
        patient=document.text("pii_principal_id"),
        language=document.text("pii_processing", "language"),
        method=document.text(ours, "method"),
        asked_by=document.text(ours, "asked_by"),
        granted_at=None if given is None else start_of(document.require(*given, "event_time")),
        expires_at=None if given is None else _expiry(document, given),
        withdrawn_at=withdrawn_at,
        second_factor=None if factor is None else factor_of(factor),
        dropped=document.unread(),
    )


def _own_fields(document: Document, given: Path | None, giver: Giver) -> dict[str, Any]:
    """What only a record that was written here says in a way that can be read."""
    site = _controller(document)
    witness = None if given is None else document.text(*given, "entity_id")
    return {
        "giver": giver,
        "receipt_id": Digest.from_hex(document.require("record_id")),
        "site_id": None if site is None else SiteId.from_hex(site),
        "witness": None if witness is None else AccountAddress.from_hex(witness),
        "notice_digest": Digest.from_hex(document.require("pii_processing", "privacy_notice", "digest")),
        "notice_version": document.text("pii_processing", "privacy_notice", "version"),
    }


def _given_by(document: Document, giver: Giver | None) -> GivenBy | None:
    """Who agreed, as our field and the basis of every purpose say with one voice; None when nothing says it."""
    bases = [document.peek(*item, "lawful_basis") for item in document.items("pii_processing", "purposes")]
    said = {kind for kind, basis in LAWFUL_BASIS.items() if basis in bases}
    if giver is not None:
        said.add(kind_of(giver))
    if len(said) > 1:
        raise ConsentError(CONTRADICTS, hint=ASK_HERE)
    return next(iter(said), None)


def _purpose(record: ConsentRecord, code: str) -> dict[str, Any]:
    return {
        "purpose": DUO_PURPOSES[code],
        "purpose_type": code,
        "lawful_basis": LAWFUL_BASIS[record.receipt.given_by],
        "pii_information": [{"pii_type": PII_CATEGORY}],
        "pii_controllers": [record.receipt.site_id.hex()],
        "processing_method": OPERATION,
        "storage_locations": [record.receipt.site_id.hex()],
        "recipient_third_parties": [],
        "withdrawal_method": WITHDRAWAL_METHOD,
    }


def _events(record: ConsentRecord) -> list[dict[str, str]]:
    receipt = record.receipt
    given = {
        "event_time": instant(receipt.granted_at),
        "validity_duration": f"PT{receipt.expires_at - receipt.granted_at}S",
        "entity_id": receipt.witness.hex(),
        "event_type": "explicit_consent",
        "event_state": GIVEN[0],
    }
    if record.withdrawn_at is None:
        return [given]
    return [given, {"event_time": instant(record.withdrawn_at), "event_state": WITHDRAWN[0]}]


def _read_purpose(document: Document, at: Path) -> str | None:
    for key in _LIMITING:
        if document.peek(*at, key):
            raise ConsentError(
                f"the document limits the consent by its {key}", hint="a consent here cannot be limited so"
            )
    code = document.peek(*at, "purpose_type")
    if not isinstance(code, str) or code.replace("_", ":") not in DUO_PURPOSES:
        if isinstance(code, str) and code.startswith("DUO"):
            raise ConsentError(f"the document says {one_line(code)}, which has no place in a consent here")
        return None
    ours = {"pii_information": [{"pii_type": PII_CATEGORY}], "processing_method": OPERATION}
    for key, only in ours.items():
        if document.peek(*at, key) not in (None, only):
            raise ConsentError(
                f"the document consents to another {key}", hint="ask the patient here: fedrx node consent grant"
            )
    document.mark(*at)
    return code.replace("_", ":")


def _read_events(document: Document) -> tuple[Path | None, int | None, bool]:
    """Where the last event that gave the consent stands, when it was withdrawn after, and whether it still stands."""
    given: Path | None = None
    withdrawn_at: int | None = None
    active = False
    for item in sorted(document.items("events"), key=lambda item: _order(document, item)):
        state = document.text(*item, "event_state")
        active = state in GIVEN
        if active:
            given, withdrawn_at = item, None
            document.mark(*item, "event_type")
        elif state in WITHDRAWN:
            withdrawn_at = start_of(document.require(*item, "event_time"))
    return given, withdrawn_at, active


def _order(document: Document, item: Path) -> tuple[float, bool]:
    """Where an event stands in time. Whatever ends a consent comes last where the times leave it open."""
    state = document.text(*item, "event_state")
    if state in GIVEN:
        return start_of(document.require(*item, "event_time")), False
    if state in WITHDRAWN:
        return end_of(document.require(*item, "event_time")), True
    time = document.peek(*item, "event_time")
    return end_of(time) if isinstance(time, str) else math.inf, True


def _expiry(document: Document, given: Path) -> int | None:
    duration = document.text(*given, "validity_duration")
    if duration is None:
        return None
    digits = duration.removeprefix("PT").removesuffix("S")
    scale = 1
    if duration.startswith("P") and duration.endswith("D"):
        digits, scale = duration[1:-1], 24 * 3600
    if not (digits.isascii() and digits.isdigit() and len(digits) <= 12):
        raise MalformedError(f"{one_line(duration)!r} is no duration in days or seconds")
    return start_of(document.require(*given, "event_time")) + scale * int(digits)


def _controller(document: Document) -> str | None:
    """The site's id, when the one controller is a FedRx site: an id of 32 bytes in hex."""
    for item in document.items("party_identification"):
        party = document.peek(*item, "party_id")
        if document.peek(*item, "party_role") == "pii_controller" and isinstance(party, str) and len(party) == 64:
            document.mark(*item)
            return party
    return None


def _texts(document: Document, *path: str | int) -> dict[str, str] | None:
    found = document.peek(*path)
    if not isinstance(found, dict) or "kind" not in found:
        return None
    return {key: document.require(*path, key) for key in found}
