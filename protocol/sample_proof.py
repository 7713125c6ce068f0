"""Proof files (docs/spec/sample-proof.md): whether a sample was in a registered update, and under which receipt.

The site writes a proof, an auditor who holds the site's audit key checks it against two roots of the chain.
"""

from __future__ import annotations

from dataclasses import dataclass

from protocol.canonical_json import JSONValue, encode, expect_int, expect_list, expect_object, expect_str, parse
from protocol.consent import CONSENT_DOMAIN, SignedReceipt, consent_leaf_value
from protocol.consent_receipt import encode_receipt, parse_receipt
from protocol.dataset import sample_key, sample_leaf_value
from protocol.errors import MalformedError
from protocol.identifiers import Digest, LineageId, RoundId, SiteId
from protocol.merkle import MAX_LEAVES, InclusionProof, Leaf, MerkleTree, leaf_key, verify_absence, verify_inclusion

FORMAT = "fedrx-sample-proof/1"
SAMPLE_ID_BYTES = 16
CLOCK_TOLERANCE_SECONDS = 300
"""How far a site's clock, which dates consent receipts, may be from the chain's, which dates blocks."""


@dataclass(frozen=True, slots=True)
class Opening:
    """What the sample's leaf commits to, and the receipt's place under the consent root."""

    salt: Digest
    """Of the sample's leaf."""
    content_digest: Digest
    """Of the crop and its label at the time of the round."""
    signed: SignedReceipt
    consent_salt: Digest
    """Of the receipt's leaf."""
    consent: InclusionProof


@dataclass(frozen=True, slots=True)
class Presence:
    """The sample's leaf is below the dataset root."""

    dataset: InclusionProof
    opening: Opening | None
    """None once the patient was erased: the leaf stands, and nobody can open it."""


@dataclass(frozen=True, slots=True)
class Absence:
    """All leaves of the tree, none of them the sample's. Neighbours alone would not do: see the page's warning."""

    leaves: tuple[Leaf, ...]


@dataclass(frozen=True, slots=True)
class SampleProof:
    """What a site says of one sample and one of its updates."""

    site_id: SiteId
    round_id: RoundId
    sample_id: bytes
    """16 bytes, the site's own identifier."""
    evidence: Presence | Absence


def verify_sample_proof(
    proof: SampleProof, audit_key: bytes, dataset_root: Digest, consent_root: Digest
) -> SignedReceipt | None:
    """Checks a proof; returns the consent receipt that it shows, whose signature the caller still has to verify.

    Args:
        proof: The site's.
        audit_key: 32 bytes; the caller has checked that the site is committed to it.
        dataset_root: Of the registered update.
        consent_root: Of the consent version that the update names.

    Returns:
        None when the proof shows absence, or a leaf whose salt was shredded.

    Raises:
        MalformedError: The proof does not show what it says.
    """
    key = sample_key(audit_key, proof.sample_id)
    if isinstance(proof.evidence, Absence):
        _verify_absent(proof.evidence, key, dataset_root)
        return None
    leaf = verify_inclusion(proof.evidence.dataset, dataset_root)
    if leaf.key != key:
        raise MalformedError("the proof shows another sample's leaf")
    opening = proof.evidence.opening
    if opening is None:
        return None
    receipt = opening.signed.receipt
    receipt_key = leaf_key(audit_key, CONSENT_DOMAIN, receipt.receipt_id)
    if sample_leaf_value(opening.salt, opening.content_digest, receipt_key) != leaf.value:
        raise MalformedError("the sample's leaf does not hold this consent receipt")
    below = verify_inclusion(opening.consent, consent_root)
    stands = consent_leaf_value(opening.consent_salt, receipt.digest(), receipt.expires_at)
    if below != Leaf(receipt_key, stands):
        raise MalformedError("the consent receipt is not the one below the consent root")
    if receipt.site_id != proof.site_id:
        raise MalformedError("the consent receipt was given to another site")
    return opening.signed


def encode_sample_proof(proof: SampleProof) -> bytes:
    """The one encoding of a proof file."""
    return encode(
        {
            "format": FORMAT,
            "site_id": proof.site_id.hex(),
            "lineage_id": proof.round_id.lineage_id.hex(),
            "round": proof.round_id.number,
            "sample_id": proof.sample_id.hex(),
            "evidence": _evidence_value(proof.evidence),
        }
    )


