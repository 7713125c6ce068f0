"""docs/spec/joining.md."""

from __future__ import annotations

import base64
import dataclasses
import json

import pytest
from eth_account import Account
from eth_account.messages import encode_defunct

from protocol.canonical_json import encode
from protocol.deployment import Deployment
from protocol.errors import MalformedError
from protocol.identifiers import AccountAddress, BlockHash, Digest, digest_of, site_id_of
from protocol.joining import (
    Invitation,
    KeyDocument,
    audit_key_commitment,
    auditor_fingerprint,
    encode_invitation,
    encode_key_document,
    fingerprint,
    key_document_digest,
    parse_invitation,
    parse_key_document,
)

GOVERNOR, MALLORY = b"\x11" * 32, b"\x12" * 32
NOW = 1_700_000_000
DEPLOYMENT = Deployment(
    chain_id=31337,
    contract_address=AccountAddress(b"\xc0" * 20),
    genesis_block_hash=BlockHash(b"\x01" * 32),
    deployment_block_number=1,
    deployment_block_hash=BlockHash(b"\x02" * 32),
    compiler="0.8.37",
    creation_code_digest=Digest(b"\x03" * 32),
    runtime_code_digest=Digest(b"\x04" * 32),
    governor=AccountAddress.from_hex(Account.from_key(GOVERNOR).address),
    predecessor=None,
)
INVITATION = Invitation(
    site="dhaka-general",
    deployment=DEPLOYMENT,
    governor=DEPLOYMENT.governor,
    rpc_url="http://127.0.0.1:8545",
    lineages=("easyocr-last-conv",),
    swarm_key="/key/swarm/psk/1.0.0/\n/base16/\n" + "ab" * 32,
    peers=("/ip4/127.0.0.1/tcp/4001/p2p/12D3",),
    expires_at=NOW + 100,
)
DOCUMENT = KeyDocument(
    site="dhaka-general",
    account=AccountAddress(b"\x05" * 20),
    witnesses=(AccountAddress(b"\x06" * 20), AccountAddress(b"\x07" * 20)),
    audit_key_commitment=audit_key_commitment(b"\x08" * 32),
)


def test_an_invitation_comes_back_from_its_file():
    assert parse_invitation(encode_invitation(INVITATION, GOVERNOR), now=NOW) == INVITATION


def test_an_invitation_that_the_governor_did_not_sign_is_malformed():
    with pytest.raises(MalformedError, match="governor"):
        parse_invitation(encode_invitation(INVITATION, MALLORY), now=NOW)


@pytest.mark.parametrize("now", [NOW + 100, NOW + 101])
def test_an_expired_invitation_is_malformed(now):
    with pytest.raises(
        MalformedError, match=r"expired: it was good until \d{4}-\d\d-\d\d .* this machine's clock says \d{4}-"
    ):
        parse_invitation(encode_invitation(INVITATION, GOVERNOR), now=now)


@pytest.mark.parametrize("field", [*(field.name for field in dataclasses.fields(Invitation)), "version"])
def test_the_signature_covers_every_field(field):
    value = json.loads(encode_invitation(INVITATION, GOVERNOR))
    other = json.loads(
        encode_invitation(
            Invitation(
                "other",
                dataclasses.replace(DEPLOYMENT, chain_id=1),
                AccountAddress.from_hex(Account.from_key(MALLORY).address),
                "http://evil",
                ("x",),
                "other",
                ("y",),
                NOW + 999,
            ),
            MALLORY,
        )
    )["body"]
    value["body"][field] = other[field] if field != "version" else 2
    with pytest.raises(MalformedError):
        parse_invitation(encode(value), now=NOW)


@pytest.mark.parametrize(
    "signature", [b"", b"\x00", bytes(64), bytes(65), bytes(66), b"\xff" * 65, b"\x01" * 64 + b"\x05", b"\x01" * 65]
)
def test_a_signature_that_is_none_is_malformed(signature):
    value = json.loads(encode_invitation(INVITATION, GOVERNOR))
    value["signature"] = base64.b64encode(signature).decode()
    with pytest.raises(MalformedError):
        parse_invitation(encode(value), now=NOW)


def test_a_signature_that_is_not_base64_is_malformed():
    value = json.loads(encode_invitation(INVITATION, GOVERNOR)) | {"signature": "not base64!"}
    with pytest.raises(MalformedError):
        parse_invitation(encode(value), now=NOW)


def test_a_signature_over_something_else_is_not_an_invitation():
    """The governor's key signs other texts too: the digest's domain keeps them apart."""
    value = json.loads(encode_invitation(INVITATION, GOVERNOR))
    message = encode_defunct(digest_of("something-else", encode(value["body"])))
    signature = Account.from_key(GOVERNOR).sign_message(message).signature
    value["signature"] = base64.b64encode(signature).decode()
    with pytest.raises(MalformedError):
        parse_invitation(encode(value), now=NOW)


def test_repr_does_not_show_the_swarm_key():
    assert "ab" * 8 not in repr(INVITATION)


def test_a_key_document_comes_back_from_its_bytes():
    assert parse_key_document(encode_key_document(DOCUMENT)) == DOCUMENT
    assert DOCUMENT.site_id == site_id_of("dhaka-general")


@pytest.mark.parametrize(
    "changes",
    [
        {"version": 2},
        {"more": 1},
        {"witnesses": ["07" * 20, "06" * 20]},
        {"witnesses": ["06" * 20, "06" * 20]},
        {"witnesses": "06"},
        {"account": "0x" + "05" * 20},
        {"account": "05" * 19},
        {"site": 1},
    ],
)
def test_other_bytes_are_no_key_document(changes):
    with pytest.raises(MalformedError):
        parse_key_document(encode(json.loads(encode_key_document(DOCUMENT)) | changes))


def test_the_digest_covers_every_key():
    others = [
        dataclasses.replace(DOCUMENT, account=AccountAddress(b"\x09" * 20)),
        dataclasses.replace(DOCUMENT, witnesses=DOCUMENT.witnesses[:1]),
        dataclasses.replace(DOCUMENT, audit_key_commitment=audit_key_commitment(b"\x09" * 32)),
        dataclasses.replace(DOCUMENT, site="other"),
    ]
    assert len({key_document_digest(document) for document in [DOCUMENT, *others]}) == 5


def test_a_fingerprint_is_five_groups_of_five_digits():
    text = fingerprint(key_document_digest(DOCUMENT))
    groups = text.split(" ")
    assert [len(group) for group in groups] == [5] * 5
    assert text.replace(" ", "").isdigit()
    assert fingerprint(Digest(bytes(31) + b"\x01")) == "00000 00000 00000 00000 00001"
    assert fingerprint(Digest.zero()) != text


def test_an_auditors_fingerprint_covers_the_account_and_the_key():
    account, digest = AccountAddress(b"\x01" * 20), Digest(b"\x02" * 32)
    said = auditor_fingerprint(account, digest)
    assert said not in {fingerprint(digest), auditor_fingerprint(AccountAddress(b"\x03" * 20), digest)}
    assert said != auditor_fingerprint(account, Digest(b"\x04" * 32))
