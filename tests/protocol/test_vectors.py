"""tests/vectors/*.json: what every implementation of docs/spec must accept and refuse."""

from __future__ import annotations

import dataclasses
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from protocol import errors
from protocol.aggregation import aggregate
from protocol.canonical_json import encode, parse
from protocol.checkpoint import encode_checkpoint
from protocol.consent import SignedReceipt, verify_receipt
from protocol.consent_receipt import encode_receipt, parse_receipt
from protocol.cosigning import cosign, encode_cosigned, key_id_of, parse_cosigned, proven_cosignatures
from protocol.envelope import BoundContext, open_envelope
from protocol.errors import VerificationError
from protocol.fixed_point import quantise
from protocol.identifiers import AccountAddress, Digest, LineageId, SiteId, digest_of
from protocol.joining import fingerprint, key_document_digest, parse_invitation, parse_key_document
from protocol.merkle import InclusionProof, Leaf, MerkleTree, verify_inclusion
from protocol.parameters import encode_parameters, parameters_digest, parse_parameters
from protocol.plan import PlannedTensor, Recipient, encode_plan, parse_plan, plan_digest, recipients_digest
from protocol.recipient_keys import RecipientPrivateKey
from protocol.result import parse_verdicts, verdicts_root
from protocol.sample_proof import encode_sample_proof, parse_sample_proof, verify_sample_proof
from protocol.tensors import TensorShape
from protocol.update import MANIFEST_AREA_BYTES, parse_manifest_area
from protocol.verification import verify_update
from tests.protocol.builders import IDENTITY, Network

FOLDER = Path(__file__).parents[1] / "vectors"
ROOT = FOLDER.parents[1]


def read(name: str) -> dict[str, Any]:
    return json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))


def refused(name: str):
    return pytest.mark.parametrize("case", read(name)["refused"], ids=lambda case: case["name"])


def raises(case):
    return pytest.raises(getattr(errors, case["error"]))


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.json")), ids=lambda path: path.stem)
def test_every_file_of_vectors_belongs_to_a_page_that_links_it(path):
    page = ROOT / json.loads(path.read_text(encoding="utf-8"))["specification"]
    assert f"tests/vectors/{path.name}" in page.read_text(encoding="utf-8")


def test_digests():
    for case in read("digests")["accepted"]:
        assert digest_of(case["domain"], *map(bytes.fromhex, case["parts"])).hex() == case["digest"]


def test_canonical_json():
    for case in read("canonical-json")["accepted"]:
        assert encode(case["value"]).hex() == case["bytes"]
        assert parse(bytes.fromhex(case["bytes"])) == case["value"]


@refused("canonical-json")
def test_canonical_json_refuses(case):
    with raises(case):
        parse(bytes.fromhex(case["bytes"]))


def test_parameters():
    for case in read("parameters")["accepted"]:
        arrays = {
            name: np.array([int(b, 16) for b in t["bits"]], np.uint32).view(np.float32).reshape(t["shape"])
            for name, t in case["tensors"].items()
        }
        encoded = bytes.fromhex(case["bytes"])
        assert encode_parameters(arrays) == encoded
        assert parse_parameters(encoded).keys() == arrays.keys()
        assert parameters_digest(encoded).hex() == case["digest"]


@refused("parameters")
def test_parameters_refuse(case):
    with raises(case):
        parse_parameters(bytes.fromhex(case["bytes"]))


def test_fixed_point():
    for case in read("update")["fixed_point"]:
        delta = np.array(float.fromhex(case["delta"]))
        assert quantise(delta, scale_bits=case["scale_bits"], max_abs=2**31 - 1) == case["units"]


def area_of(body: str) -> bytes:
    data = body.encode()
    return (len(data).to_bytes(4, "little") + data).ljust(MANIFEST_AREA_BYTES, b"\x00")


def test_update():
    for case in read("update")["accepted"]:
        assert case["area_bytes"] == MANIFEST_AREA_BYTES
        manifest = parse_manifest_area(area_of(case["manifest"]))
        assert manifest.parameters_commitment().hex() == case["commitment"]


@refused("update")
def test_update_refuses(case):
    body = read("update")["accepted"][0]["manifest"]
    assert case["replace"] in body
    with raises(case):
        parse_manifest_area(area_of(body.replace(case["replace"], case["by"], 1)))


def test_plan():
    for case in read("plan")["accepted"]:
        plan = parse_plan(case["plan"].encode())
        assert encode_plan(plan).decode() == case["plan"]
        assert plan_digest(case["plan"].encode()).hex() == case["digest"]
        assert recipients_digest(plan.recipients).hex() == case["recipients_digest"]


