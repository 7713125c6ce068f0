"""What a transaction may do with redacted pages: the picture of a page that stays when its original is deleted."""

from __future__ import annotations

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from node.store.local_store import Transaction
from node.store.sealing import Place
from node.store.tables import Table


class RedactedPage(Table):
    """A page without its private fields (``prescriptions.redaction``). It goes with the patient."""

    __tablename__ = "redacted_pages"

    page_id: Mapped[bytes] = mapped_column(ForeignKey("pages.id", ondelete="CASCADE"), primary_key=True)
    patient_id: Mapped[bytes] = mapped_column(ForeignKey("patients.id"), index=True)
    sealed_picture: Mapped[bytes]
    """PNG, grey."""


def add_redacted(transaction: Transaction, page_id: bytes, patient_id: bytes, picture_png: bytes) -> None:
    """Keeps the redacted picture of a page that this transaction has added.

    Args:
        transaction: A writing transaction.
        page_id: Of the page's row.
        patient_id: Of the patient's row.
        picture_png: Grey.
    """
    sealed = transaction.patient_key(patient_id).seal(picture_png, Place("redacted_pages", "sealed_picture", page_id))
    transaction.session.add(RedactedPage(page_id=page_id, patient_id=patient_id, sealed_picture=sealed))
    transaction.session.flush()


def redacted_png(transaction: Transaction, page_id: bytes) -> bytes | None:
    """The redacted picture of a page; None where the page is a single word's crop."""
    row = transaction.session.get(RedactedPage, page_id)
    if row is None:
        return None
    place = Place("redacted_pages", "sealed_picture", page_id)
    return transaction.patient_key(row.patient_id).open(row.sealed_picture, place)
