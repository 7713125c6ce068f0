"""What a foreign document proposes: the fields of a grant. It is no consent until a witness here signs one. Pure."""

from __future__ import annotations

import shlex
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from node.consent.formats.document import Document
from node.consent.formats.fhir_r4b import read_r4b
from node.consent.formats.fhir_r5 import read_r5
from node.consent.formats.record import ASK_HERE
from node.consent.formats.ts27560 import read_ts27560
from node.consent.grant import MAX_VALIDITY_DAYS
from node.consent.notice import check_language
from node.store.local_store import check_patient
from protocol.consent_receipt import DAY_SECONDS, ByGuardian
from protocol.errors import ConsentError, MalformedError
from protocol.foreign_text import one_line

if TYPE_CHECKING:
    from pathlib import Path

    from node.consent.formats.record import ReadConsent
    from protocol.consent_receipt import Relation
    from protocol.identifiers import SiteId

METHODS = ("signed-form", "verbal-witnessed")


@dataclass(frozen=True, slots=True)
class ProposedGrant:
    """The fields of a grant, as far as a document says them."""

    patient: str | None
    """The site's own identifier; None when the document names the patient in another system's words."""
    purposes: tuple[str, ...]
    """DUO codes, at least one."""
    language: str | None
    method: str | None
    asked_by: str | None
    by_guardian: bool
    relation: Relation | None
    """How the guardian stands to the patient; None also when the document does not say."""
    days: int | None
    """Whole days that are left of the consent, at most ten years; None when the document sets no end."""

    def with_said(self, *, patient: str | None, asked_by: str | None) -> ProposedGrant:
        """The same with what the operator says, which stands above what the document says.

        Raises:
            ConfigError: The patient's identifier is none.
        """
        identifier = patient or self.patient
        return replace(
            self,
            patient=None if identifier is None else check_patient(identifier),
            asked_by=asked_by or self.asked_by,
        )


def read_foreign(data: bytes) -> ReadConsent:
    """What a document of any of the known formats says.

    Raises:
        MalformedError: Of no known format, or not following it.
        ConsentError: It denies, or limits the consent in a way that a receipt cannot say.
    """
    document = Document(data)
    if document.peek("resourceType") is not None:
        # R4B demands a scope, which R5 does not know.
        return read_r5(document) if document.peek("scope") is None else read_r4b(document)
    if document.peek("schema_version") is not None:
        return read_ts27560(document)
    raise MalformedError(
        "the document is of no known format", hint="it may be a FHIR Consent (R4B, R5) or an ISO/IEC TS 27560 record"
    )


def propose(consent: ReadConsent, site_id: SiteId, now: int) -> ProposedGrant:
    """The fields of a grant.

    Args:
        consent: What the document says.
        site_id: This site: another site's identifiers of patients mean nothing here.
        now: Seconds since 1970.

    Raises:
        ConsentError: The consent does not stand, has ended or does not begin yet, names no purpose or nobody who gave
            it, or is a waiver.
        ConfigError: Its language is no language tag.
    """
    if not consent.active:
        raise ConsentError("the document says that the consent does not stand", hint="ask the patient")
    if not consent.purposes:
        raise ConsentError(
            "the document names no purpose that a consent here can have",
            hint="ask the patient, then fedrx node consent grant --purpose",
        )
    if consent.given_by is None:
        raise ConsentError("the document does not say who gave the consent", hint=ASK_HERE)
    if consent.given_by == "waiver":
        raise ConsentError(
            "a waiver rests on the committee's decision itself", hint="fedrx node consent grant --waiver FILE"
        )
    if consent.granted_at is not None and consent.granted_at > now:
        raise ConsentError("the document's consent does not begin yet", hint="check this machine's clock")
    if consent.language is not None:
        check_language(consent.language)
    days = None if consent.expires_at is None else (consent.expires_at - now) // DAY_SECONDS
    if days is not None and days < 1:
        raise ConsentError("less than a day is left of the document's consent", hint="ask the patient again")
    elsewhere = consent.site_id is not None and consent.site_id != site_id
    asker = None if consent.asked_by is None else one_line(consent.asked_by).strip()
    return ProposedGrant(
        patient=None if elsewhere else consent.patient,
        purposes=consent.purposes,
        language=consent.language,
        method=next((each for each in METHODS if each == consent.method), None),
        asked_by=asker or None,
        by_guardian=consent.given_by == "guardian",
        relation=consent.giver.relation if isinstance(consent.giver, ByGuardian) else None,
        days=None if days is None else min(days, MAX_VALIDITY_DAYS),
    )


def grant_command(proposed: ProposedGrant, config: Path) -> str:
    """The command that a witness runs when the patient confirms; what must still be filled in is in capitals.

    Args:
        proposed: The fields.
        config: The node's settings file.
    """
    words = ["fedrx", "node", "consent", "grant", "--witness", "NAME", "--asked-by", proposed.asked_by or "NAME"]
    for purpose in proposed.purposes:
        words += ["--purpose", purpose]
    if proposed.method is not None:
        words += ["--method", proposed.method]
    if proposed.days is not None:
        words += ["--days", str(proposed.days)]
    if proposed.language is not None:
        words += ["--language", proposed.language]
    if proposed.by_guardian:
        words += ["--guardian", proposed.relation or "RELATION"]
    words += ["--config", str(config)]
    patient = proposed.patient or "PATIENT"
    # No identifier of a stranger's document may pass for an option.
    return shlex.join([*words, *(["--"] if patient.startswith("-") else []), patient])
