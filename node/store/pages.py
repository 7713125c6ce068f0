"""What a transaction may do with patients' files and pages."""

from __future__ import annotations

import os
from dataclasses import dataclass

from sqlalchemy import delete, exists, func, select, update

from node.data.proposal import Proposal, encode_proposal, nfc
from node.store.local_store import Transaction, new_id
from node.store.redacted import add_redacted
from node.store.sealed_files import open_key, sealed_key
from node.store.sealing import Place, SealingKey
from node.store.tables import Original, Page, PageStatus, Patient, Quarantined, Word, WordStatus
from protocol.canonical_json import encode
from protocol.identifiers import Digest

SALT_BYTES = 32


@dataclass(frozen=True, slots=True)
class SealedFile:
    """A file beside the store and the key that opens it."""

    file_id: bytes
    key: SealingKey


@dataclass(frozen=True, slots=True)
class NewWord:
    """A word to be reviewed."""

    crop_png: bytes
    proposal: Proposal


@dataclass(frozen=True, slots=True)
class NewPage:
    """A page as it was read."""

    page_digest: Digest
    """Over the decoded pixels."""
    page_number: int
    """1-based within its file."""
    file_name: str
    engine: str
    hospital: str
    """As it was read, or empty."""
    patient_name: str
    """As it was read, or empty."""
    words: tuple[NewWord, ...]
    redacted_png: bytes | None = None
    """The page without its private fields; None where the page is a single word's crop."""


def has_page(transaction: Transaction, page_digest: Digest) -> bool:
    """Whether a page of the same pixels is in the store."""
    tag = _page_tag(transaction, page_digest)
    return bool(transaction.session.scalar(select(exists().where(Page.page_tag == tag))))


def ensure_original(transaction: Transaction, patient: str, file_digest: Digest, now: int) -> SealedFile:
    """The sealed copy of a file: the one that an interrupted import began, or a new one with a key of its own."""
    row = transaction.ensure_patient(patient)
    tag = _file_tag(transaction, row, file_digest)
    holder = transaction.patient_key(row.id)
    found = transaction.session.scalars(select(Original).where(Original.file_tag == tag)).one_or_none()
    if found is not None:
        return SealedFile(found.id, open_key(holder, found.sealed_key, "originals", found.id))
    file = SealedFile(new_id(), SealingKey.generate())
    wrapped = sealed_key(holder, file.key, "originals", file.file_id)
    transaction.session.add(
        Original(id=file.file_id, patient_id=row.id, file_tag=tag, sealed_key=wrapped, created_at=now)
    )
    transaction.session.flush()
    return file


def add_page(transaction: Transaction, patient: str, page: NewPage, original_id: bytes, now: int) -> bytes | None:
    """Adds a page and its words; its id, or None when a page of the same pixels is there already."""
    if has_page(transaction, page.page_digest):
        return None
    row = transaction.ensure_patient(patient)
    key = transaction.patient_key(row.id)
    page_id = new_id()
    fields = encode(
        {"file": nfc(page.file_name), "page": page.page_number, "hospital": nfc(page.hospital), "engine": page.engine}
    )
    transaction.session.add(
        Page(
            id=page_id,
            patient_id=row.id,
            original_id=original_id,
            page_tag=_page_tag(transaction, page.page_digest),
            status=PageStatus.NEW if page.words else PageStatus.REVIEWED,
            sealed_fields=key.seal(fields, Place("pages", "sealed_fields", page_id)),
            imported_at=now,
        )
    )
    transaction.session.flush()
    transaction.session.add_all(_word_row(key, page_id, word) for word in page.words)
    if page.redacted_png is not None:
        add_redacted(transaction, page_id, row.id, page.redacted_png)
    if page.patient_name and row.sealed_name is None:
        name = nfc(page.patient_name).encode("utf-8")
        row.sealed_name = key.seal(name, Place("patients", "sealed_name", row.id))
    transaction.session.flush()
    return page_id


def finish_page(transaction: Transaction, page_id: bytes) -> None:
    """Marks a page whose words were all reviewed, and drops the crops of its rejected words."""
    open_words = select(Word.id).where(Word.page_id == page_id, Word.status == WordStatus.PROPOSED)
    if transaction.session.scalar(select(open_words.exists())):
        return
    transaction.session.execute(update(Page).where(Page.id == page_id).values(status=PageStatus.REVIEWED))
    rejected = (Word.page_id == page_id, Word.status == WordStatus.REJECTED)
    transaction.session.execute(update(Word).where(*rejected).values(sealed_crop=None))


def release_originals(transaction: Transaction) -> list[bytes]:
    """Forgets the keys of the originals whose pages were all reviewed; the caller then unlinks these files."""
    unread = select(Page.id).where(Page.original_id == Original.id, Page.status == PageStatus.NEW)
    has_pages = select(Page.id).where(Page.original_id == Original.id)
    done = select(Original.id).where(has_pages.exists(), ~unread.exists())
    return _forget_originals(transaction, list(transaction.session.scalars(done)))


def forget_empty_originals(transaction: Transaction, created_before: int) -> list[bytes]:
    """Forgets originals of which no page came into the store; the caller then unlinks these files.

    Args:
        transaction: A writing transaction.
        created_before: Seconds since 1970; younger ones may belong to an import that runs now.
    """
    has_pages = select(Page.id).where(Page.original_id == Original.id)
    empty = select(Original.id).where(~has_pages.exists(), Original.created_at < created_before)
    return _forget_originals(transaction, list(transaction.session.scalars(empty)))


def forget_if_empty(transaction: Transaction, original_id: bytes) -> bool:
    """Forgets one original when no page of it came into the store."""
    pages = select(func.count()).select_from(Page).where(Page.original_id == original_id)
    if transaction.session.scalar(pages):
        return False
    return bool(_forget_originals(transaction, [original_id]))


def known_files(transaction: Transaction) -> tuple[frozenset[bytes], frozenset[bytes]]:
    """Ids of the originals and of the quarantined files that the store holds keys for."""
    originals = frozenset(transaction.session.scalars(select(Original.id)))
    quarantined = select(Quarantined.id).where(Quarantined.sealed_key.is_not(None))
    return originals, frozenset(transaction.session.scalars(quarantined))


def _forget_originals(transaction: Transaction, ids: list[bytes]) -> list[bytes]:
    transaction.session.execute(update(Page).where(Page.original_id.in_(ids)).values(original_id=None))
    transaction.session.execute(delete(Original).where(Original.id.in_(ids)))
    return ids


def _word_row(key: SealingKey, page_id: bytes, word: NewWord) -> Word:
    word_id = new_id()
    # The salt is fixed for the word's life: every dataset root that names the word uses the same leaf.
    salt = os.urandom(SALT_BYTES)
    return Word(
        id=word_id,
        page_id=page_id,
        sealed_crop=key.seal(word.crop_png, Place("words", "sealed_crop", word_id)),
        sealed_proposal=key.seal(encode_proposal(word.proposal), Place("words", "sealed_proposal", word_id)),
        sealed_salt=key.seal(salt, Place("words", "sealed_salt", word_id)),
        status=WordStatus.PROPOSED,
        sealed_review=None,
        reviewed_at=None,
    )


def _page_tag(transaction: Transaction, page_digest: Digest) -> bytes:
    return transaction.keys.content.tag(b"page" + page_digest)


def _file_tag(transaction: Transaction, row: Patient, file_digest: Digest) -> bytes:
    return transaction.keys.content.tag(b"file" + row.id + file_digest)
