"""Which samples an update was trained on, as a Merkle root (docs/spec/merkle.md, section 4).

A sample's leaf contains the key of the consent receipt under which it was used, so that the site can show an auditor,
for any sample, that it was or was not in an update, and under which receipt.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from protocol.consent import CONSENT_DOMAIN
from protocol.identifiers import Digest, digest_of
from protocol.merkle import Leaf, MerkleTree, leaf_key

SAMPLE_DOMAIN = "sample"


@dataclass(frozen=True, slots=True)
class TrainingSample:
    """What the tree says of one sample."""

    sample_id: bytes
    """The site's own identifier of the word crop."""
    content_digest: Digest
    """Digest of the crop's pixels and its reviewed label."""
    salt: bytes
    """32 random bytes, fixed per sample, shredded on erasure."""
    receipt_id: Digest
    """The consent receipt under which the sample is used."""

    def leaf(self, audit_key: bytes) -> Leaf:
        """The sample's leaf."""
        receipt_key = leaf_key(audit_key, CONSENT_DOMAIN, self.receipt_id)
        value = sample_leaf_value(self.salt, self.content_digest, receipt_key)
        return Leaf(sample_key(audit_key, self.sample_id), value)


def sample_key(audit_key: bytes, sample_id: bytes) -> Digest:
    """The key of a sample's leaf, the same in every dataset tree of the site."""
    return leaf_key(audit_key, SAMPLE_DOMAIN, sample_id)


def sample_leaf_value(salt: bytes, content_digest: Digest, receipt_key: Digest) -> Digest:
    """What stands under a sample's key in a dataset tree.

    Args:
        salt: 32 random bytes.
        content_digest: Of the crop and its label.
        receipt_key: Key of the leaf of the consent receipt under which the sample is used.
    """
    return digest_of("sample-leaf", salt, content_digest, receipt_key)


def dataset_tree(samples: Iterable[TrainingSample], audit_key: bytes) -> MerkleTree:
    """The tree whose root an update registers."""
    return MerkleTree([sample.leaf(audit_key) for sample in samples])


def sample_content_digest(crop_png: bytes, label: str) -> Digest:
    """Digest of a crop and its reviewed label."""
    text = label.encode("utf-8")
    return digest_of("sample-content", len(text).to_bytes(4, "big"), text, crop_png)
