"""Writes the vectors again: ``python -m tests.vectors.generate``.

Needed only when a format gets a new version: vectors of a format never change. The envelope's are sealed with fresh
randomness each time.
"""

from __future__ import annotations

import dataclasses
import json
import math
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np

from audit.scores import Exam, ModelScore, Scores, encode_scores, packed, words_digest
from gateways.key_ring import sealing
from gateways.key_ring.sealing import Argon2Cost
from learning.evaluation import score_of
from protocol.canonical_json import encode
from protocol.checkpoint import encode_checkpoint
from protocol.consent import CONSENT_DOMAIN, consent_tree, sign_receipt
from protocol.consent_receipt import ByGuardian, encode_receipt
from protocol.cosigning import encode_cosigned
from protocol.dataset import TrainingSample, dataset_tree, sample_key
from protocol.fixed_point import quantise
from protocol.identifiers import Digest, RoundId, SiteId, digest_of
from protocol.joining import encode_invitation, encode_key_document, fingerprint, key_document_digest
from protocol.merkle import Leaf, MerkleTree, leaf_key
from protocol.parameters import encode_parameters, parameters_digest
from protocol.plan import Recipient, auditor_recipient_id, encode_plan, plan_digest, recipients_digest
from protocol.recipient_keys import RecipientPrivateKey
from protocol.result import Verdict, encode_verdicts, verdicts_root
from protocol.sample_proof import Absence, Opening, Presence, SampleProof, encode_sample_proof
from protocol.update import MANIFEST_AREA_BYTES, TrainingReport, UpdateManifest, encode_update
from protocol.verdicts import VerdictCode
from tests.protocol import test_checkpoint, test_consent, test_envelope, test_joining, test_result
from tests.protocol.builders import IDENTITY, make_plan, seal_bytes
from tests.vectors.refused import (
    CANONICAL_JSON,
    CHECKPOINT,
    ENVELOPE,
    INVITATION,
    KEYSTORE,
    MANIFEST,
    MERKLE,
    PARAMETERS,
    PLAN,
    SAMPLE_PROOF,
    SCORES,
    VERDICTS,
)

FOLDER = Path(__file__).parent


def write(name: str, **content: Any) -> None:
    """One file, one page of the specification."""
    text = json.dumps({"specification": f"docs/spec/{name}.md", **content}, indent=1, ensure_ascii=False)
    (FOLDER / f"{name}.json").write_text(text + "\n", encoding="utf-8")


def digests() -> None:
    cases = [("plan", [b""]), ("parameters", [b"abc"]), ("merkle-node", [b"\x00" * 32, b"\xff" * 32])]
    accepted = [
        {"domain": domain, "parts": [part.hex() for part in parts], "digest": digest_of(domain, *parts).hex()}
        for domain, parts in cases
    ]
    write("digests", accepted=accepted)


def canonical_json() -> None:
    values = [
        None,
        True,
        0,
        -1,
        2**53 - 1,
        "",
        'é\u0001"\\/',
        [],
        {},
        {"b": [1, {"a": None}], "a": "\U0001f600", "\uff61": 0},
    ]
    accepted = [{"value": value, "bytes": encode(value).hex()} for value in values]
    write("canonical-json", accepted=accepted, refused=CANONICAL_JSON)


def parameters() -> None:
    tensors = {"bias": np.array([1.5, -0.0, 1e-45], np.float32), "weight": np.arange(6, dtype=np.float32).reshape(2, 3)}
    encoded = encode_parameters(tensors)
    shown = {
        name: {"shape": list(array.shape), "bits": [f"{bits:08x}" for bits in array.view(np.uint32).ravel().tolist()]}
        for name, array in tensors.items()
    }
    accepted = [{"tensors": shown, "bytes": encoded.hex(), "digest": parameters_digest(encoded).hex()}]
    write("parameters", accepted=accepted, refused=PARAMETERS)


