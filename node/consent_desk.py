"""The consent desk: what a patient agreed to, who witnessed it, and what happens when they change their mind.

A withdrawal takes effect at the site in the transaction that records it: from then on no sample of the patient trains.
The chain is told by the daemon, which reads ``pending_withdrawals``.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import structlog

from gateways.key_ring.accounts import create_account, open_account
from node.local_store import Transaction, check_patient
from node.proposal import nfc
from node.store_receipts import (
    PendingWithdrawal,
    StoredReceipt,
    add_receipt,
    erase_patient,
    receipts,
    receipts_in_force,
    set_published,
    unpublished_withdrawals,
    withdraw_receipts,
)
from node.store_tables import Patient
from protocol.consent import DUO_PURPOSES, ConsentEntry, ConsentReceipt, Method, SignedReceipt, sign_receipt
from protocol.errors import ConfigError, ConsentError
from protocol.identifiers import AccountAddress, Digest, SiteId, TxHash

if TYPE_CHECKING:
    from gateways.key_ring import KeyRing
    from node.local_store import LocalStore
    from node.notice import Notice
    from node.sealed_files import SealedFiles
    from protocol.ports import ChainIdentity

logger = structlog.get_logger(__name__)

WITNESS_PREFIX = "witness/"
SALT_BYTES = 32
DAY_SECONDS = 24 * 3600
MAX_VALIDITY_DAYS = 3653
DEFAULT_PURPOSES = ("DUO:0000006",)
TRAINING_PURPOSES = frozenset({"DUO:0000006", "DUO:0000042"})
"""Under these a word may train. Clinical care use alone lets the site read a page, not learn from it."""
_WITNESS_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")


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
    """

    def __init__(self, store: LocalStore, key_ring: KeyRing, identity: ChainIdentity, site_id: SiteId) -> None:
        self._store = store
        self._key_ring = key_ring
        self._identity = identity
        self._site_id = site_id

    def grant(self, grant: Grant, now: int) -> SignedReceipt:
        """Signs and keeps a receipt; it is on disk on return.

        Args:
            grant: What was agreed to.
            now: Seconds since 1970.

        Raises:
            ConfigError: A purpose, name, identifier or duration that a receipt cannot hold.
            KeyRingError: The witness has no key.
        """
        purposes = tuple(sorted(set(grant.purposes)))
        if not purposes or set(purposes) - DUO_PURPOSES.keys():
            raise ConfigError("a consent names known purposes", hint=f"use some of {', '.join(sorted(DUO_PURPOSES))}")
        if not 1 <= grant.validity_days <= MAX_VALIDITY_DAYS:
            raise ConfigError(f"a consent lasts 1 to {MAX_VALIDITY_DAYS} days")
        asked_by = nfc(grant.asked_by.strip())
        if not asked_by:
            raise ConfigError("a consent names who asked for it", hint="give --asked-by")
        account = open_account(self._key_ring, witness_key(grant.witness))
        receipt = ConsentReceipt(
            receipt_id=Digest(os.urandom(Digest.length)),
            site_id=self._site_id,
            patient=check_patient(grant.patient),
            purposes=purposes,
            language=grant.notice.language,
            notice_digest=grant.notice.digest,
            notice_version=grant.notice.version,
            method=grant.method,
            asked_by=asked_by,
            witness=AccountAddress.from_hex(account.address),
            granted_at=now,
            expires_at=now + grant.validity_days * DAY_SECONDS,
        )
        signed = sign_receipt(receipt, bytes(account.key), self._identity)
        with self._store.write() as transaction:
            add_receipt(transaction, ConsentEntry(signed, os.urandom(SALT_BYTES)))
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

    def receipts(self) -> tuple[StoredReceipt, ...]:
        """Every receipt, oldest first."""
        with self._store.read() as transaction:
            return receipts(transaction)

    def add_witness(self, name: str) -> AccountAddress:
        """Makes a signing key for a staff member; the site's key document must list its account.

        Raises:
            ConfigError: Not a name for a key.
            KeyRingError: There is a key of this name.
        """
        return create_account(self._key_ring, witness_key(name))


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
    if not _WITNESS_NAME.fullmatch(name):
        raise ConfigError(
            f"{name!r} is no witness name", hint="use lower-case letters, digits, dots, hyphens and underscores"
        )
    return WITNESS_PREFIX + name


def day_of(timestamp: int) -> str:
    """A time as the day a person reads (UTC)."""
    return datetime.fromtimestamp(timestamp, UTC).date().isoformat()


def _patient_row(transaction: Transaction, patient: str) -> Patient:
    row = transaction.find_patient(check_patient(patient))
    if row is None:
        raise ConsentError("this patient is not known here", hint="check the identifier: fedrx node consent list")
    return row
