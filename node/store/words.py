"""What a transaction may do with words: read them for review, write what a person said."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from sqlalchemy import Select, select, update

from node.data.proposal import Proposal, nfc, parse_proposal
from node.store.duplicates import undecided_or_same_pages
from node.store.local_store import Transaction
from node.store.sealing import Place, SealingKey
from node.store.tables import Page, Word, WordStatus
from protocol.canonical_json import encode, expect_object, expect_str, parse
from protocol.errors import ConfigError

SHORT_ID_CHARACTERS = 8
_MIN_PREFIX_CHARACTERS = 4
_REVIEWED = Word.status.in_((WordStatus.ACCEPTED, WordStatus.FIXED))
_REVIEW_KEYS = frozenset({"label", "reason", "reviewer"})


@dataclass(frozen=True, slots=True)
class Review:
    """What a person said about a word."""

    status: WordStatus
    reviewer: str
    label: str = ""
    """What is written; empty for a rejected word."""
    reason: str = ""
    """Why a word was rejected; empty otherwise."""


@dataclass(frozen=True, slots=True)
class StoredWord:
    """A word of the store."""

    word_id: bytes
    """16 bytes."""
    page_id: bytes
    patient_id: bytes
    """Of the patient's row; means nothing outside the store."""
    patient: str
    """The site's own identifier."""
    status: WordStatus
    proposal: Proposal
    label: str
    """What a person said is written; empty before the review and for a rejected word."""
    reviewer: str
    """Who said so; empty before the review."""
    reviewed_at: int | None
    """Seconds since 1970."""
    has_picture: bool
    """False for a rejected word of a reviewed page."""

    @property
    def short_id(self) -> str:
        """What a person types: the first eight hex digits of the word's id."""
        return self.word_id.hex()[:SHORT_ID_CHARACTERS]


@dataclass(frozen=True, slots=True)
class TrainableWord:
    """A reviewed word with all that a training sample needs."""

    word_id: bytes
    patient_id: bytes
    """Of the patient's row."""
    crop_png: bytes
    label: str
    salt: bytes
    """32 bytes."""


def trainable_words(transaction: Transaction, patient_ids: Collection[bytes]) -> tuple[TrainableWord, ...]:
    """The accepted and fixed words of some patients, sorted by id; not those of pages that may be duplicates."""
    words = []
    kept_out = undecided_or_same_pages(transaction)
    for word, patient_id in transaction.session.execute(_with_patient().where(_REVIEWED).order_by(Word.id)):
        if patient_id in patient_ids and word.sealed_crop is not None and word.page_id not in kept_out:
            key = transaction.patient_key(patient_id)
            crop = key.open(word.sealed_crop, Place("words", "sealed_crop", word.id))
            salt = key.open(word.sealed_salt, Place("words", "sealed_salt", word.id))
            words.append(TrainableWord(word.id, patient_id, crop, _said(key, word)[0], salt))
    return tuple(words)


def trainable_word_ids(transaction: Transaction, patient_ids: Collection[bytes]) -> frozenset[bytes]:
    """Ids of the accepted and fixed words of some patients."""
    kept_out = undecided_or_same_pages(transaction)
    rows = select(Word.id, Page.id, Page.patient_id).join(Page, Page.id == Word.page_id).where(_REVIEWED)
    return frozenset(
        word_id
        for word_id, page_id, patient_id in transaction.session.execute(rows)
        if patient_id in patient_ids and page_id not in kept_out
    )


def words_with(transaction: Transaction, *statuses: WordStatus) -> tuple[StoredWord, ...]:
    """Words of the given statuses, in no order that means anything."""
    rows = transaction.session.execute(_with_patient().where(Word.status.in_(statuses)))
    return tuple(_value(transaction, word, patient_id) for word, patient_id in rows)


def words_of_page(transaction: Transaction, page_id: bytes) -> tuple[StoredWord, ...]:
    """All words of a page, in no order that means anything."""
    rows = transaction.session.execute(_with_patient().where(Word.page_id == page_id))
    return tuple(_value(transaction, word, patient_id) for word, patient_id in rows)