@refused("plan")
def test_plan_refuses(case):
    text = read("plan")["accepted"][0]["plan"]
    assert case["replace"] in text
    with raises(case):
        parse_plan(text.replace(case["replace"], case["by"], 1).encode())


def context_of(fields: dict[str, Any]) -> BoundContext:
    kinds = {"contract_address": AccountAddress, "lineage_id": LineageId, "site_id": SiteId}
    return BoundContext(
        **{
            name: value if isinstance(value, int) else kinds.get(name, Digest)(bytes.fromhex(value))
            for name, value in fields.items()
        }
    )


def open_vector(case: dict[str, Any], key: int, **fault: Any) -> bytes:
    keys = [RecipientPrivateKey.from_bytes(bytes.fromhex(secret)) for secret in case["private_keys"]]
    recipients = [Recipient("aggregator", Digest.zero(), k.public_key()) for k in keys]
    sealed = bytearray.fromhex(case["envelope"])
    if "xor_at" in fault:
        sealed[fault["xor_at"]] ^= 0x80
    sealed = sealed[: len(sealed) - fault.get("cut", 0)]
    context = context_of(case["context"] | fault.get("context", {}))
    expected = recipients[: fault.get("recipients", len(recipients))]
    return b"".join(open_envelope(io.BytesIO(sealed), keys[key], expected, context).chunks())


def test_envelope():
    for case in read("envelope")["accepted"]:
        assert context_of(case["context"]).digest().hex() == case["context_digest"]
        assert digest_of("envelope", bytes.fromhex(case["envelope"])).hex() == case["envelope_digest"]
        for key in range(len(case["private_keys"])):
            assert open_vector(case, key).hex() == case["content"]


@refused("envelope")
def test_envelope_refuses(case):
    with pytest.raises(VerificationError) as caught:
        open_vector(read("envelope")["accepted"][0], 0, **case)
    assert caught.value.code.name == case["code"]


def leaf_of(value: dict[str, str]) -> Leaf:
    return Leaf(Digest.from_hex(value["key"]), Digest.from_hex(value["value"]))


def test_merkle():
    for case in read("merkle")["accepted"]:
        leaves = [leaf_of(value) for value in case["leaves"]]
        root = Digest.from_hex(case["root"])
        assert MerkleTree(leaves).root == root
        for index, (leaf, path) in enumerate(zip(leaves, case["paths"], strict=True)):
            digests = tuple(Digest.from_hex(digest) for digest in path)
            assert verify_inclusion(InclusionProof(leaf, index, len(leaves), digests), root) == leaf


@refused("merkle")
def test_merkle_refuses(case):
    tree = read("merkle")["accepted"][case["tree"]]
    leaf = tree["leaves"][case["leaf"]]
    proof = InclusionProof(
        leaf=leaf_of(leaf | {"value": case.get("value", leaf["value"])}),
        index=case.get("index", case["leaf"]),
        count=case.get("count", len(tree["leaves"])),
        path=tuple(Digest.from_hex(digest) for digest in case.get("path", tree["paths"][case["leaf"]])),
    )
    with raises(case):
        verify_inclusion(proof, Digest.from_hex(case.get("root", tree["root"])))


def verify_consent(case: dict[str, Any]) -> None:
    receipt = parse_receipt(case["receipt"].encode())
    identity = dataclasses.replace(
        IDENTITY, chain_id=case["chain_id"], contract_address=AccountAddress.from_hex(case["contract_address"])
    )
    signed = SignedReceipt(receipt, bytes.fromhex(case["signature"]))
    verify_receipt(signed, frozenset({AccountAddress.from_hex(case["witness"])}), identity)


def test_consent():
    for case in read("consent")["accepted"]:
        receipt = parse_receipt(case["receipt"].encode())
        assert encode_receipt(receipt).decode() == case["receipt"]
        assert receipt.digest().hex() == case["digest"]
        verify_consent(case)


@refused("consent")
def test_consent_refuses(case):
    with raises(case):
        verify_consent(read("consent")["accepted"][0] | case)


def verify_sample(case: dict[str, Any]) -> None:
    proof = parse_sample_proof(case["proof"].encode())
    roots = (Digest.from_hex(case["dataset_root"]), Digest.from_hex(case["consent_root"]))
    verify_sample_proof(proof, bytes.fromhex(case["audit_key"]), *roots)


