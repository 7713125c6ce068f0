"""The consent desk: what a patient agreed to, who witnessed it, and what happens when they change their mind.

A withdrawal takes effect at the site in the transaction that records it: from then on no sample of the patient trains.
The chain is told by the daemon, which reads ``pending_withdrawals``.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import structlog

from gateways.key_ring.accounts import open_account
from node.consent.grant import Grant, PatientProof, StaffProof
from node.consent.second_factor import CodeRefused, CodeTaken
from node.store.evidence import add_form
from node.store.local_store import Transaction, check_patient
from node.store.receipts import (
    PendingWithdrawal,
    StoredReceipt,
    add_receipt,
    erase_patient,
    receipts,
    receipts_in_force,
    receipts_of,
    set_published,
    unpublished_withdrawals,
    withdraw_receipts,
)
from node.store.second_factor import take_patient_code, take_staff_code
from node.store.tables import Patient
from protocol.consent import ConsentEntry, SignedReceipt, sign_receipt
from protocol.consent_factor import (
    NO_SECOND_FACTOR,
    STAFF_NAME,
    PatientCode,
    SecondFactor,
    StaffCodeAndForm,
    consent_form_digest,
)
from protocol.errors import ConfigError, ConsentError
from protocol.identifiers import AccountAddress, SiteId, TxHash

if TYPE_CHECKING:
    from gateways.key_ring import KeyRing
    from node.store.local_store import LocalStore
    from node.store.sealed_files import SealedFiles
    from protocol.ports import ChainIdentity

logger = structlog.get_logger(__name__)

WITNESS_PREFIX = "witness/"
SALT_BYTES = 32


@dataclass(frozen=True, slots=True)
class Erasure:
    """What was forgotten with a patient."""

    word_ids: tuple[bytes, ...]
    """Sample ids: whatever is derived from them, such as cached features, must go too."""
    files: int
    """Sealed files that were unlinked."""
    log_emptied: bool
    """False when another process was reading: the write-ahead log is then emptied at its next checkpoint."""


class ConsentDesk:
    """Grants, withdraws and erases for one site.

    Args:
        store: The site's local store.
        key_ring: Holds the witnesses' keys.
        identity: The deployment that signatures are bound to.
        site_id: The site.
        second_factor_required: Whether a witness alone is not enough.
    """

    def __init__(
        self,
        store: LocalStore,
        key_ring: KeyRing,
        identity: ChainIdentity,
        site_id: SiteId,
        *,
        second_factor_required: bool = False,
    ) -> None:
        self._store = store
        self._key_ring = key_ring
        self._identity = identity
        self._site_id = site_id
        self._second_factor_required = second_factor_required

    def grant(self, grant: Grant, now: int) -> SignedReceipt:
        """Signs and keeps a receipt; it is on disk on return.

        A one-time code is marked as used in the transaction that keeps the receipt.

        Args:
            grant: What was agreed to.
            now: Seconds since 1970.

        Raises:
            ConfigError: A code of other than six digits, or a witness who has no key.
            ConsentError: The second factor is missing, wrong, used before or locked.
        """
        account = open_account(self._key_ring, known_witness(self._key_ring, grant.witness))
        signer = AccountAddress.from_hex(account.address)
        with self._store.write() as transaction:
            factor = self._second_factor(transaction, grant, now)
            if not isinstance(factor, CodeRefused):
                receipt = grant.receipt(self._site_id, signer, factor, now)
                signed = sign_receipt(receipt, bytes(account.key), self._identity)
                add_receipt(transaction, ConsentEntry(signed, os.urandom(SALT_BYTES)))
                if isinstance(grant.proof, StaffProof):
                    add_form(transaction, receipt.receipt_id, receipt.patient, grant.proof.form)
        if isinstance(factor, CodeRefused):
            # Raised only now: the wrong code is counted by the transaction that has ended.
            raise ConsentError(factor.what, hint=factor.hint)
        logger.info("consent.granted", expires_at=receipt.expires_at)
        return signed

    def withdraw(self, patient: str, now: int) -> int:
        """Withdraws everything a patient agreed to; returns how many receipts.

        Raises:
            ConsentError: The patient has given no consent, or has withdrawn it before.
        """
        with self._store.write() as transaction:
            row = _patient_row(transaction, patient)
            withdrawn = withdraw_receipts(transaction, row.id, now)
            if not withdrawn:
                raise ConsentError("this patient has no consent to withdraw", hint="see fedrx node consent list")
        logger.info("consent.withdrawal_recorded", receipts=len(withdrawn))
        return len(withdrawn)

    def erase(self, patient: str, now: int, originals: SealedFiles, quarantine: SealedFiles) -> Erasure:
        """Forgets a patient: withdraws what is in force, then deletes their key, rows, salts and files.

        Copies of the store file that were made before, with the keystore, still open: backups must be let expire.

        Raises:
            ConsentError: There is no such patient.
        """
        with self._store.write() as transaction:
            row = _patient_row(transaction, patient)
            withdraw_receipts(transaction, row.id, now)
            gone = erase_patient(transaction, row.id)
        # The keys are gone: from here on a crash leaves noise, which the next import sweeps.
        for original_id in gone.original_ids:
            originals.remove(original_id)
        for quarantine_id in gone.quarantine_ids:
            quarantine.remove(quarantine_id)
        emptied = self._store.forget_deleted()
        logger.info("consent.patient_erased", words=len(gone.word_ids), log_emptied=emptied)
        return Erasure(gone.word_ids, len(gone.original_ids) + len(gone.quarantine_ids), emptied)

    def receipts(self, patient: str | None = None) -> tuple[StoredReceipt, ...]:
        """Every receipt, or those of one patient, oldest first.

        Raises:
            ConsentError: There is no such patient.
        """
        with self._store.read() as transaction:
            if patient is None:
                return receipts(transaction)
            return receipts_of(transaction, _patient_row(transaction, patient).id)

    def _second_factor(self, transaction: Transaction, grant: Grant, now: int) -> SecondFactor | CodeRefused:
        match grant.proof:
            case PatientProof(code):
                tried = take_patient_code(transaction, check_patient(grant.patient), code, now)
                return PatientCode(tried.counter) if isinstance(tried, CodeTaken) else tried
            case StaffProof(staff, code, form):
                tried = take_staff_code(transaction, staff, code, now)
                if isinstance(tried, CodeRefused):
                    return tried
                return StaffCodeAndForm(staff, tried.counter, consent_form_digest(form))
            case None:
                if self._second_factor_required:
                    raise ConsentError(
                        "this site takes no consent without a second factor",
                        hint="give --code, or --staff-code and --form",
                    )
                return NO_SECOND_FACTOR


def consent_entries(store: LocalStore, now: int) -> tuple[ConsentEntry, ...]:
    """All receipts in force with the salts of their leaves, sorted by receipt id.

    Args:
        store: The site's local store.
        now: Seconds since 1970.
    """
    with store.read() as transaction:
        return tuple(stored.entry for stored in receipts_in_force(transaction, now))


def earliest_expiry(entries: Iterable[ConsentEntry]) -> int | None:
    """When the first of the receipts expires, in seconds since 1970; None when there is none."""
    return min((entry.signed.receipt.expires_at for entry in entries), default=None)


def pending_withdrawals(store: LocalStore) -> tuple[PendingWithdrawal, ...]:
    """Withdrawals that the chain must be told, oldest first."""
    with store.read() as transaction:
        return unpublished_withdrawals(transaction)


def mark_withdrawals_published(store: LocalStore, withdrawal_ids: Iterable[bytes], tx_hash: TxHash | None) -> None:
    """Says that the chain knows these withdrawals; one recorded meanwhile still waits.

    Args:
        store: The site's local store.
        withdrawal_ids: Of what ``pending_withdrawals`` gave before the transaction was sent.
        tx_hash: None when nothing of the site was in force on the chain.
    """
    with store.write() as transaction:
        set_published(transaction, withdrawal_ids, tx_hash)


def witness_key(name: str) -> str:
    """The name of a staff member's key in the key ring.

    Raises:
        ConfigError: Not a name: lower-case letters, digits, dots, hyphens and underscores.
    """
    if not STAFF_NAME.fullmatch(name):
        raise ConfigError(
            f"{name!r} is no witness name", hint="use lower-case letters, digits, dots, hyphens and underscores"
        )
    return WITNESS_PREFIX + name


def known_witness(key_ring: KeyRing, name: str) -> str:
    """The name of a witness's key that the key ring holds.

    Raises:
        ConfigError: Not a name, or nobody of this name has a key.
    """
    key = witness_key(name)
    if key not in key_ring.names():
        raise ConfigError(f"{name} is no witness here", hint=f"fedrx node witness add {name} makes one")
    return key


def day_of(timestamp: int) -> str:
    """A time as the day a person reads (UTC)."""
    return datetime.fromtimestamp(timestamp, UTC).date().isoformat()


def _patient_row(transaction: Transaction, patient: str) -> Patient:
    row = transaction.find_patient(check_patient(patient))
    if row is None:
        raise ConsentError("this patient is not known here", hint="check the identifier: fedrx node consent list")
    return row
