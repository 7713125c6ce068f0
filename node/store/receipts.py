"""What a transaction may do with consent receipts, withdrawals, and the erasure of a patient."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import delete, select, update

from node.store.local_store import Transaction
from node.store.sealing import Place
from node.store.tables import (
    Original,
    Page,
    Patient,
    Quarantined,
    Receipt,
    ReceiptState,
    Table,
    Withdrawal,
    WithdrawalState,
    Word,
)
from protocol.consent import ConsentEntry, SignedReceipt
from protocol.consent_receipt import encode_receipt, parse_receipt
from protocol.identifiers import TxHash


@dataclass(frozen=True, slots=True)
class StoredReceipt:
    """A consent receipt of the store."""

    patient_id: bytes
    """Of the patient's row; means nothing outside the store."""
    entry: ConsentEntry
    state: ReceiptState

    def in_force(self, now: int) -> bool:
        """Whether samples may be used under it at ``now`` (seconds since 1970)."""
        return self.state is ReceiptState.IN_FORCE and now < self.entry.signed.receipt.expires_at


@dataclass(frozen=True, slots=True)
class PendingWithdrawal:
    """A withdrawal that the chain does not know yet."""

    withdrawal_id: bytes
    """The id of the withdrawn receipt."""
    recorded_at: int
    """Seconds since 1970."""


@dataclass(frozen=True, slots=True)
class ErasedRows:
    """What was forgotten with a patient."""

    word_ids: tuple[bytes, ...]
    original_ids: tuple[bytes, ...]
    quarantine_ids: tuple[bytes, ...]


def add_receipt(transaction: Transaction, entry: ConsentEntry) -> None:
    """Keeps a signed receipt with the salt of its leaf."""
    receipt = entry.signed.receipt
    row = transaction.ensure_patient(receipt.patient)
    key = transaction.patient_key(row.id)
    transaction.session.add(
        Receipt(
            id=bytes(receipt.receipt_id),
            patient_id=row.id,
            sealed_receipt=key.seal(encode_receipt(receipt), Place("receipts", "sealed_receipt", receipt.receipt_id)),
            sealed_signature=key.seal(
                entry.signed.signature, Place("receipts", "sealed_signature", receipt.receipt_id)
            ),
            sealed_salt=key.seal(entry.salt, Place("receipts", "sealed_salt", receipt.receipt_id)),
            state=ReceiptState.IN_FORCE,
            granted_at=receipt.granted_at,
            expires_at=receipt.expires_at,
        )
    )
    transaction.session.flush()


def receipts(transaction: Transaction) -> tuple[StoredReceipt, ...]:
    """Every receipt, sorted by when it was granted."""
    rows = transaction.session.scalars(select(Receipt).order_by(Receipt.granted_at, Receipt.id))
    return tuple(_value(transaction, row) for row in rows)


def receipts_of(transaction: Transaction, patient_id: bytes) -> tuple[StoredReceipt, ...]:
    """Every receipt of a patient, sorted by when it was granted."""
    of_patient = select(Receipt).where(Receipt.patient_id == patient_id)
    rows = transaction.session.scalars(of_patient.order_by(Receipt.granted_at, Receipt.id))
    return tuple(_value(transaction, row) for row in rows)


def receipts_in_force(transaction: Transaction, now: int) -> tuple[StoredReceipt, ...]:
    """The receipts under which samples may be used, sorted by id."""
    in_force = (Receipt.state == ReceiptState.IN_FORCE, Receipt.expires_at > now)
    rows = transaction.session.scalars(select(Receipt).where(*in_force).order_by(Receipt.id))
    return tuple(_value(transaction, row) for row in rows)


def withdraw_receipts(transaction: Transaction, patient_id: bytes, now: int) -> tuple[bytes, ...]:
    """Withdraws all receipts of a patient, expired ones too, and records that the chain must be told.

    Returns:
        Ids of the receipts that were not withdrawn before.
    """
    granted = (Receipt.patient_id == patient_id, Receipt.state == ReceiptState.IN_FORCE)
    ids = tuple(transaction.session.scalars(select(Receipt.id).where(*granted).order_by(Receipt.id)))
    transaction.session.execute(update(Receipt).where(*granted).values(state=ReceiptState.WITHDRAWN))
    transaction.session.add_all(
        Withdrawal(receipt_id=receipt_id, state=WithdrawalState.RECORDED, recorded_at=now, tx_hash=None)
        for receipt_id in ids
    )
    transaction.session.flush()
    return ids


def unpublished_withdrawals(transaction: Transaction) -> tuple[PendingWithdrawal, ...]:
    """Withdrawals that the chain does not know yet, oldest first."""
    recorded = select(Withdrawal).where(Withdrawal.state == WithdrawalState.RECORDED)
    rows = transaction.session.scalars(recorded.order_by(Withdrawal.recorded_at, Withdrawal.receipt_id))
    return tuple(PendingWithdrawal(row.receipt_id, row.recorded_at) for row in rows)


def set_published(transaction: Transaction, withdrawal_ids: Iterable[bytes], tx_hash: TxHash | None) -> None:
    """Says of withdrawals that the chain knows them.

    Args:
        transaction: A writing transaction.
        withdrawal_ids: Those that were read before the transaction was sent: a later one still waits.
        tx_hash: None when nothing of the site was in force on the chain.
    """
    told = {"state": WithdrawalState.PUBLISHED, "tx_hash": None if tx_hash is None else bytes(tx_hash)}
    transaction.session.execute(
        update(Withdrawal).where(Withdrawal.receipt_id.in_(list(withdrawal_ids))).values(**told)
    )


def erase_patient(transaction: Transaction, patient_id: bytes) -> ErasedRows:
    """Deletes a patient's key and every row of theirs; recorded withdrawals stay, for the chain must be told.

    A row is a patient's when it has a column ``patient_id``, or is a word of a page of theirs.

    Returns:
        What the caller must remove beside the store.
    """
    session = transaction.session
    pages = select(Page.id).where(Page.patient_id == patient_id)
    gone = ErasedRows(
        word_ids=tuple(session.scalars(select(Word.id).where(Word.page_id.in_(pages)))),
        original_ids=tuple(session.scalars(select(Original.id).where(Original.patient_id == patient_id))),
        quarantine_ids=tuple(session.scalars(select(Quarantined.id).where(Quarantined.patient_id == patient_id))),
    )
    # Who refers to others goes first.
    for table in reversed(Table.metadata.sorted_tables):
        if table.name == Word.__tablename__:
            session.execute(delete(Word).where(Word.page_id.in_(pages)))
        elif "patient_id" in table.columns:
            session.execute(delete(table).where(table.columns["patient_id"] == patient_id))
    session.execute(delete(Patient).where(Patient.id == patient_id))
    return gone


def _value(transaction: Transaction, row: Receipt) -> StoredReceipt:
    key = transaction.patient_key(row.patient_id)
    receipt = parse_receipt(key.open(row.sealed_receipt, Place("receipts", "sealed_receipt", row.id)))
    signature = key.open(row.sealed_signature, Place("receipts", "sealed_signature", row.id))
    salt = key.open(row.sealed_salt, Place("receipts", "sealed_salt", row.id))
    entry = ConsentEntry(SignedReceipt(receipt, signature), salt)
    return StoredReceipt(row.patient_id, entry, ReceiptState(row.state))