def update() -> None:
    values = [
        (0.0, 24),
        (0.5, 0),
        (1.5, 0),
        (2.5, 0),
        (-2.5, 0),
        (2.0**-25, 24),
        (3 * 2.0**-25, 24),
        (0.1, 24),
        (127.99, 24),
    ]
    units = [
        {
            "delta": delta.hex(),
            "scale_bits": bits,
            "units": int(quantise(np.array(delta), scale_bits=bits, max_abs=2**31 - 1)),
        }
        for delta, bits in values
    ]
    manifest = UpdateManifest(
        lineage_id=test_envelope.CONTEXT.lineage_id,
        round=7,
        site_id=test_envelope.CONTEXT.site_id,
        parent_digest=Digest(b"\x04" * 32),
        plan_digest=Digest(b"\x05" * 32),
        scope="last-conv",
        num_examples=100,
        weight=2,
        dataset_root=Digest(b"\x08" * 32),
        consent_root=Digest(b"\x09" * 32),
        consent_version=3,
        delta_digest=Digest(b"\x0a" * 32),
        commitment_salt=Digest(b"\x0b" * 32),
        training=TrainingReport(1, 30, "2.500000", "1.250000"),
    )
    area = encode_update(manifest, b"").getvalue()
    body = area[4 : 4 + int.from_bytes(area[:4], "little")].decode()
    accepted = [
        {"manifest": body, "area_bytes": MANIFEST_AREA_BYTES, "commitment": manifest.parameters_commitment().hex()}
    ]
    write("update", fixed_point=units, accepted=accepted, refused=MANIFEST)


def plan() -> None:
    keys = [bytes([number]) * 1216 for number in (1, 2)]
    recipients = (
        Recipient("aggregator", Digest(b"\x01" * 32), keys[0]),
        Recipient("auditor", auditor_recipient_id(1), keys[1]),
    )
    encoded = encode_plan(make_plan(recipients))
    digests_of = {"digest": plan_digest(encoded).hex(), "recipients_digest": recipients_digest(recipients).hex()}
    write("plan", accepted=[{"plan": encoded.decode(), **digests_of}], refused=PLAN)


def envelope() -> None:
    keys = [RecipientPrivateKey.generate() for _ in range(2)]
    recipients = tuple(Recipient("aggregator", Digest.zero(), key.public_key()) for key in keys)
    content = b"what a site learned"
    sealed = seal_bytes(content, recipients, test_envelope.CONTEXT)
    context = {
        f.name: value if isinstance(value := getattr(test_envelope.CONTEXT, f.name), int) else value.hex()
        for f in dataclasses.fields(test_envelope.CONTEXT)
    }
    accepted = [
        {
            "private_keys": [key.to_bytes().hex() for key in keys],
            "context": context,
            "context_digest": test_envelope.CONTEXT.digest().hex(),
            "content": content.hex(),
            "envelope": sealed.hex(),
            "envelope_digest": digest_of("envelope", sealed).hex(),
        }
    ]
    write("envelope", accepted=accepted, refused=ENVELOPE)


def merkle() -> None:
    leaves = [Leaf(Digest(bytes([n]) * 32), Digest(bytes([n + 100]) * 32)) for n in (10, 20, 30)]
    accepted = []
    for count in range(len(leaves) + 1):
        tree = MerkleTree(leaves[:count])
        shown = [{"key": leaf.key.hex(), "value": leaf.value.hex()} for leaf in leaves[:count]]
        paths = [[digest.hex() for digest in tree.prove(leaf.key).path] for leaf in leaves[:count]]
        accepted.append({"leaves": shown, "root": tree.root.hex(), "paths": paths})
    write("merkle", accepted=accepted, refused=MERKLE)


