"""What a transaction may do with pages' fingerprints, and with pairs of pages of which the later may be a duplicate.

A fingerprint shows the shape of a page and is sealed under the patient's key; it goes with the patient. Of a pair the
random ids of its pages, its kind, its state and times stand in plain sight.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from sqlalchemy import ForeignKey, select, update
from sqlalchemy.orm import Mapped, mapped_column

from node.data.proposal import nfc
from node.store.local_store import Transaction, new_id
from node.store.sealing import Place
from node.store.tables import Page, Table
from protocol.canonical_json import encode, expect_object, expect_str, parse

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement

MAX_REVIEWER_CHARACTERS = 64
_DETAIL_KEYS = frozenset({"likeness", "reviewer"})


class PairKind(StrEnum):
    """Why two pages are a pair."""

    NEAR = "near"
    """They look the same."""
    REISSUED = "reissued"
    """One patient, the same medicines, and days that may be one."""


class PairStatus(StrEnum):
    """What a person said about a pair."""

    WAITING = "waiting"
    SAME = "same"
    """The later page does not train."""
    DIFFERENT = "different"


class PageFingerprint(Table):
    """The look of a page, and what it prescribes."""

    __tablename__ = "page_fingerprints"
    __table_args__ = {"sqlite_autoincrement": True}  # noqa: RUF012 - read by SQLAlchemy

    number: Mapped[int] = mapped_column(primary_key=True)
    """In the order of import, never used again: what a process has indexed already ends at a number."""
    page_id: Mapped[bytes] = mapped_column(ForeignKey("pages.id", ondelete="CASCADE"), unique=True)
    patient_id: Mapped[bytes] = mapped_column(ForeignKey("patients.id", ondelete="CASCADE"), index=True)
    sealed_fingerprint: Mapped[bytes]
    sealed_prescribed: Mapped[bytes]


class DuplicatePair(Table):
    """Two pages that may be one. It belongs to the later page's patient, and goes with either page."""

    __tablename__ = "duplicate_pairs"

    id: Mapped[bytes] = mapped_column(primary_key=True)
    """16 random bytes."""
    patient_id: Mapped[bytes] = mapped_column(ForeignKey("patients.id", ondelete="CASCADE"), index=True)
    earlier_page_id: Mapped[bytes] = mapped_column(ForeignKey("pages.id", ondelete="CASCADE"), index=True)
    later_page_id: Mapped[bytes] = mapped_column(ForeignKey("pages.id", ondelete="CASCADE"), index=True)
    kind: Mapped[str]
    status: Mapped[str] = mapped_column(index=True)
    sealed_details: Mapped[bytes]
    """Likeness, and who decided."""
    found_at: Mapped[int]
    decided_at: Mapped[int | None]


@dataclass(frozen=True, slots=True)
class StoredLook:
    """What is kept of a page besides its words."""

    fingerprint: bytes
    """Of ``fingerprint.encode_fingerprint``."""
    prescribed: bytes
    """Of ``reissue.encode_prescribed``."""


@dataclass(frozen=True, slots=True)
class StoredPair:
    """A pair of the store."""

    pair_id: bytes
    earlier_page_id: bytes
    later_page_id: bytes
    kind: PairKind
    status: PairStatus
    likeness: str
    """Two decimals, 0 to 1; empty for a prescription that was written again."""
    reviewer: str
    """Empty while it waits."""
    found_at: int
    decided_at: int | None
    """Seconds since 1970."""


def add_fingerprint(transaction: Transaction, page: Page, fingerprint: bytes, prescribed: bytes) -> int:
    """Keeps the encoded fingerprint of a page, and what it prescribes.

    Returns:
        Its number.
    """
    key = transaction.patient_key(page.patient_id)
    row = PageFingerprint(
        page_id=page.id,
        patient_id=page.patient_id,
        sealed_fingerprint=key.seal(fingerprint, _place("sealed_fingerprint", page.id)),
        sealed_prescribed=key.seal(prescribed, _place("sealed_prescribed", page.id)),
    )
    transaction.session.add(row)
    transaction.session.flush()
    return row.number


def fingerprints_after(transaction: Transaction, number: int) -> Iterator[tuple[int, bytes, bytes]]:
    """Number, page id and encoded fingerprint of the pages above a number, in their order."""
    later = select(PageFingerprint).where(PageFingerprint.number > number).order_by(PageFingerprint.number)
    for row in transaction.session.scalars(later.execution_options(yield_per=256)):
        yield row.number, row.page_id, _open(transaction, row, "sealed_fingerprint")


