"""docs/spec/digests.md."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.errors import MalformedError
from protocol.identifiers import (
    CID,
    AccountAddress,
    AggregatorId,
    BlockHash,
    Digest,
    LineageId,
    RoundId,
    SiteId,
    TxHash,
    aggregator_id_of,
    digest_of,
    digest_state,
    lineage_id_of,
    site_id_of,
)

KINDS = [Digest, SiteId, AggregatorId, LineageId, TxHash, BlockHash, AccountAddress]


@pytest.mark.parametrize("kind", [*KINDS, CID])
def test_another_length_is_malformed(kind):
    for length in (0, kind.length - 1, kind.length + 1, 2 * kind.length):
        with pytest.raises(MalformedError):
            kind(bytes(length))
    assert kind.zero() == bytes(kind.length)


@pytest.mark.parametrize("kind", KINDS)
def test_hex_is_read_with_and_without_0x_and_in_any_case(kind):
    value = kind(bytes(range(kind.length)))
    for text in (str(value), value.hex(), value.hex().upper(), "0x" + value.hex().upper()):
        assert kind.from_hex(text) == value
        assert isinstance(kind.from_hex(text), kind)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "0x",
        "00" * 31,
        "00" * 33,
        "0x0x" + "00" * 31,
        "0X" + "00" * 32,
        " " + "00" * 32,
        "00" * 32 + "\n",
        " ".join(["00"] * 32),
        "0 " * 32,
        "gg" * 32,
        "\u0660" * 64,
        "00" * 1_000_000,
    ],
    ids=range(13),
)
def test_other_text_is_no_digest(text):
    with pytest.raises(MalformedError) as caught:
        Digest.from_hex(text)
    assert len(str(caught.value)) < 200
    assert "64 digits" in caught.value.hint


def test_repr_names_the_kind_and_str_does_not():
    assert repr(SiteId.zero()) == "SiteId(0x" + "00" * 32 + ")"
    assert str(SiteId.zero()) == "0x" + "00" * 32


@given(st.binary(min_size=32, max_size=32))
def test_a_cid_comes_back_from_its_text(raw):
    cid = CID(raw)
    assert CID.from_text(str(cid)) == cid
    assert str(cid).startswith("Qm")
    assert len(str(cid)) == 46


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Qm",
        "Q" * 46,
        "0" * 46,
        str(CID.zero()) + " ",
        " " + str(CID.zero()),
        str(CID.zero()) + "\n",
        "1" + str(CID.zero()),
        str(CID.zero())[:-1],
        "bafybeigdyrzt5sfp7udm7hu76uh7y26nf3efuylqabf3oclgtqy55fbzdi",
        "é" * 46,
        "Q" * 1_000_000,
    ],
    ids=range(12),
)
def test_other_text_is_no_cid(text):
    with pytest.raises(MalformedError) as caught:
        CID.from_text(text)
    assert len(str(caught.value)) < 200


def test_a_digest_is_sha256_with_a_versioned_domain():
    assert digest_of("plan", b"a", b"b") == hashlib.sha256(b"fedrx/plan/v1\x00ab").digest()
    state = digest_state("plan")
    state.update(b"ab")
    assert state.digest() == digest_of("plan", b"ab")


def test_domains_are_apart():
    assert digest_of("plan", b"a") != digest_of("parameters", b"a")
    assert digest_of("a", b"b") != digest_of("ab")
    assert site_id_of("x") != aggregator_id_of("x") != lineage_id_of("x")


def test_a_round_sorts_by_lineage_then_number():
    first, second = LineageId(b"\x01" * 32), LineageId(b"\x02" * 32)
    assert sorted([RoundId(second, 1), RoundId(first, 10), RoundId(first, 2)]) == [
        RoundId(first, 2),
        RoundId(first, 10),
        RoundId(second, 1),
    ]
    assert str(RoundId(first, 2)) == "0x01010101…/2"
