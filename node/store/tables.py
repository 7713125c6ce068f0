"""The tables of the local store. A column named ``sealed_…`` or ``…_tag`` says nothing without the store key.

Only random ids, keyed tags, states and times stand in plain sight.
"""

from __future__ import annotations

from enum import StrEnum

from sqlalchemy import ForeignKey, Integer, LargeBinary, String, UniqueConstraint
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class WordStatus(StrEnum):
    """What a person said about a word."""

    PROPOSED = "proposed"
    """Nobody has looked yet."""
    ACCEPTED = "accepted"
    """The proposal is what is written."""
    FIXED = "fixed"
    """A person wrote what is written."""
    REJECTED = "rejected"
    """No medicine, or nobody can read it."""


class PageStatus(StrEnum):
    """How far the review of a page is."""

    NEW = "new"
    REVIEWED = "reviewed"


class ReceiptState(StrEnum):
    """A consent receipt's standing. Expiry is no state: it follows from ``expires_at`` and the time of asking."""

    IN_FORCE = "in-force"
    WITHDRAWN = "withdrawn"


class WithdrawalState(StrEnum):
    """How far a withdrawal is."""

    RECORDED = "recorded"
    """In force at the site; the chain does not know yet."""
    PUBLISHED = "published"


class Table(DeclarativeBase):
    """Base of every table."""

    type_annotation_map = {bytes: LargeBinary, str: String, int: Integer}  # noqa: RUF012 - read by SQLAlchemy


class StoreInfo(Table):
    """What the store says of itself."""

    __tablename__ = "store_info"

    name: Mapped[str] = mapped_column(primary_key=True)
    value: Mapped[bytes]


class Patient(Table):
    """A patient. Deleting ``wrapped_key`` is what erases one."""

    __tablename__ = "patients"

    id: Mapped[bytes] = mapped_column(primary_key=True)
    """16 random bytes."""
    lookup_tag: Mapped[bytes] = mapped_column(unique=True)
    wrapped_key: Mapped[bytes]
    """The patient's data key, sealed under a key derived from the store key."""
    sealed_patient: Mapped[bytes]
    """The site's own identifier of the patient."""
    sealed_name: Mapped[bytes | None]
    """The name as it was read from a page."""


class Original(Table):
    """A file that was imported, kept sealed beside the store until its pages are reviewed."""

    __tablename__ = "originals"

    id: Mapped[bytes] = mapped_column(primary_key=True)
    """16 random bytes; the file is called by their hex."""
    patient_id: Mapped[bytes] = mapped_column(ForeignKey("patients.id"), index=True)
    file_tag: Mapped[bytes] = mapped_column(unique=True)
    """Over the file's bytes and the patient: a repeated import finds its own unfinished start."""
    sealed_key: Mapped[bytes]
    """The file's own key, under the patient's key."""
    created_at: Mapped[int]


class Page(Table):
    """A page that was read."""

    __tablename__ = "pages"

    id: Mapped[bytes] = mapped_column(primary_key=True)
    patient_id: Mapped[bytes] = mapped_column(ForeignKey("patients.id"), index=True)
    original_id: Mapped[bytes | None] = mapped_column(ForeignKey("originals.id"), index=True)
    """None once the original was deleted."""
    page_tag: Mapped[bytes] = mapped_column(unique=True)
    """Over the decoded pixels: exact duplicates are kept out."""
    status: Mapped[str]
    sealed_fields: Mapped[bytes]
    imported_at: Mapped[int]


class Word(Table):
    """A word crop, what was proposed for it and what a person said."""

    __tablename__ = "words"

    id: Mapped[bytes] = mapped_column(primary_key=True)
    """16 random bytes; this is the sample id in dataset trees."""
    page_id: Mapped[bytes] = mapped_column(ForeignKey("pages.id"), index=True)
    sealed_crop: Mapped[bytes | None]
    """PNG. None for a rejected word of a reviewed page."""
    sealed_proposal: Mapped[bytes]
    sealed_salt: Mapped[bytes]
    status: Mapped[str] = mapped_column(index=True)
    sealed_review: Mapped[bytes | None]
    """Label or reason, and the reviewer."""
    reviewed_at: Mapped[int | None]


class Receipt(Table):
    """A signed consent receipt."""

    __tablename__ = "receipts"

    id: Mapped[bytes] = mapped_column(primary_key=True)
    """The receipt's own random id."""
    patient_id: Mapped[bytes] = mapped_column(ForeignKey("patients.id"), index=True)
    sealed_receipt: Mapped[bytes]
    sealed_signature: Mapped[bytes]
    """Sealed, because with the random id in sight it would let guesses of the other fields be tried."""
    sealed_salt: Mapped[bytes]
    state: Mapped[str] = mapped_column(index=True)
    granted_at: Mapped[int]
    expires_at: Mapped[int]


class Withdrawal(Table):
    """A receipt that was withdrawn. It outlives the patient's erasure, because the chain must still be told."""

    __tablename__ = "withdrawals"

    receipt_id: Mapped[bytes] = mapped_column(primary_key=True)
    state: Mapped[str] = mapped_column(index=True)
    recorded_at: Mapped[int]
    tx_hash: Mapped[bytes | None]


class Quarantined(Table):
    """A file, or one page of it, that was kept aside."""

    __tablename__ = "quarantine"
    __table_args__ = (UniqueConstraint("file_tag", "page_number"),)

    id: Mapped[bytes] = mapped_column(primary_key=True)
    patient_id: Mapped[bytes] = mapped_column(ForeignKey("patients.id"), index=True)
    file_tag: Mapped[bytes]
    page_number: Mapped[int]
    """1-based; 0 for the whole file."""
    reason: Mapped[str]
    sealed_details: Mapped[bytes]
    """The file's name and the sentence."""
    sealed_key: Mapped[bytes | None]
    """Key of the sealed copy; None when the file was not copied."""
    created_at: Mapped[int]
