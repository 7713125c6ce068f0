"""What a transaction may read for an export: pages whose words were all reviewed, with what a person said."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby
from typing import TYPE_CHECKING
from uuid import UUID

from sqlalchemy import select

from node.store.sealing import Place
from node.store.tables import Page, PageStatus, WordStatus
from node.store.words import StoredWord, words_with
from prescriptions.export.records import ReviewedMedicine, ReviewedPage, reviewed_medicine
from protocol.canonical_json import expect_object, expect_str, parse

if TYPE_CHECKING:
    from node.store.local_store import Transaction
    from prescriptions.lexicon import Lexicon

_PAGE_KEYS = frozenset({"file", "page", "hospital", "engine"})


def reviewed_pages(transaction: Transaction, lexicon: Lexicon, patient: str | None = None) -> tuple[ReviewedPage, ...]:
    """Reviewed pages that hold a medicine, in the order of their import.

    Args:
        transaction: Any transaction.
        lexicon: Gives generics and flags of the names that a person confirmed.
        patient: Only this patient's; None for every patient.
    """
    done = select(Page.id).where(Page.status == PageStatus.REVIEWED).order_by(Page.imported_at, Page.id)
    order = {page_id: place for place, page_id in enumerate(transaction.session.scalars(done))}
    words = [
        word
        for word in words_with(transaction, WordStatus.ACCEPTED, WordStatus.FIXED)
        if word.page_id in order and patient in {None, word.patient}
    ]
    words.sort(
        key=lambda word: (order[word.page_id], word.proposal.where.box[1], word.proposal.where.box[0], word.word_id)
    )
    return tuple(
        _page(transaction, page_id, tuple(group), lexicon)
        for page_id, group in groupby(words, lambda word: word.page_id)
    )


def _page(transaction: Transaction, page_id: bytes, words: tuple[StoredWord, ...], lexicon: Lexicon) -> ReviewedPage:
    row = transaction.session.get_one(Page, page_id)
    place = Place("pages", "sealed_fields", page_id)
    fields = expect_object(parse(transaction.patient_key(row.patient_id).open(row.sealed_fields, place)), _PAGE_KEYS)
    where = words[0].proposal.where
    return ReviewedPage(
        page_id=UUID(bytes=page_id),
        patient=words[0].patient,
        hospital=expect_str(fields["hospital"]),
        file=where.file,
        page=where.page,
        medicines=tuple(_medicines(words, lexicon)),
    )


def _medicines(words: Iterable[StoredWord], lexicon: Lexicon) -> Iterable[ReviewedMedicine]:
    for word in words:
        yield reviewed_medicine(UUID(bytes=word.word_id), word.label, word.proposal.line, lexicon)
