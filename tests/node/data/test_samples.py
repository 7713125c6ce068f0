from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from node.data.samples import is_held_out, trainable, trainable_sample_ids
from node.store.sealing import SealingKey
from protocol.dataset import dataset_tree, sample_content_digest
from protocol.identifiers import Digest
from protocol.merkle import verify_inclusion
from tests.node.data_builders import AUDIT_KEY, DAY, NOW, Clinic, crop_of

MANY = tuple(f"Medicine{number}" for number in range(60))


@pytest.fixture
def clinic(tmp_path: Path) -> Clinic:
    return Clinic(tmp_path / "site")


def _labels(clinic: Clinic, now: int = NOW, **options: frozenset[Digest]) -> set[str]:
    return {sample.label for sample in trainable(clinic.store, now, 0, **options).train}


def test_only_reviewed_words_of_patients_with_consent_train(clinic: Clinic) -> None:
    accepted, fixed, rejected, _waiting = clinic.add_words("P001", "Napa", "Seclo", "Salma", "Ace")
    (other,) = clinic.add_words("P002", "Omidon")
    clinic.review.accept(accepted.hex(), "dr-khan", NOW)
    clinic.review.fix(fixed.hex(), "Seclo 20", "dr-khan", NOW)
    clinic.review.reject(rejected.hex(), "a name", "dr-khan", NOW)
    clinic.review.accept(other.hex(), "dr-khan", NOW)
    assert _labels(clinic) == set()
    clinic.grant("P001")
    assert _labels(clinic) == {"Napa", "Seclo 20"}


def test_a_withdrawn_patients_words_do_not_train(clinic: Clinic) -> None:
    clinic.add_words("P001", "Napa")
    clinic.add_words("P002", "Seclo")
    clinic.accept_all()
    clinic.grant("P001")
    clinic.grant("P002")
    before = trainable(clinic.store, NOW, 0)
    clinic.desk.withdraw("P001", NOW)
    after = trainable(clinic.store, NOW, 0)
    assert {sample.label for sample in after.train} == {"Seclo"}
    assert (before.withdrawal_count, after.withdrawal_count) == (0, 1)


def test_words_stop_training_when_the_consent_expires(clinic: Clinic) -> None:
    clinic.add_words("P001", "Napa")
    clinic.accept_all()
    clinic.grant("P001", days=1)
    assert _labels(clinic, NOW + DAY - 1) == {"Napa"}
    assert _labels(clinic, NOW + DAY) == set()


def test_consent_to_clinical_care_alone_does_not_let_words_train(clinic: Clinic) -> None:
    clinic.add_words("P001", "Napa")
    clinic.accept_all()
    clinic.grant("P001", "DUO:0000043")
    assert _labels(clinic) == set()
    clinic.grant("P001", "DUO:0000042", "DUO:0000043")
    assert _labels(clinic) == {"Napa"}


def test_words_under_a_receipt_that_was_not_published_can_be_left_out(clinic: Clinic) -> None:
    clinic.add_words("P001", "Napa")
    clinic.add_words("P002", "Seclo")
    clinic.accept_all()
    published = clinic.grant("P001")
    clinic.grant("P002")
    assert _labels(clinic, receipt_ids=frozenset({published})) == {"Napa"}


def test_a_word_trains_under_the_receipt_that_lasts_longest(clinic: Clinic) -> None:
    clinic.add_words("P001", "Napa")
    clinic.accept_all()
    clinic.grant("P001", days=10)
    longest = clinic.grant("P001", days=30)
    clinic.grant("P001", days=20)
    (sample,) = trainable(clinic.store, NOW, 0).train
    assert sample.training_sample.receipt_id == longest


def test_a_sample_carries_its_pixels_and_the_digest_of_what_trains(clinic: Clinic) -> None:
    (word,) = clinic.add_words("P001", "Napa")
    clinic.accept_all()
    clinic.grant("P001")
    (sample,) = trainable(clinic.store, NOW, 0).train
    expected = cv2.imdecode(np.frombuffer(crop_of("Napa"), np.uint8), cv2.IMREAD_GRAYSCALE)
    assert sample.sample_id == sample.training_sample.sample_id == word
    assert sample.crop.dtype == np.uint8
    assert np.array_equal(sample.crop, expected)
    assert not sample.crop.flags.writeable
    assert sample.training_sample.content_digest == sample_content_digest(crop_of("Napa"), "Napa")
    assert len(sample.training_sample.salt) == 32


def test_samples_come_sorted_and_the_same_every_time(clinic: Clinic) -> None:
    clinic.add_words("P001", *MANY)
    clinic.accept_all()
    clinic.grant("P001")
    first, second = (trainable(clinic.store, NOW, 20) for _ in range(2))
    ids = [sample.sample_id for sample in first.train]
    assert ids == sorted(ids) == [sample.sample_id for sample in second.train]
    root = dataset_tree((s.training_sample for s in first.train), AUDIT_KEY).root
    assert root == dataset_tree((s.training_sample for s in second.train), AUDIT_KEY).root


def test_a_held_out_word_never_trains(clinic: Clinic) -> None:
    clinic.add_words("P001", *MANY)
    clinic.accept_all()
    clinic.grant("P001")
    samples = trainable(clinic.store, NOW, 30)
    train, held_out = ({s.sample_id for s in part} for part in (samples.train, samples.held_out))
    assert not train & held_out
    assert train | held_out == trainable_sample_ids(clinic.store, NOW)
    assert len(train | held_out) == len(MANY)
    assert 5 <= len(held_out) <= 32


def test_raising_the_share_keeps_the_words_that_were_held_out(clinic: Clinic) -> None:
    key = SealingKey(b"\x05" * 32)
    ids = [number.to_bytes(16, "big") for number in range(2000)]
    few, many = ({i for i in ids if is_held_out(key, i, percent)} for percent in (10, 25))
    assert few < many
    assert 140 < len(few) < 260
    assert 410 < len(many) < 590
    assert not any(is_held_out(key, i, 0) for i in ids)


def test_what_was_published_before_an_erasure_still_verifies(clinic: Clinic) -> None:
    clinic.add_words("P001", "Napa")
    (kept,) = clinic.add_words("P002", "Seclo")
    clinic.accept_all()
    clinic.grant("P001")
    clinic.grant("P002")
    published = trainable(clinic.store, NOW, 0).train
    leaves = [sample.training_sample.leaf(AUDIT_KEY) for sample in published]
    tree = dataset_tree((sample.training_sample for sample in published), AUDIT_KEY)
    clinic.desk.erase("P001", NOW, clinic.originals, clinic.quarantine)
    (left,) = trainable(clinic.store, NOW, 0).train
    assert left.sample_id == kept
    leaf = left.training_sample.leaf(AUDIT_KEY)
    assert leaf in leaves
    assert verify_inclusion(tree.prove(leaf.key), tree.root) == leaf