def consent() -> None:
    guardian = test_consent.receipt_by(ByGuardian("parent"), test_consent.FACTORS[2])
    accepted = []
    for receipt in (test_consent.RECEIPT, guardian, test_consent.receipt_by(test_consent.WAIVER)):
        signed = sign_receipt(receipt, test_consent.KEY, IDENTITY)
        accepted.append(
            {
                "receipt": encode_receipt(receipt).decode(),
                "digest": receipt.digest().hex(),
                "chain_id": IDENTITY.chain_id,
                "contract_address": IDENTITY.contract_address.hex(),
                "witness": receipt.witness.hex(),
                "signature": signed.signature.hex(),
            }
        )
    signed = sign_receipt(test_consent.RECEIPT, test_consent.KEY, IDENTITY)
    text = str(accepted[0]["receipt"])
    refused = [
        {"name": "another chain", "chain_id": 1, "error": "ConsentError"},
        {"name": "another contract", "contract_address": "01" * 20, "error": "ConsentError"},
        {"name": "another witness", "witness": "01" * 20, "error": "ConsentError"},
        {"name": "a signature of 64 bytes", "signature": signed.signature[:64].hex(), "error": "ConsentError"},
        {
            "name": "a flipped signature",
            "signature": (bytes(signed.signature[:10]) + b"\x00" * 55).hex(),
            "error": "ConsentError",
        },
        {
            "name": "a guardian whose relation is not in the list",
            "receipt": text.replace('"kind":"patient"}', '"kind":"guardian","relation":"neighbour"}', 1),
            "error": "MalformedError",
        },
        {
            "name": "a waiver that was given in a conversation",
            "receipt": str(accepted[2]["receipt"]).replace("ethics-decision", "verbal-witnessed", 1),
            "error": "MalformedError",
        },
        {
            "name": "a second factor of no known kind",
            "receipt": text.replace("patient-totp", "patient-text-message", 1),
            "error": "MalformedError",
        },
    ]
    write("consent", accepted=accepted, refused=refused)


def sample_proof() -> None:
    audit_key = test_consent.AUDIT_KEY
    entry = test_consent.entry(1)
    consents = consent_tree([entry, test_consent.entry(2)], audit_key)
    samples = [
        TrainingSample(bytes([n]) * 16, Digest(bytes([n]) * 32), bytes([n + 50]) * 32, entry.signed.receipt.receipt_id)
        for n in (1, 2, 3)
    ]
    tree = dataset_tree(samples, audit_key)
    place = (test_consent.RECEIPT.site_id, RoundId(test_envelope.CONTEXT.lineage_id, 7))
    receipt_key = leaf_key(audit_key, CONSENT_DOMAIN, entry.signed.receipt.receipt_id)
    opening = Opening(
        Digest(samples[0].salt),
        samples[0].content_digest,
        entry.signed,
        Digest(entry.salt),
        consents.prove(receipt_key),
    )
    inclusion = tree.prove(sample_key(audit_key, samples[0].sample_id))
    proofs = [
        SampleProof(*place, samples[0].sample_id, Presence(inclusion, opening)),
        SampleProof(*place, samples[0].sample_id, Presence(inclusion, None)),
        SampleProof(*place, bytes([9]) * 16, Absence(tree.leaves)),
    ]
    roots = {"dataset_root": tree.root.hex(), "consent_root": consents.root.hex(), "audit_key": audit_key.hex()}
    accepted = [{"proof": encode_sample_proof(proof).decode(), **roots} for proof in proofs]
    write("sample-proof", accepted=accepted, refused=SAMPLE_PROOF)


def bits(value: float) -> str:
    return f"{np.float32(value).view(np.uint32):08x}"


def aggregation() -> None:
    cases = [
        (1.0, [1 << 24], [1], 24),
        (1.0, [1, 2, 4], [1, 1, 1], 24),
        (-0.0, [0, 0, 0], [1, 2, 3], 24),
        (0.1, [2**31 - 1, -(2**31) + 1, 12345], [64, 63, 7], 30),
        (1e-45, [1, 0, 0], [1, 1, 1], 30),
        (3e38, [5 * 10**8] * 3, [2**20 - 1] * 3, 0),
        (16777216.0, [3, 0, 0], [1, 1, 1], 0),
    ]
    accepted = []
    for parent, units, weights, scale in cases:
        exact = sum(w * u for w, u in zip(weights, units, strict=True))
        new = np.float32(np.float64(np.float32(parent)) + np.float64(exact) / np.float64(sum(weights) * 2**scale))
        accepted.append(
            {"parent": bits(parent), "units": units, "weights": weights, "scale_bits": scale, "new": bits(new)}
        )
    write("aggregation", accepted=accepted)


