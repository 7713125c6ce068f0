"""What a transaction may do with the record of which sample was in which update, and under which consent receipt.

A dataset tree is over digests, and a label may be corrected after the round: without this record the site could not
open a leaf of an older tree. It is sealed per patient and goes with the patient.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import ForeignKey, select
from sqlalchemy.orm import Mapped, mapped_column

from node.store.local_store import Transaction
from node.store.sealing import Place
from node.store.tables import Page, Table, Word
from protocol.canonical_json import JSONValue, encode, expect_list, expect_str, parse
from protocol.dataset import TrainingSample
from protocol.identifiers import Digest


class SampleUse(Table):
    """A patient's samples below one dataset root."""

    __tablename__ = "sample_uses"

    dataset_root: Mapped[bytes] = mapped_column(primary_key=True)
    patient_id: Mapped[bytes] = mapped_column(ForeignKey("patients.id"), primary_key=True)
    sealed_uses: Mapped[bytes]


@dataclass(frozen=True, slots=True)
class UsedSample:
    """A sample as it was used."""

    sample_id: bytes
    """16 bytes."""
    content_digest: Digest
    salt: Digest
    receipt_id: Digest


def keep_uses(transaction: Transaction, dataset_root: Digest, samples: Iterable[TrainingSample]) -> None:
    """Remembers what is below a dataset root; call it before the root leaves the site. Calling it again is harmless."""
    of_word = select(Word.id, Page.patient_id).join(Page, Page.id == Word.page_id)
    patient_of = dict(transaction.session.execute(of_word).all())
    of_patient: dict[bytes, list[JSONValue]] = defaultdict(list)
    for sample in samples:
        # A patient who was erased meanwhile leaves nothing; the update is discarded by the withdrawal.
        if (patient_id := patient_of.get(sample.sample_id)) is not None:
            parts = (sample.sample_id, sample.content_digest, sample.salt, sample.receipt_id)
            of_patient[patient_id].append([part.hex() for part in parts])
    for patient_id, uses in of_patient.items():
        sealed = transaction.patient_key(patient_id).seal(encode(uses), _place(dataset_root, patient_id))
        row = SampleUse(dataset_root=bytes(dataset_root), patient_id=patient_id, sealed_uses=sealed)
        transaction.session.merge(row)
    transaction.session.flush()


def roots_of_patient(transaction: Transaction, patient_id: bytes) -> dict[Digest, int]:
    """Dataset roots that a patient's samples are below, and how many of them each."""
    rows = transaction.session.scalars(select(SampleUse).where(SampleUse.patient_id == patient_id))
    return {Digest(row.dataset_root): len(_uses(transaction, row)) for row in rows}


def use_of(transaction: Transaction, dataset_root: Digest, patient_id: bytes, sample_id: bytes) -> UsedSample | None:
    """A patient's sample as it was used below a root, or None when it was not."""
    row = transaction.session.get(SampleUse, (bytes(dataset_root), patient_id))
    if row is None:
        return None
    return next((use for use in _uses(transaction, row) if use.sample_id == sample_id), None)


def _uses(transaction: Transaction, row: SampleUse) -> list[UsedSample]:
    place = _place(Digest(row.dataset_root), row.patient_id)
    values = expect_list(parse(transaction.patient_key(row.patient_id).open(row.sealed_uses, place)))
    uses = []
    for value in values:
        sample_id, *digests = (expect_str(item) for item in expect_list(value))
        content_digest, salt, receipt_id = (Digest.from_hex(digest) for digest in digests)
        uses.append(UsedSample(bytes.fromhex(sample_id), content_digest, salt, receipt_id))
    return uses


def _place(dataset_root: Digest, patient_id: bytes) -> Place:
    return Place("sample_uses", "sealed_uses", dataset_root + patient_id)
