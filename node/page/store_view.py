"""What the page reads from the store: pages with their originals, and patients with their standing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import func, select

from node.store.pages import SealedFile
from node.store.sealed_files import open_key
from node.store.sealing import Place
from node.store.tables import Original, Page, PageStatus, Patient, Word
from protocol.canonical_json import expect_int, expect_object, expect_str, parse

if TYPE_CHECKING:
    from node.store.local_store import Transaction

_PAGE_KEYS = frozenset({"file", "page", "hospital", "engine"})


@dataclass(frozen=True, slots=True)
class StoredPage:
    """A page of the store."""

    page_id: bytes
    patient_id: bytes
    """Of the patient's row."""
    patient: str
    """The site's own identifier."""
    file: str
    number: int
    """1-based within its file."""
    hospital: str
    reviewed: bool
    imported_at: int
    """Seconds since 1970."""
    original: SealedFile | None
    """None once it was deleted."""


@dataclass(frozen=True, slots=True)
class KnownPatient:
    """A patient of the store."""

    patient_id: bytes
    patient: str
    """The site's own identifier."""
    words: int


def find_page(transaction: Transaction, page_id: bytes) -> StoredPage | None:
    """A page, or None."""
    row = transaction.session.get(Page, page_id)
    return None if row is None else _page(transaction, row)


def has_word(transaction: Transaction, word_id: bytes) -> bool:
    """Whether there is such a word."""
    return transaction.session.get(Word, word_id) is not None


def pages(transaction: Transaction) -> dict[bytes, StoredPage]:
    """Every page that still has words to review, by id."""
    rows = transaction.session.scalars(select(Page).where(Page.status == PageStatus.NEW))
    return {row.id: _page(transaction, row) for row in rows}


def patients(transaction: Transaction) -> tuple[KnownPatient, ...]:
    """Every patient, sorted by identifier."""
    counted = select(Page.patient_id, func.count(Word.id)).join(Word, Word.page_id == Page.id).group_by(Page.patient_id)
    words = {row[0]: row[1] for row in transaction.session.execute(counted)}
    found = (
        KnownPatient(row_id, transaction.patient_of(row_id), words.get(row_id, 0))
        for row_id in transaction.session.scalars(select(Patient.id))
    )
    return tuple(sorted(found, key=lambda patient: patient.patient))


def _page(transaction: Transaction, row: Page) -> StoredPage:
    key = transaction.patient_key(row.patient_id)
    fields = expect_object(parse(key.open(row.sealed_fields, Place("pages", "sealed_fields", row.id))), _PAGE_KEYS)
    original = None if row.original_id is None else transaction.session.get(Original, row.original_id)
    return StoredPage(
        page_id=row.id,
        patient_id=row.patient_id,
        patient=transaction.patient_of(row.patient_id),
        file=expect_str(fields["file"]),
        number=expect_int(fields["page"]),
        hospital=expect_str(fields["hospital"]),
        reviewed=row.status == PageStatus.REVIEWED,
        imported_at=row.imported_at,
        original=None
        if original is None
        else SealedFile(original.id, open_key(key, original.sealed_key, "originals", original.id)),
    )
