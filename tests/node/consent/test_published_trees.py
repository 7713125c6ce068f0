"""What a site keeps of the trees whose roots it published."""

from __future__ import annotations

import os
from pathlib import Path

from gateways.journal import Journal
from node.consent.published_trees import keep_tree, kept_tree
from protocol.dataset import TrainingSample, dataset_tree
from protocol.identifiers import Digest
from protocol.merkle import leaf_key, verify_absence, verify_inclusion


def sample(number: int) -> TrainingSample:
    return TrainingSample(bytes([number]) * 16, Digest(bytes([number]) * 32), os.urandom(32), Digest(bytes(32)))


def test_a_kept_tree_proves_samples_after_their_salts_are_shredded(tmp_path: Path) -> None:
    journal, audit_key = Journal(tmp_path / "journal.sqlite"), os.urandom(32)
    tree = dataset_tree([sample(number) for number in range(5)], audit_key)
    keep_tree(journal, tree)
    journal.close()
    kept = kept_tree(Journal(tmp_path / "journal.sqlite"), tree.root)
    assert kept is not None
    key = leaf_key(audit_key, "sample", bytes([3]) * 16)
    assert verify_inclusion(kept.prove(key), tree.root).key == key
    verify_absence(kept.prove_absence(leaf_key(audit_key, "sample", b"never imported")), tree.root)


def test_an_unknown_root_has_no_tree(tmp_path: Path) -> None:
    assert kept_tree(Journal(tmp_path / "journal.sqlite"), Digest(bytes(32))) is None
