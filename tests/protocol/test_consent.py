"""docs/spec/consent.md."""

from __future__ import annotations

import dataclasses
import json
from datetime import date

import pytest
from eth_account import Account

from protocol.canonical_json import encode
from protocol.consent import ConsentEntry, SignedReceipt, consent_tree, sign_receipt, verify_receipt
from protocol.consent_counts import ConsentCounts, counts_by_giver
from protocol.consent_factor import NO_SECOND_FACTOR, PatientCode, StaffCodeAndForm
from protocol.consent_receipt import (
    BY_PATIENT,
    DUO_PURPOSES,
    RELATIONS,
    ByGuardian,
    ByWaiver,
    ConsentReceipt,
    encode_receipt,
    parse_receipt,
    purposes_allowing,
)
from protocol.dataset import TrainingSample, dataset_tree, sample_content_digest
from protocol.errors import ConsentError, MalformedError
from protocol.identifiers import AccountAddress, Digest, site_id_of
from protocol.merkle import leaf_key, verify_absence, verify_inclusion
from tests.protocol.builders import IDENTITY

KEY, OTHER_KEY = b"\x11" * 32, b"\x12" * 32
AUDIT_KEY = b"\x21" * 32


def account(key: bytes) -> AccountAddress:
    return AccountAddress.from_hex(Account.from_key(key).address)


RECEIPT = ConsentReceipt(
    receipt_id=Digest(b"\x31" * 32),
    site_id=site_id_of("dhaka-general"),
    patient="P-0042 রোগী",
    purposes=("DUO:0000006", "DUO:0000042"),
    language="bn",
    notice_digest=Digest(b"\x32" * 32),
    notice_version="1",
    method="verbal-witnessed",
    asked_by="Nurse A",
    witness=account(KEY),
    granted_at=1_700_000_000,
    expires_at=1_800_000_000,
    second_factor=PatientCode(56_666_666),
)
WAIVER = ByWaiver(Digest(b"\x34" * 32), date(2023, 11, 14))
WITNESSES = frozenset({account(KEY)})


FACTORS = (NO_SECOND_FACTOR, PatientCode(0), StaffCodeAndForm("sister.akter", 56_666_666, Digest(b"\x35" * 32)))
GIVERS = (BY_PATIENT, *(ByGuardian(relation) for relation in RELATIONS))


def receipt_by(giver, factor=NO_SECOND_FACTOR) -> ConsentReceipt:
    method = "ethics-decision" if isinstance(giver, ByWaiver) else "signed-form"
    return dataclasses.replace(RECEIPT, giver=giver, second_factor=factor, method=method)


@pytest.mark.parametrize("factor", FACTORS, ids=lambda factor: type(factor).__name__)
@pytest.mark.parametrize("giver", [*GIVERS, WAIVER], ids=str)
def test_a_receipt_comes_back_from_its_bytes(giver, factor):
    if isinstance(giver, ByWaiver) and isinstance(factor, PatientCode):
        with pytest.raises(MalformedError):
            receipt_by(giver, factor)
        return
    receipt = receipt_by(giver, factor)
    assert parse_receipt(encode_receipt(receipt)) == receipt


def test_a_receipt_says_who_gave_it_and_names_nobody():
    assert [receipt_by(giver).given_by for giver in (BY_PATIENT, ByGuardian("parent"), WAIVER)] == [
        "patient",
        "guardian",
        "waiver",
    ]
    event = json.loads(encode_receipt(receipt_by(ByGuardian("parent"))))["event"]
    assert event["given_by"] == {"kind": "guardian", "relation": "parent"}


def test_the_trail_counts_receipts_by_who_gave_them():
    givers = (BY_PATIENT, ByGuardian("sibling"), WAIVER, WAIVER, BY_PATIENT, BY_PATIENT)
    entries = [ConsentEntry(SignedReceipt(receipt_by(giver), bytes(65)), bytes(32)) for giver in givers]
    assert counts_by_giver(entries) == ConsentCounts(patients=3, guardians=1, waivers=2)
    assert counts_by_giver([]) == ConsentCounts(0, 0, 0)


def test_a_waiver_rests_on_a_decision_that_was_made_before_it():
    for decided_on in (date(2023, 11, 14), date(2023, 11, 15)):
        assert receipt_by(ByWaiver(Digest(b"\x34" * 32), decided_on)).given_by == "waiver"
    with pytest.raises(MalformedError):
        receipt_by(ByWaiver(Digest(b"\x34" * 32), date(2023, 11, 17)))