def find_word(transaction: Transaction, typed_id: str) -> StoredWord:
    """The word that a person means.

    Args:
        transaction: Any transaction.
        typed_id: The first hex digits of a word's id, at least four.

    Raises:
        ConfigError: No word, or several words, begin with these digits.
    """
    digits = typed_id.strip().lower()
    if not _MIN_PREFIX_CHARACTERS <= len(digits) <= 32 or set(digits) - set("0123456789abcdef"):
        raise ConfigError(f"{typed_id!r} is no word id", hint="ids are in the list: fedrx node review list")
    low, high = bytes.fromhex(digits.ljust(32, "0")), bytes.fromhex(digits.ljust(32, "f"))
    query = _with_patient().where(Word.id.between(low, high)).order_by(Word.id).limit(2)
    found = list(transaction.session.execute(query))
    if not found:
        raise ConfigError(f"there is no word {digits}", hint="ids are in the list: fedrx node review list")
    if len(found) > 1:
        raise ConfigError(f"several words begin with {digits}", hint="type more digits of the id")
    word, patient_id = found[0]
    return _value(transaction, word, patient_id)


def crop_png(transaction: Transaction, word_id: bytes) -> bytes | None:
    """A word's crop; None when it was dropped after a rejection."""
    word, patient_id = transaction.session.execute(_with_patient().where(Word.id == word_id)).one()
    if word.sealed_crop is None:
        return None
    return transaction.patient_key(patient_id).open(word.sealed_crop, Place("words", "sealed_crop", word_id))


def crop_pngs(transaction: Transaction) -> Iterator[tuple[bytes, bytes]]:
    """Id and crop of every word that has one, in the order of the random ids."""
    with_crop = _with_patient().where(Word.sealed_crop.is_not(None)).order_by(Word.id)
    for word, patient_id in transaction.session.execute(with_crop.execution_options(yield_per=256)):
        if word.sealed_crop is not None:
            place = Place("words", "sealed_crop", word.id)
            yield word.id, transaction.patient_key(patient_id).open(word.sealed_crop, place)


def record_review(transaction: Transaction, word: StoredWord, review: Review, now: int) -> None:
    """Writes what a person said; a later word of theirs replaces an earlier one. The caller then finishes the page.

    Raises:
        ConfigError: The crop of the word is gone, so that nothing can be said about it any more.
    """
    if not word.has_picture:
        if review.status is WordStatus.REJECTED:
            return
        raise ConfigError(
            f"the word {word.short_id} was rejected and its picture is gone",
            hint="a rejection stands once the whole page was reviewed",
        )
    fields = encode({"label": nfc(review.label), "reason": nfc(review.reason), "reviewer": nfc(review.reviewer)})
    sealed = transaction.patient_key(word.patient_id).seal(fields, Place("words", "sealed_review", word.word_id))
    values = {"status": review.status, "sealed_review": sealed, "reviewed_at": now}
    transaction.session.execute(update(Word).where(Word.id == word.word_id).values(**values))


def _with_patient() -> Select[Word, bytes]:
    return select(Word, Page.patient_id).join(Page, Page.id == Word.page_id)


def _value(transaction: Transaction, word: Word, patient_id: bytes) -> StoredWord:
    key = transaction.patient_key(patient_id)
    label, reviewer = _said(key, word)
    return StoredWord(
        word_id=word.id,
        page_id=word.page_id,
        patient_id=patient_id,
        patient=transaction.patient_of(patient_id),
        status=WordStatus(word.status),
        proposal=parse_proposal(key.open(word.sealed_proposal, Place("words", "sealed_proposal", word.id))),
        label=label,
        reviewer=reviewer,
        reviewed_at=word.reviewed_at,
        has_picture=word.sealed_crop is not None,
    )


def _said(key: SealingKey, word: Word) -> tuple[str, str]:
    """Label and reviewer; both empty before the review."""
    if word.sealed_review is None:
        return "", ""
    opened = parse(key.open(word.sealed_review, Place("words", "sealed_review", word.id)))
    fields = expect_object(opened, _REVIEW_KEYS)
    return expect_str(fields["label"]), expect_str(fields["reviewer"])
