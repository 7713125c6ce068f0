"""docs/spec/merkle.md."""

from __future__ import annotations

import dataclasses
import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.errors import MalformedError
from protocol.identifiers import Digest, digest_of
from protocol.merkle import (
    EMPTY_LEAF,
    MAX_LEAVES,
    AbsenceProof,
    InclusionProof,
    Leaf,
    MerkleTree,
    leaf_key,
    verify_absence,
    verify_inclusion,
)


def key_of(number: int) -> Digest:
    return Digest(number.to_bytes(32, "big"))


def tree_of(*numbers: int) -> MerkleTree:
    return MerkleTree([Leaf(key_of(n), digest_of("test-value", bytes([n % 256]))) for n in numbers])


NUMBERS = st.sets(st.integers(0, 2**256 - 1) | st.integers(0, 40), max_size=20)


@given(NUMBERS, st.integers(0, 45))
def test_every_key_is_shown_present_or_absent(numbers, asked):
    tree = tree_of(*numbers)
    for number in [*numbers, asked]:
        key = key_of(number)
        if number in numbers:
            assert verify_inclusion(tree.prove(key), tree.root).key == key
            with pytest.raises(KeyError):
                tree.prove_absence(key)
        else:
            verify_absence(tree.prove_absence(key), tree.root)
            with pytest.raises(KeyError):
                tree.prove(key)


@given(NUMBERS.filter(bool), NUMBERS)
def test_a_proof_leads_to_no_other_root(numbers, others):
    tree, other = tree_of(*numbers), tree_of(*others)
    if tree.root == other.root:
        assert numbers == others
        return
    with pytest.raises(MalformedError):
        verify_inclusion(tree.prove(key_of(min(numbers))), other.root)


@given(st.permutations(range(9)))
def test_the_order_of_the_leaves_makes_no_difference(order):
    assert tree_of(*order).root == tree_of(*range(9)).root


def sha(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def test_the_root_of_three_leaves_is_the_specifications():
    leaves = [Leaf(key_of(n), digest_of("test-value", bytes([n]))) for n in (1, 2, 3)]
    below = [sha(b"fedrx/merkle-leaf/v1\x00" + leaf.key + leaf.value) for leaf in leaves]
    below.append(sha(b"fedrx/merkle-empty/v1\x00"))
    nodes = [sha(b"fedrx/merkle-node/v1\x00" + below[i] + below[i + 1]) for i in (0, 2)]
    top = sha(b"fedrx/merkle-node/v1\x00" + nodes[0] + nodes[1])
    assert MerkleTree(leaves).root == sha(b"fedrx/merkle-root/v1\x00" + (3).to_bytes(8, "big") + top)


def test_the_empty_tree_has_a_root_and_shows_every_key_absent():
    tree = MerkleTree([])
    verify_absence(tree.prove_absence(key_of(1)), tree.root)
    with pytest.raises(MalformedError):
        verify_absence(tree.prove_absence(key_of(1)), tree_of(1).root)


def test_one_key_twice_is_malformed():
    with pytest.raises(MalformedError):
        MerkleTree([Leaf(key_of(1), key_of(2)), Leaf(key_of(1), key_of(3))])


def test_the_root_binds_the_number_of_leaves():
    leaves = [Leaf(key_of(n), key_of(n)) for n in (1, 2, 3)]
    padded = MerkleTree(leaves)
    proof = padded.prove(key_of(1))
    with pytest.raises(MalformedError):
        verify_inclusion(dataclasses.replace(proof, count=4), padded.root)


@pytest.mark.parametrize(
    "change",
    [
        {"index": 1},
        {"index": -1},
        {"index": 5},
        {"count": 0},
        {"count": 4},
        {"count": 6},
        {"count": -5},
        {"count": MAX_LEAVES + 1},
        {"path": ()},
        {"path": (EMPTY_LEAF,) * 3},
        {"path": (EMPTY_LEAF,) * 4},
        {"leaf": Leaf(key_of(1), key_of(9))},
        {"leaf": Leaf(key_of(9), key_of(1))},
    ],
)
def test_a_changed_inclusion_proof_is_malformed(change):
    tree = tree_of(1, 2, 3, 4, 5)
    with pytest.raises(MalformedError):
        verify_inclusion(dataclasses.replace(tree.prove(key_of(1)), **change), tree.root)


def test_an_inner_node_is_no_leaf():
    tree = tree_of(1, 2, 3, 4)
    inner = Leaf(tree._levels[0][0], tree._levels[0][1])
    proof = InclusionProof(inner, 0, 2, tree.prove(key_of(1)).path[1:])
    with pytest.raises(MalformedError):
        verify_inclusion(proof, tree.root)


def test_padding_cannot_be_shown_as_a_leaf():
    tree = tree_of(1, 2, 3)
    real = tree.prove(key_of(3))
    padding = InclusionProof(Leaf(EMPTY_LEAF, EMPTY_LEAF), 3, 3, real.path)
    with pytest.raises(MalformedError):
        verify_inclusion(padding, tree.root)


class TestAbsence:
    tree = tree_of(10, 20, 30, 40)
    proof = tree.prove_absence(key_of(25))

    def refused(self, **change):
        with pytest.raises(MalformedError):
            verify_absence(dataclasses.replace(self.proof, **change), self.tree.root)

    def test_of_a_key_that_is_present_cannot_be_shown(self):
        self.refused(key=key_of(20))
        self.refused(key=key_of(30))

    def test_of_a_key_outside_the_neighbours_cannot_be_shown(self):
        self.refused(key=key_of(15))
        self.refused(key=key_of(35))

    def test_needs_both_neighbours(self):
        self.refused(before=None)
        self.refused(after=None)
        self.refused(before=None, after=None)

    def test_needs_neighbours_side_by_side(self):
        self.refused(before=self.tree.prove(key_of(10)))
        self.refused(after=self.tree.prove(key_of(40)))
        self.refused(before=self.proof.after, after=self.proof.before)

    def test_needs_one_count(self):
        self.refused(count=3)
        self.refused(count=0)

    def test_of_an_empty_tree_does_not_hold_for_another(self):
        with pytest.raises(MalformedError):
            verify_absence(AbsenceProof(key_of(25), None, None, 0), self.tree.root)

    def test_holds_at_both_ends(self):
        for number in (5, 45):
            verify_absence(self.tree.prove_absence(key_of(number)), self.tree.root)
        first, last = self.tree.prove(key_of(10)), self.tree.prove(key_of(40))
        with pytest.raises(MalformedError):
            verify_absence(AbsenceProof(key_of(45), None, first, 4), self.tree.root)
        with pytest.raises(MalformedError):
            verify_absence(AbsenceProof(key_of(5), last, None, 4), self.tree.root)


def test_a_leaf_key_is_a_prf_of_key_domain_and_identifier():
    keys = {
        leaf_key(b"k" * 32, "sample", b"1"),
        leaf_key(b"l" * 32, "sample", b"1"),
        leaf_key(b"k" * 32, "consent-receipt", b"1"),
        leaf_key(b"k" * 32, "sample", b"2"),
    }
    assert len(keys) == 4
    assert leaf_key(b"k" * 32, "sample", b"1") in keys