@pytest.mark.parametrize("change", [{"method": "ethics-decision"}, {"giver": WAIVER}])
def test_an_ethics_decision_and_a_waiver_belong_together(change):
    with pytest.raises(MalformedError):
        dataclasses.replace(RECEIPT, second_factor=NO_SECOND_FACTOR, **change)


def test_research_in_general_covers_medical_research_and_not_the_other_way_round():
    medical, general, care = "DUO:0000006", "DUO:0000042", "DUO:0000043"
    covers = {
        (given, use) for given in DUO_PURPOSES for use in DUO_PURPOSES
        if dataclasses.replace(RECEIPT, purposes=(given,)).covers(use)
    }  # fmt: skip
    assert covers == {(medical, medical), (general, general), (general, medical), (care, care)}
    assert purposes_allowing(medical) == [medical, general]


def test_a_witness_signs_and_anyone_verifies():
    signed = sign_receipt(RECEIPT, KEY, IDENTITY)
    assert len(signed.signature) == 65
    assert verify_receipt(signed, WITNESSES, IDENTITY) == RECEIPT


def test_only_the_named_witness_can_sign():
    with pytest.raises(ConsentError):
        sign_receipt(RECEIPT, OTHER_KEY, IDENTITY)


@pytest.mark.parametrize(
    "change",
    [
        {"chain_id": 1},
        {"contract_address": AccountAddress(b"\x01" * 20)},
    ],
    ids=["chain", "contract"],
)
def test_a_signature_for_another_deployment_is_refused(change):
    signed = sign_receipt(RECEIPT, KEY, IDENTITY)
    with pytest.raises(ConsentError):
        verify_receipt(signed, WITNESSES, dataclasses.replace(IDENTITY, **change))


@pytest.mark.parametrize(
    "change",
    [
        {"patient": "P-0043"},
        {"expires_at": 1_900_000_000},
        {"granted_at": 1_600_000_000},
        {"purposes": ("DUO:0000042",)},
        {"site_id": site_id_of("other")},
        {"notice_digest": Digest(b"\x33" * 32)},
        {"asked_by": "Nurse B"},
        {"giver": ByGuardian("parent")},
        {"second_factor": PatientCode(56_666_667)},
        {"witness": account(OTHER_KEY)},
    ],
    ids=lambda change: next(iter(change)),
)
def test_a_signature_covers_every_field(change):
    signed = sign_receipt(RECEIPT, KEY, IDENTITY)
    forged = SignedReceipt(dataclasses.replace(RECEIPT, **change), signed.signature)
    with pytest.raises(ConsentError):
        verify_receipt(forged, WITNESSES | {account(OTHER_KEY)}, IDENTITY)


def test_a_witness_of_another_site_is_none():
    with pytest.raises(ConsentError):
        verify_receipt(sign_receipt(RECEIPT, KEY, IDENTITY), frozenset({account(OTHER_KEY)}), IDENTITY)


@pytest.mark.parametrize(
    "signature",
    [
        b"",
        b"\x00",
        bytes(64),
        bytes(65),
        bytes(66),
        b"\xff" * 65,
        b"\x01" * 64 + b"\x05",
        bytes(64) + b"\x1b",
        b"\x01" * 65,
    ],
)
def test_a_signature_that_is_none_is_refused(signature):
    with pytest.raises(ConsentError):
        verify_receipt(SignedReceipt(RECEIPT, signature), WITNESSES, IDENTITY)


@pytest.mark.parametrize(
    "change",
    [
        {"purposes": ()},
        {"purposes": ("DUO:0000042", "DUO:0000006")},
        {"purposes": ("DUO:0000042", "DUO:0000042")},
        {"purposes": ("DUO:9999999",)},
        {"expires_at": 1_700_000_000},
        {"granted_at": -1},
    ],
)
def test_a_receipt_out_of_bounds_is_malformed(change):
    with pytest.raises(MalformedError):
        dataclasses.replace(RECEIPT, **change)