def parse_sample_proof(data: bytes) -> SampleProof:
    """The proof of canonical bytes.

    Raises:
        MalformedError: Not the one encoding of a proof file.
    """
    keys = frozenset({"format", "site_id", "lineage_id", "round", "sample_id", "evidence"})
    fields = expect_object(parse(data), keys)
    if fields["format"] != FORMAT:
        raise MalformedError(f"the format {fields['format']!r} is not {FORMAT}")
    proof = SampleProof(
        site_id=SiteId.from_hex(expect_str(fields["site_id"])),
        round_id=RoundId(LineageId.from_hex(expect_str(fields["lineage_id"])), expect_int(fields["round"], low=1)),
        sample_id=_sample_id(expect_str(fields["sample_id"])),
        evidence=_parse_evidence(fields["evidence"]),
    )
    if encode_sample_proof(proof) != data:
        raise MalformedError("the proof file is not in its canonical form")
    return proof


def _verify_absent(absence: Absence, key: Digest, dataset_root: Digest) -> None:
    tree = MerkleTree(absence.leaves)
    if tree.root != dataset_root:
        raise MalformedError("the leaves are not those below the dataset root")
    try:
        verify_absence(tree.prove_absence(key), dataset_root)
    except KeyError as error:
        raise MalformedError("the sample is among the leaves, although the proof says that it is absent") from error


def _evidence_value(evidence: Presence | Absence) -> JSONValue:
    if isinstance(evidence, Absence):
        leaves = [leaf.key.hex() + leaf.value.hex() for leaf in evidence.leaves]
        return {"kind": "absent", "leaves": leaves}
    opening = evidence.opening
    return {
        "kind": "present",
        "dataset": _inclusion_value(evidence.dataset),
        "opening": None
        if opening is None
        else {
            "salt": opening.salt.hex(),
            "content_digest": opening.content_digest.hex(),
            "receipt": parse(encode_receipt(opening.signed.receipt)),
            "signature": opening.signed.signature.hex(),
            "consent_salt": opening.consent_salt.hex(),
            "consent": _inclusion_value(opening.consent),
        },
    }


def _parse_evidence(value: JSONValue) -> Presence | Absence:
    kind = value.get("kind") if isinstance(value, dict) else None
    if kind == "absent":
        leaves = expect_list(expect_object(value, frozenset({"kind", "leaves"}))["leaves"])
        return Absence(tuple(_parse_leaf(expect_str(leaf)) for leaf in leaves))
    if kind != "present":
        raise MalformedError("a proof shows presence or absence")
    fields = expect_object(value, frozenset({"kind", "dataset", "opening"}))
    opening = fields["opening"]
    return Presence(_parse_inclusion(fields["dataset"]), None if opening is None else _parse_opening(opening))


def _parse_opening(value: JSONValue) -> Opening:
    keys = {"salt", "content_digest", "receipt", "signature", "consent_salt", "consent"}
    fields = expect_object(value, frozenset(keys))
    return Opening(
        salt=Digest.from_hex(expect_str(fields["salt"])),
        content_digest=Digest.from_hex(expect_str(fields["content_digest"])),
        signed=SignedReceipt(parse_receipt(encode(fields["receipt"])), _bytes(expect_str(fields["signature"]))),
        consent_salt=Digest.from_hex(expect_str(fields["consent_salt"])),
        consent=_parse_inclusion(fields["consent"]),
    )


def _inclusion_value(proof: InclusionProof) -> JSONValue:
    return {
        "key": proof.leaf.key.hex(),
        "value": proof.leaf.value.hex(),
        "index": proof.index,
        "count": proof.count,
        "path": [digest.hex() for digest in proof.path],
    }


def _parse_inclusion(value: JSONValue) -> InclusionProof:
    fields = expect_object(value, frozenset({"key", "value", "index", "count", "path"}))
    return InclusionProof(
        leaf=Leaf(Digest.from_hex(expect_str(fields["key"])), Digest.from_hex(expect_str(fields["value"]))),
        index=expect_int(fields["index"], high=MAX_LEAVES),
        count=expect_int(fields["count"], high=MAX_LEAVES),
        path=tuple(Digest.from_hex(expect_str(digest)) for digest in expect_list(fields["path"])),
    )


def _parse_leaf(text: str) -> Leaf:
    return Leaf(Digest.from_hex(text[:64]), Digest.from_hex(text[64:]))


def _sample_id(text: str) -> bytes:
    found = _bytes(text)
    if len(found) != SAMPLE_ID_BYTES:
        raise MalformedError(f"a sample id has {SAMPLE_ID_BYTES} bytes, not {len(found)}")
    return found


def _bytes(text: str) -> bytes:
    try:
        return bytes.fromhex(text)
    except ValueError as error:
        raise MalformedError("a byte string is not hex") from error
