"""What happens at the desk when somebody consents, and the receipt that it becomes. Pure but for the receipt's id."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from node.data.proposal import nfc
from node.store.local_store import check_patient
from protocol.consent_factor import STAFF_NAME, SecondFactor
from protocol.consent_receipt import (
    BY_PATIENT,
    DAY_SECONDS,
    DUO_PURPOSES,
    ByWaiver,
    ConsentReceipt,
    Giver,
    Method,
)
from protocol.errors import ConfigError
from protocol.identifiers import AccountAddress, Digest, SiteId

if TYPE_CHECKING:
    from node.consent.notice import Notice

MAX_VALIDITY_DAYS = 3653
MAX_FORM_BYTES = 8 << 20


@dataclass(frozen=True, slots=True)
class PatientProof:
    """A code of the patient's telephone."""

    code: str = field(repr=False)
    """As typed."""


@dataclass(frozen=True, slots=True)
class StaffProof:
    """A code of a staff member's telephone, and the scan of the form that was signed by hand."""

    staff: str
    """The staff member's short name."""
    code: str = field(repr=False)
    """As typed."""
    form: bytes = field(repr=False)
    """The scan's bytes."""

    def __post_init__(self) -> None:
        check_staff_name(self.staff)
        if not 0 < len(self.form) <= MAX_FORM_BYTES:
            raise ConfigError(
                f"a scanned form has 1 to {MAX_FORM_BYTES} bytes, not {len(self.form)}",
                hint="scan it in grey at 200 dots an inch",
            )


@dataclass(frozen=True, slots=True)
class Grant:
    """What happened at the desk."""

    patient: str
    """The site's own identifier."""
    purposes: tuple[str, ...]
    """DUO codes."""
    notice: Notice
    method: Method
    asked_by: str
    """The staff member who asked."""
    witness: str
    """The staff member who was present and signs, by the name of their key."""
    validity_days: int
    giver: Giver = BY_PATIENT
    proof: PatientProof | StaffProof | None = None
    """The second factor, when there is one."""

    def __post_init__(self) -> None:
        if not self.purposes or set(self.purposes) - DUO_PURPOSES.keys():
            raise ConfigError("a consent names known purposes", hint=f"use some of {', '.join(sorted(DUO_PURPOSES))}")
        if not 1 <= self.validity_days <= MAX_VALIDITY_DAYS:
            raise ConfigError(f"a consent lasts 1 to {MAX_VALIDITY_DAYS} days")
        if not self.asked_by.strip():
            raise ConfigError("a consent names who asked for it", hint="give --asked-by")
        if isinstance(self.giver, ByWaiver) and isinstance(self.proof, PatientProof):
            raise ConfigError("under a waiver no patient gives a code", hint="give --staff-code instead of --code")
        check_patient(self.patient)

    def receipt(
        self, site_id: SiteId, witness: AccountAddress, second_factor: SecondFactor, now: int
    ) -> ConsentReceipt:
        """The receipt, with a fresh id.

        Args:
            site_id: The site.
            witness: The account of the witness's key.
            second_factor: What was shown beside the witness.
            now: Seconds since 1970.

        Raises:
            MalformedError: A waiver that is dated after today.
        """
        return ConsentReceipt(
            receipt_id=Digest(os.urandom(Digest.length)),
            site_id=site_id,
            patient=check_patient(self.patient),
            purposes=tuple(sorted(set(self.purposes))),
            language=self.notice.language,
            notice_digest=self.notice.digest,
            notice_version=self.notice.version,
            method=self.method,
            asked_by=nfc(self.asked_by.strip()),
            witness=witness,
            granted_at=now,
            expires_at=now + self.validity_days * DAY_SECONDS,
            giver=self.giver,
            second_factor=second_factor,
        )


def check_staff_name(name: str) -> str:
    """A staff member's short name, as it was given.

    Raises:
        ConfigError: Not a name: lower-case letters, digits, dots, hyphens and underscores.
    """
    if not STAFF_NAME.fullmatch(name):
        raise ConfigError(
            f"{name!r} is no short name of staff", hint="use lower-case letters, digits, dots, hyphens and underscores"
        )
    return name
