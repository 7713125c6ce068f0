"""What a transaction may do with scanned consent forms: the evidence behind a receipt, sealed per patient."""

from __future__ import annotations

from sqlalchemy import ForeignKey, select
from sqlalchemy.orm import Mapped, mapped_column

from node.store.local_store import Transaction
from node.store.sealing import Place
from node.store.tables import Table
from protocol.identifiers import Digest


class ConsentForm(Table):
    """A scanned form. It goes with the patient."""

    __tablename__ = "consent_forms"

    receipt_id: Mapped[bytes] = mapped_column(ForeignKey("receipts.id"), primary_key=True)
    patient_id: Mapped[bytes] = mapped_column(ForeignKey("patients.id"), index=True)
    sealed_scan: Mapped[bytes]


def add_form(transaction: Transaction, receipt_id: Digest, patient: str, scan: bytes) -> None:
    """Keeps the scan behind a receipt that this transaction has added."""
    row = transaction.ensure_patient(patient)
    sealed = transaction.patient_key(row.id).seal(scan, Place("consent_forms", "sealed_scan", receipt_id))
    transaction.session.add(ConsentForm(receipt_id=bytes(receipt_id), patient_id=row.id, sealed_scan=sealed))
    transaction.session.flush()


def form_of(transaction: Transaction, receipt_id: Digest) -> bytes | None:
    """The scan behind a receipt, or None."""
    row = transaction.session.scalars(select(ConsentForm).where(ConsentForm.receipt_id == bytes(receipt_id))).first()
    if row is None:
        return None
    return transaction.patient_key(row.patient_id).open(
        row.sealed_scan, Place("consent_forms", "sealed_scan", row.receipt_id)
    )