def test_sample_proof():
    for case in read("sample-proof")["accepted"]:
        assert encode_sample_proof(parse_sample_proof(case["proof"].encode())).decode() == case["proof"]
        verify_sample(case)


@refused("sample-proof")
def test_sample_proof_refuses(case):
    accepted = read("sample-proof")["accepted"][case["of"]]
    if "replace" in case:
        assert case["replace"] in accepted["proof"]
        accepted = accepted | {"proof": accepted["proof"].replace(case["replace"], case["by"], 1)}
    with raises(case):
        verify_sample(accepted | case)


@pytest.mark.parametrize("case", read("aggregation")["accepted"], ids=range(len(read("aggregation")["accepted"])))
def test_aggregation(case):
    """Through sealed updates: the first value of the first tensor is the vector's."""

    tensors = (PlannedTensor(TensorShape("a", (1,)), case["scale_bits"]),)
    changes = {"max_abs": 2**31 - 1, "max_norm": "999999999.9", "max_weight": 2**20 - 1, "examples_per_weight": 1}
    network = Network(sites_count=max(3, len(case["units"])), tensors=tensors, plan_changes=changes)
    parent = np.array([int(case["parent"], 16)], dtype=np.uint32).view(np.float32)
    network.model = encode_parameters({"a": parent})
    network.open_round()
    for site, units, weight in zip(network.sites, case["units"], case["weights"], strict=False):
        delta = {"a": np.array([units * 2.0 ** -case["scale_bits"]])}
        network.register(site, delta=delta, num_examples=weight)
    updates = [
        verify_update(network.fetched(r), r, network.context, network.aggregators[0].key)
        for r in network.view.registrations[: len(case["units"])]
    ]
    new = b"".join(aggregate(io.BytesIO(network.model), updates, network.plan))
    assert f"{parse_parameters(new)['a'].view(np.uint32)[0]:08x}" == case["new"]


def test_result():
    for case in read("result")["accepted"]:
        _, verdicts = parse_verdicts(case["verdicts"].encode())
        assert verdicts_root(verdicts).hex() == case["root"]
        assert bytes(verdict.code for verdict in verdicts).hex() == case["codes"]


@refused("result")
def test_result_refuses(case):
    text = read("result")["accepted"][0]["verdicts"]
    assert case["replace"] in text
    with raises(case):
        parse_verdicts(text.replace(case["replace"], case["by"], 1).encode())


def test_joining():
    for case in read("joining")["accepted"]:
        invitation = parse_invitation(case["invitation"].encode(), now=case["expires_at"] - 1)
        assert invitation.deployment.governor.hex() == case["governor"]
        digest = key_document_digest(parse_key_document(case["key_document"].encode()))
        assert digest.hex() == case["key_digest"]
        assert fingerprint(digest) == case["fingerprint"]


@refused("joining")
def test_joining_refuses(case):
    accepted = read("joining")["accepted"][0]
    text = accepted["invitation"]
    if "replace" in case:
        assert case["replace"] in text
        text = text.replace(case["replace"], case["by"], 1)
    with raises(case):
        parse_invitation(text.encode(), now=accepted["expires_at"] - (0 if "now_after_expiry" in case else 1))


def cosigned_by(case: dict[str, Any], note: str) -> list[str]:
    accounts = {
        SiteId(bytes.fromhex(site)): [AccountAddress(bytes.fromhex(account)) for account in held]
        for site, held in case["accounts"].items()
    }
    return [line.name for line in proven_cosignatures(parse_cosigned(note.encode()), accounts)]


def test_checkpoint():
    for case in read("checkpoint")["accepted"]:
        found = parse_cosigned(case["note"].encode())
        assert encode_cosigned(found).decode() == case["note"]
        assert encode_checkpoint(found.checkpoint).decode() == case["body"]
        assert digest_of("checkpoint", case["body"].encode()).hex() == case["signed_digest"]
        keys = case["private_keys"].items()
        assert found.signatures == tuple(cosign(found.checkpoint, slug, bytes.fromhex(key)) for slug, key in keys)
        for (slug, key_id), (account,) in zip(case["key_ids"].items(), case["accounts"].values(), strict=True):
            assert key_id_of(slug, AccountAddress(bytes.fromhex(account))).hex() == key_id
        assert cosigned_by(case, case["note"]) == list(case["key_ids"])


@refused("checkpoint")
def test_checkpoint_refuses(case):
    accepted = read("checkpoint")["accepted"][0]
    assert case["replace"] in accepted["note"]
    with raises(case):
        cosigned_by(accepted, accepted["note"].replace(case["replace"], case["by"], 1))
