"""What another system is told of a consent, and what another system's document says of one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from protocol.consent_factor import SecondFactor
    from protocol.consent_receipt import ConsentReceipt, GivenBy, Giver
    from protocol.identifiers import AccountAddress, Digest, SiteId

URN = "urn:fedrx:consent:"
"""Start of the names of what a foreign format has no place for."""
PII_CATEGORY = "handwriting-of-medicine-names"
OPERATION = "federated-training"
ASK_HERE = "ask the patient or the guardian here, with fedrx node consent grant"
"""Hint where a document leaves open who agreed."""
CONTRADICTS = "the document contradicts itself about who gave the consent"


@dataclass(frozen=True, slots=True)
class ConsentRecord:
    """A consent receipt and what became of it."""

    receipt: ConsentReceipt
    withdrawn_at: int | None = None
    """Seconds since 1970; None while the patient has not withdrawn."""


@dataclass(frozen=True, slots=True)
class ReadConsent:
    """What a document says. A field is None where the document is silent."""

    active: bool
    """Whether the document says that the consent stands; a date may have ended it all the same."""
    purposes: tuple[str, ...]
    """DUO codes, sorted."""
    patient: str | None = None
    language: str | None = None
    method: str | None = None
    asked_by: str | None = None
    granted_at: int | None = None
    """Seconds since 1970."""
    expires_at: int | None = None
    """Seconds since 1970."""
    withdrawn_at: int | None = None
    """Seconds since 1970."""
    given_by: GivenBy | None = None
    giver: Giver | None = None
    """None also where somebody else gave it and the document does not say how they stand to the patient."""
    second_factor: SecondFactor | None = None
    receipt_id: Digest | None = None
    site_id: SiteId | None = None
    witness: AccountAddress | None = None
    notice_digest: Digest | None = None
    notice_version: str | None = None
    dropped: tuple[str, ...] = ()
    """Places in the document that have no place in a consent receipt."""