def changed(path: str, value) -> bytes:
    fields = json.loads(encode_receipt(RECEIPT))
    *parents, last = path.split(".")
    place = fields
    for name in parents:
        place = place[name]
    place[last] = value
    return encode(fields)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("version", 2),
        ("more", 1),
        ("event.method", "telepathy"),
        ("event.state", "withdrawn"),
        ("event.granted_at", -1),
        ("event.expires_at", "1800000000"),
        ("event.witness", "11" * 19),
        ("event.given_by", "patient"),
        ("event.given_by", {"kind": "patient", "name": "Salma"}),
        ("event.given_by", {"kind": "guardian", "relation": "neighbour"}),
        ("event.given_by", {"kind": "waiver", "decision_digest": "34" * 32, "decided_on": "14.11.2023"}),
        ("event.given_by", {"kind": "waiver", "decision_digest": "34" * 32, "decided_on": "20231114"}),
        ("event.given_by", {"kind": "nobody"}),
        ("event.second_factor", None),
        ("event.second_factor", {"kind": "patient-totp"}),
        ("event.second_factor", {"kind": "patient-totp", "counter": -1}),
        ("event.second_factor", {"kind": "none", "counter": 1}),
        (
            "event.second_factor",
            {"kind": "staff-totp-and-form", "staff": "Sister Akter", "counter": 1, "form_digest": "35" * 32},
        ),
        ("processing.purposes", []),
        ("processing.pii_categories", ["everything"]),
        ("processing.operations", ["sale"]),
        ("notice.more", 1),
        ("record_id", "AB" * 32),
    ],
)
def test_other_bytes_are_no_receipt(path, value):
    with pytest.raises(MalformedError):
        parse_receipt(changed(path, value))


def test_every_purpose_has_a_meaning():
    assert all(code.startswith("DUO:") and meaning for code, meaning in DUO_PURPOSES.items())


def entry(number: int) -> ConsentEntry:
    receipt = dataclasses.replace(RECEIPT, receipt_id=Digest(bytes([number]) * 32), patient=f"P-{number}")
    return ConsentEntry(sign_receipt(receipt, KEY, IDENTITY), bytes([number + 100]) * 32)


def test_a_receipt_in_force_and_one_that_is_not_can_be_shown():
    entries = [entry(number) for number in (1, 2, 3)]
    tree = consent_tree(entries, AUDIT_KEY)
    for item in entries:
        assert verify_inclusion(tree.prove(item.leaf(AUDIT_KEY).key), tree.root) == item.leaf(AUDIT_KEY)
    verify_absence(tree.prove_absence(entry(4).leaf(AUDIT_KEY).key), tree.root)


def test_the_root_says_nothing_without_salt_and_audit_key():
    item = entry(1)
    other_salt = dataclasses.replace(item, salt=b"\x00" * 32)
    assert item.leaf(AUDIT_KEY).value != other_salt.leaf(AUDIT_KEY).value
    assert item.leaf(AUDIT_KEY).key != item.leaf(b"\x22" * 32).key


def sample(number: int, receipt: int = 1) -> TrainingSample:
    return TrainingSample(
        sample_id=bytes([number]) * 16,
        content_digest=sample_content_digest(b"png %d" % number, "Napa"),
        salt=bytes([number + 50]) * 32,
        receipt_id=Digest(bytes([receipt]) * 32),
    )


def test_a_sample_can_be_shown_in_and_out_of_an_update():
    tree = dataset_tree([sample(1), sample(2, receipt=2)], AUDIT_KEY)
    assert verify_inclusion(tree.prove(sample(1).leaf(AUDIT_KEY).key), tree.root) == sample(1).leaf(AUDIT_KEY)
    verify_absence(tree.prove_absence(sample(3).leaf(AUDIT_KEY).key), tree.root)


def test_a_samples_leaf_names_its_receipt():
    assert sample(1, receipt=1).leaf(AUDIT_KEY).value != sample(1, receipt=2).leaf(AUDIT_KEY).value
    assert sample(1, receipt=1).leaf(AUDIT_KEY).key == sample(1, receipt=2).leaf(AUDIT_KEY).key


def test_samples_and_receipts_of_one_id_have_different_keys():
    assert leaf_key(AUDIT_KEY, "sample", b"1") != leaf_key(AUDIT_KEY, "consent-receipt", b"1")


def test_a_samples_content_frames_its_label():
    assert sample_content_digest(b"bpng", "a") != sample_content_digest(b"png", "ab")
