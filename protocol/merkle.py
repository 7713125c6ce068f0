"""Merkle trees in which presence and absence can be shown (docs/spec/merkle.md).

Leaves are sorted by key and padded to a power of two. A key is a PRF of the site's audit key, so that a root says
nothing about the ids below it to anyone without that key. The root binds the number of leaves.
"""

from __future__ import annotations

import bisect
import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass

from protocol.errors import MalformedError
from protocol.identifiers import Digest, digest_of

EMPTY_LEAF = digest_of("merkle-empty")
MAX_LEAVES = 2**32


@dataclass(frozen=True, slots=True, order=True)
class Leaf:
    """A key and the digest of what is stored under it."""

    key: Digest
    value: Digest

    def digest(self) -> Digest:
        """The leaf's digest."""
        return digest_of("merkle-leaf", self.key, self.value)


@dataclass(frozen=True, slots=True)
class InclusionProof:
    """Shows that a leaf is at an index of the tree under a root."""

    leaf: Leaf
    index: int
    count: int
    path: tuple[Digest, ...]
    """Siblings from the leaf's level up."""


@dataclass(frozen=True, slots=True)
class AbsenceProof:
    """Shows that no leaf has a key: its neighbours in sorted order stand side by side."""

    key: Digest
    before: InclusionProof | None
    after: InclusionProof | None
    count: int


def leaf_key(audit_key: bytes, domain: str, identifier: bytes) -> Digest:
    """PRF of an identifier: HMAC-SHA-256 (RFC 2104) under the site's audit key.

    Args:
        audit_key: 32 secret bytes of the site.
        domain: Separates samples from consent receipts.
        identifier: The id at the site.
    """
    message = b"fedrx/" + domain.encode("ascii") + b"/v1\x00" + identifier
    return Digest(hmac.new(audit_key, message, hashlib.sha256).digest())


class MerkleTree:
    """All levels of a tree over sorted leaves.

    Args:
        leaves: In any order; keys must be unique.

    Raises:
        MalformedError: A key occurs twice.
    """

    def __init__(self, leaves: Sequence[Leaf]) -> None:
        self._leaves = sorted(leaves)
        self._keys = [leaf.key for leaf in self._leaves]
        if len(set(self._keys)) != len(self._keys):
            raise MalformedError("a Merkle tree cannot hold one key twice")
        width = 1 << max(0, len(self._leaves) - 1).bit_length()
        level = [leaf.digest() for leaf in self._leaves]
        level += [EMPTY_LEAF] * (width - len(level))
        self._levels = [level]
        while len(level) > 1:
            level = [_parent(level[i], level[i + 1]) for i in range(0, len(level), 2)]
            self._levels.append(level)

    @property
    def leaves(self) -> tuple[Leaf, ...]:
        """All leaves, sorted by key."""
        return tuple(self._leaves)

    @property
    def root(self) -> Digest:
        """The root; it binds the number of leaves."""
        return _root(len(self._leaves), self._levels[-1][0])

    def prove(self, key: Digest) -> InclusionProof:
        """Shows that a key is present.

        Raises:
            KeyError: It is not.
        """
        index = bisect.bisect_left(self._keys, key)
        if index == len(self._keys) or self._keys[index] != key:
            raise KeyError(str(key))
        return self._prove_index(index)

    def prove_absence(self, key: Digest) -> AbsenceProof:
        """Shows that a key is absent.

        Raises:
            KeyError: It is present.
        """
        index = bisect.bisect_left(self._keys, key)
        if index < len(self._keys) and self._keys[index] == key:
            raise KeyError(str(key))
        before = self._prove_index(index - 1) if index > 0 else None
        after = self._prove_index(index) if index < len(self._keys) else None
        return AbsenceProof(key, before, after, len(self._keys))

    def _prove_index(self, index: int) -> InclusionProof:
        path = tuple(level[(index >> depth) ^ 1] for depth, level in enumerate(self._levels[:-1]))
        return InclusionProof(self._leaves[index], index, len(self._leaves), path)


def verify_inclusion(proof: InclusionProof, root: Digest) -> Leaf:
    """Returns the leaf that the proof shows under the root.

    Raises:
        MalformedError: The proof does not lead to the root.
    """
    depth = max(0, proof.count - 1).bit_length()
    if not 0 <= proof.index < proof.count <= MAX_LEAVES or len(proof.path) != depth:
        raise MalformedError("the inclusion proof has a wrong shape")
    digest = proof.leaf.digest()
    for level, sibling in enumerate(proof.path):
        left = not proof.index >> level & 1
        digest = _parent(digest, sibling) if left else _parent(sibling, digest)
    if _root(proof.count, digest) != root:
        raise MalformedError("the inclusion proof does not lead to the root")
    return proof.leaf


def verify_absence(proof: AbsenceProof, root: Digest) -> None:
    """Checks that no leaf under the root has the proof's key.

    Raises:
        MalformedError: The neighbours are not under the root, not side by side, or do not enclose the key.
    """
    if proof.count == 0:
        if proof.before or proof.after or _root(0, EMPTY_LEAF) != root:
            raise MalformedError("the absence proof does not lead to the root")
        return
    for neighbour in (proof.before, proof.after):
        if neighbour is not None:
            verify_inclusion(neighbour, root)
            if neighbour.count != proof.count:
                raise MalformedError("the absence proof's counts differ")
    before = proof.before.index if proof.before else -1
    after = proof.after.index if proof.after else proof.count
    if after - before != 1:
        raise MalformedError("the absence proof's neighbours are not side by side")
    if proof.before and not proof.before.leaf.key < proof.key:
        raise MalformedError("the absence proof's left neighbour is not below the key")
    if proof.after and not proof.key < proof.after.leaf.key:
        raise MalformedError("the absence proof's right neighbour is not above the key")


def _parent(left: Digest, right: Digest) -> Digest:
    return digest_of("merkle-node", left, right)


def _root(count: int, top: Digest) -> Digest:
    return digest_of("merkle-root", count.to_bytes(8, "big"), top)