def prescribed_of_patient(transaction: Transaction, patient_id: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Page id, and what it prescribes, of a patient's pages in the order of their import."""
    of_patient = select(PageFingerprint).where(PageFingerprint.patient_id == patient_id)
    for row in transaction.session.scalars(of_patient.order_by(PageFingerprint.number)):
        yield row.page_id, _open(transaction, row, "sealed_prescribed")


def stored_look(transaction: Transaction, page_id: bytes) -> StoredLook | None:
    """What is kept of a page's look; None when the page, or its patient, is gone."""
    query = select(PageFingerprint).where(PageFingerprint.page_id == page_id)
    row = transaction.session.scalars(query).one_or_none()
    if row is None:
        return None
    return StoredLook(_open(transaction, row, "sealed_fingerprint"), _open(transaction, row, "sealed_prescribed"))


def add_pair(
    transaction: Transaction, earlier_page_id: bytes, later: Page, kind: PairKind, likeness: str, now: int
) -> bytes:
    """Records that a person must look at two pages; returns the pair's id."""
    pair_id = new_id()
    row = DuplicatePair(
        id=pair_id,
        patient_id=later.patient_id,
        earlier_page_id=earlier_page_id,
        later_page_id=later.id,
        kind=kind,
        status=PairStatus.WAITING,
        sealed_details=_sealed_details(transaction, later.patient_id, pair_id, likeness, ""),
        found_at=now,
        decided_at=None,
    )
    transaction.session.add(row)
    transaction.session.flush()
    return pair_id


def pairs(transaction: Transaction, *statuses: PairStatus) -> tuple[StoredPair, ...]:
    """The pairs of some statuses, oldest first."""
    return _pairs(transaction, DuplicatePair.status.in_(statuses))


def pairs_with_prefix(transaction: Transaction, low: bytes, high: bytes) -> tuple[StoredPair, ...]:
    """The pairs whose ids lie between two bounds, these included."""
    return _pairs(transaction, DuplicatePair.id.between(low, high))


def decide_pair(transaction: Transaction, pair: StoredPair, status: PairStatus, reviewer: str, now: int) -> None:
    """Writes what a person said; a later word replaces an earlier one."""
    row = transaction.session.get_one(DuplicatePair, pair.pair_id)
    sealed = _sealed_details(transaction, row.patient_id, pair.pair_id, pair.likeness, reviewer)
    values = {"status": status, "sealed_details": sealed, "decided_at": now}
    transaction.session.execute(update(DuplicatePair).where(DuplicatePair.id == pair.pair_id).values(**values))


def undecided_or_same_pages(transaction: Transaction) -> frozenset[bytes]:
    """Ids of the pages that must not train: the later ones of pairs that wait, or that a person called the same."""
    kept_out = DuplicatePair.status.in_((PairStatus.WAITING, PairStatus.SAME))
    return frozenset(transaction.session.scalars(select(DuplicatePair.later_page_id).where(kept_out)))


def _pairs(transaction: Transaction, condition: ColumnElement[bool]) -> tuple[StoredPair, ...]:
    rows = select(DuplicatePair).where(condition).order_by(DuplicatePair.found_at, DuplicatePair.id)
    return tuple(_value(transaction, row) for row in transaction.session.scalars(rows))


def _value(transaction: Transaction, row: DuplicatePair) -> StoredPair:
    opened = transaction.patient_key(row.patient_id).open(row.sealed_details, _pair_place(row.id))
    details = expect_object(parse(opened), _DETAIL_KEYS)
    return StoredPair(
        pair_id=row.id,
        earlier_page_id=row.earlier_page_id,
        later_page_id=row.later_page_id,
        kind=PairKind(row.kind),
        status=PairStatus(row.status),
        likeness=expect_str(details["likeness"]),
        reviewer=expect_str(details["reviewer"]),
        found_at=row.found_at,
        decided_at=row.decided_at,
    )


def _sealed_details(transaction: Transaction, patient_id: bytes, pair_id: bytes, likeness: str, reviewer: str) -> bytes:
    details = encode({"likeness": likeness, "reviewer": nfc(reviewer)})
    return transaction.patient_key(patient_id).seal(details, _pair_place(pair_id))


def _open(transaction: Transaction, row: PageFingerprint, column: str) -> bytes:
    sealed: bytes = getattr(row, column)
    return transaction.patient_key(row.patient_id).open(sealed, _place(column, row.page_id))


def _place(column: str, page_id: bytes) -> Place:
    return Place(PageFingerprint.__tablename__, column, page_id)


def _pair_place(pair_id: bytes) -> Place:
    return Place(DuplicatePair.__tablename__, "sealed_details", pair_id)