def result() -> None:
    verdicts = [
        *test_result.VERDICTS,
        Verdict(3, SiteId(b"\x09" * 32), Digest(b"\x0c" * 32), VerdictCode.DUPLICATE_NEAR),
    ]
    encoded = encode_verdicts(test_result.ROUND, verdicts).decode()
    accepted = [
        {"verdicts": encoded, "root": verdicts_root(verdicts).hex(), "codes": bytes(v.code for v in verdicts).hex()}
    ]
    write("result", accepted=accepted, refused=VERDICTS)


def joining() -> None:
    document, invitation = test_joining.DOCUMENT, test_joining.INVITATION
    digest = key_document_digest(document)
    accepted = [
        {
            "invitation": encode_invitation(invitation, test_joining.GOVERNOR).decode(),
            "governor": invitation.deployment.governor.hex(),
            "expires_at": invitation.expires_at,
            "key_document": encode_key_document(document).decode(),
            "key_digest": digest.hex(),
            "fingerprint": fingerprint(digest),
        }
    ]
    write("joining", accepted=accepted, refused=INVITATION)


def checkpoint() -> None:
    note = test_checkpoint.NOTE
    accounts = {site_id.hex(): [a.hex() for a in held] for site_id, held in test_checkpoint.ACCOUNTS.items()}
    accepted = [
        {
            "body": encode_checkpoint(note.checkpoint).decode(),
            "signed_digest": digest_of("checkpoint", encode_checkpoint(note.checkpoint)).hex(),
            "note": encode_cosigned(note).decode(),
            "private_keys": {slug: key.hex() for slug, key in test_checkpoint.KEYS.items()},
            "accounts": accounts,
            "key_ids": {line.name: line.key_id.hex() for line in note.signatures},
        }
    ]
    write("checkpoint", accepted=accepted, refused=CHECKPOINT)


def keystore() -> None:
    key = sealing.derive(b"four words of test", Argon2Cost(2, 1, 1024), bytes.fromhex("00aa" * 8))
    secrets = {"account": bytes(range(32)), "witness/nurse": b"\xff" * 32}
    with mock.patch.object(sealing.os, "urandom", bytes):
        file = sealing.seal(secrets, key)
    accepted = [
        {
            "passphrase": b"four words of test".hex(),
            "key": key.key.hex(),
            "file": file.decode(),
            "secrets": {name: secret.hex() for name, secret in secrets.items()},
        }
    ]
    write("keystore", accepted=accepted, refused=KEYSTORE)


def scores() -> None:
    words = [
        {"crop": f"{number:02x}" * 32, "label": label} for number, label in enumerate(("Napa", "Seclo", "Nexium®"))
    ]
    answers = [[True, False, False], [True, True, False]]
    exam = Exam(
        words_digest([(Digest.from_hex(word["crop"]), word["label"]) for word in words]), 3,
        None, Digest(b"\x0b" * 32), "head",
    )  # fmt: skip
    models = []
    for number, right in enumerate(answers):
        found = score_of(sum(right), len(right))
        interval = math.floor(found.low * 1e6), math.ceil(found.high * 1e6)
        models.append(ModelScore(number, Digest(bytes([0xA0 + number]) * 32), *interval, packed(right), "fedrx 1"))
    file = encode_scores(Scores(IDENTITY, test_envelope.CONTEXT.lineage_id, exam, tuple(models)))
    accepted = [{"exam": words, "answers": answers, "correct": [1, 2], "file": file.decode()}]
    write("scores", accepted=accepted, refused=SCORES)


if __name__ == "__main__":
    for make in (
        digests,
        canonical_json,
        parameters,
        update,
        plan,
        envelope,
        merkle,
        consent,
        sample_proof,
        aggregation,
        result,
        joining,
        checkpoint,
        keystore,
        scores,
    ):
        make()
