"""Which words may train now: reviewed ones of patients whose consent is in force."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from node.store.receipts import StoredReceipt, receipts_in_force
from node.store.words import TrainableWord, trainable_word_ids, trainable_words
from prescriptions.words import decode_png
from protocol.consent_receipt import TRAINING_PURPOSE
from protocol.dataset import TrainingSample, sample_content_digest
from protocol.identifiers import Digest

if TYPE_CHECKING:
    from node.store.local_store import LocalStore
    from node.store.sealing import SealingKey


@dataclass(frozen=True, slots=True)
class TrainableSample:
    """A word that may train."""

    sample_id: bytes
    """16 bytes."""
    crop: npt.NDArray[np.uint8]
    """Grey, uint8 [rows, columns], 0 is black; read-only."""
    label: str
    """What a person said is written."""
    training_sample: TrainingSample
    """What the dataset tree says of it."""


@dataclass(frozen=True, slots=True)
class Samples:
    """The words that may be used at one moment, sorted by sample id."""

    train: tuple[TrainableSample, ...]
    held_out: tuple[TrainableSample, ...]
    """Never trained on; they score each new global model."""
    withdrawal_count: int
    """Withdrawals recorded at the moment the samples were read; a higher count later means: read them again."""


def trainable(
    store: LocalStore,
    now: int,
    held_out_percent: int,
    *,
    purpose: str = TRAINING_PURPOSE,
    receipt_ids: Collection[Digest] | None = None,
) -> Samples:
    """Reads the words that may be used at ``now``, all at one moment of the store.

    The same store gives the same samples in the same order, in training and held out alike, and a word that is held
    out stays so: the split follows a keyed tag of its id.

    Args:
        store: The site's local store.
        now: Seconds since 1970; consent in force is judged by it.
        held_out_percent: Share of words that never trains, 0 to 90.
        purpose: The DUO code of what the network trains for; a receipt that does not allow it lets no word train.
        receipt_ids: Only words under these consent receipts, such as those below a published root; None for all that
            are in force.
    """
    with store.read() as transaction:
        receipt_of = _chosen_receipts(receipts_in_force(transaction, now), purpose, receipt_ids)
        words = trainable_words(transaction, receipt_of.keys())
        withdrawals = transaction.withdrawal_count()
    samples = [_sample_of(word, receipt_of[word.patient_id]) for word in words]
    held_out = {s.sample_id for s in samples if is_held_out(store.keys.split, s.sample_id, held_out_percent)}
    return Samples(
        train=tuple(sample for sample in samples if sample.sample_id not in held_out),
        held_out=tuple(sample for sample in samples if sample.sample_id in held_out),
        withdrawal_count=withdrawals,
    )


def trainable_sample_ids(store: LocalStore, now: int, *, purpose: str = TRAINING_PURPOSE) -> frozenset[bytes]:
    """Ids of the words that may be used at ``now``, held out or not, without decoding a picture."""
    with store.read() as transaction:
        receipt_of = _chosen_receipts(receipts_in_force(transaction, now), purpose, None)
        return trainable_word_ids(transaction, receipt_of.keys())


def is_held_out(split_key: SealingKey, sample_id: bytes, held_out_percent: int) -> bool:
    """Whether a sample is held out; raising the share keeps those that were held out before."""
    bucket = int.from_bytes(split_key.tag(sample_id)[:8], "big") % 100
    return bucket < held_out_percent


def _chosen_receipts(
    in_force: Iterable[StoredReceipt], purpose: str, receipt_ids: Collection[Digest] | None
) -> dict[bytes, Digest]:
    """For each patient the receipt that lasts longest, so that renewing a consent moves its words once."""
    chosen: dict[bytes, tuple[int, Digest]] = {}
    for stored in in_force:
        receipt = stored.entry.signed.receipt
        if not receipt.covers(purpose):
            continue
        if receipt_ids is not None and receipt.receipt_id not in receipt_ids:
            continue
        rank = (receipt.expires_at, receipt.receipt_id)
        chosen[stored.patient_id] = max(chosen.get(stored.patient_id, rank), rank)
    return {patient_id: receipt_id for patient_id, (_, receipt_id) in chosen.items()}


def _sample_of(word: TrainableWord, receipt_id: Digest) -> TrainableSample:
    sample = TrainingSample(
        sample_id=word.word_id,
        content_digest=sample_content_digest(word.crop_png, word.label),
        salt=word.salt,
        receipt_id=receipt_id,
    )
    return TrainableSample(word.word_id, decode_png(word.crop_png), word.label, sample)
