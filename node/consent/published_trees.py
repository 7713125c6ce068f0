"""The leaves of every root that the site published: keys and digests, nothing that names a patient.

Erasing a patient shreds salts and keys, so the store can no longer rebuild an older tree; with its leaves kept, the
site can still prove any other sample or consent receipt below that root, and the absence of any.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from protocol.identifiers import Digest
from protocol.merkle import Leaf, MerkleTree

if TYPE_CHECKING:
    from gateways.journal import Journal


def keep_tree(journal: Journal, tree: MerkleTree) -> None:
    """Keeps a tree's leaves; durable on return. Call it before the root leaves the site."""
    journal.record(f"tree/{tree.root.hex()}", [leaf.key.hex() + leaf.value.hex() for leaf in tree.leaves])


def kept_tree(journal: Journal, root: Digest) -> MerkleTree | None:
    """The tree of a published root, or None when this site did not publish it."""
    kept = cast("list[str] | None", journal.get(f"tree/{root.hex()}"))
    if kept is None:
        return None
    return MerkleTree([Leaf(Digest.from_hex(pair[:64]), Digest.from_hex(pair[64:])) for pair in kept])
