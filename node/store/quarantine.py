"""What a transaction may do with files that were kept aside."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import delete, select, update

from node.data.proposal import nfc
from node.store.local_store import Transaction, new_id
from node.store.pages import SealedFile
from node.store.sealed_files import open_key, sealed_key
from node.store.sealing import Place, SealingKey
from node.store.tables import Quarantined
from protocol.canonical_json import encode, expect_object, expect_str, parse
from protocol.identifiers import Digest

_DETAILS_KEYS = frozenset({"file", "sentence"})


@dataclass(frozen=True, slots=True)
class QuarantinedFile:
    """A file, or one page of it, that was kept aside."""

    quarantine_id: bytes
    patient: str
    file_name: str
    page_number: int
    """1-based; 0 when it is the whole file."""
    reason: str
    """A stable word."""
    sentence: str
    created_at: int
    """Seconds since 1970."""
    kept: SealedFile | None
    """The sealed copy, or None when the file was left where it is, or its copy had been kept long enough."""


def add_quarantined(
    transaction: Transaction, found: QuarantinedFile, file_digest: Digest, *, keep_copy: bool
) -> SealedFile | None:
    """Records a file that was kept aside; the same file and page again keep their first record.

    Args:
        transaction: A writing transaction.
        found: What is wrong; its ``quarantine_id`` and ``kept`` are ignored.
        file_digest: Over the file's bytes.
        keep_copy: Whether the caller will write a sealed copy.

    Returns:
        The copy to write, or None.
    """
    row = transaction.ensure_patient(found.patient)
    holder = transaction.patient_key(row.id)
    tag = transaction.keys.content.tag(b"quarantine" + row.id + file_digest)
    same = select(Quarantined).where(Quarantined.file_tag == tag, Quarantined.page_number == found.page_number)
    old = transaction.session.scalars(same).one_or_none()
    if old is not None:
        return _kept(holder, old)
    row_id = new_id()
    details = encode({"file": nfc(found.file_name), "sentence": nfc(found.sentence)})
    copy = SealedFile(row_id, SealingKey.generate()) if keep_copy else None
    transaction.session.add(
        Quarantined(
            id=row_id,
            patient_id=row.id,
            file_tag=tag,
            page_number=found.page_number,
            reason=found.reason,
            sealed_details=holder.seal(details, Place("quarantine", "sealed_details", row_id)),
            sealed_key=None if copy is None else sealed_key(holder, copy.key, "quarantine", row_id),
            created_at=found.created_at,
        )
    )
    transaction.session.flush()
    return copy


def quarantined_files(transaction: Transaction) -> tuple[QuarantinedFile, ...]:
    """Everything that was kept aside, oldest first."""
    rows = transaction.session.scalars(select(Quarantined).order_by(Quarantined.created_at, Quarantined.id))
    return tuple(_value(transaction, row) for row in rows)


def forget_quarantined(transaction: Transaction, quarantine_ids: Iterable[bytes]) -> None:
    """Deletes records and keys of what was kept aside; the caller then unlinks the sealed copies."""
    transaction.session.execute(delete(Quarantined).where(Quarantined.id.in_(list(quarantine_ids))))


def forget_old_copies(transaction: Transaction, kept_until: int) -> None:
    """Forgets the keys of copies that were made at or before a time; the records stay, and the caller sweeps the files.

    Args:
        transaction: A writing transaction.
        kept_until: Seconds since 1970.
    """
    old = (Quarantined.sealed_key.is_not(None), Quarantined.created_at <= kept_until)
    transaction.session.execute(update(Quarantined).where(*old).values(sealed_key=None))


def _value(transaction: Transaction, row: Quarantined) -> QuarantinedFile:
    holder = transaction.patient_key(row.patient_id)
    details = expect_object(
        parse(holder.open(row.sealed_details, Place("quarantine", "sealed_details", row.id))), _DETAILS_KEYS
    )
    return QuarantinedFile(
        quarantine_id=row.id,
        patient=transaction.patient_of(row.patient_id),
        file_name=expect_str(details["file"]),
        page_number=row.page_number,
        reason=row.reason,
        sentence=expect_str(details["sentence"]),
        created_at=row.created_at,
        kept=_kept(holder, row),
    )


def _kept(holder: SealingKey, row: Quarantined) -> SealedFile | None:
    if row.sealed_key is None:
        return None
    return SealedFile(row.id, open_key(holder, row.sealed_key, "quarantine", row.id))
