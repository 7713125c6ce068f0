"""docs/spec/update.md."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocol.errors import MalformedError
from protocol.identifiers import Digest
from protocol.update import (
    MANIFEST_AREA_BYTES,
    UpdateManifest,
    data_offset,
    delta_digest,
    encode_delta,
    encode_update,
    fresh_salt,
    parse_manifest_area,
    update_length,
)
from tests.protocol.builders import Network, random_delta


@pytest.fixture(scope="module")
def network() -> Network:
    network = Network()
    network.open_round()
    return network


@pytest.fixture(scope="module")
def manifest(network) -> UpdateManifest:
    return network.manifest(network.sites[0], b"delta")


def area_of(manifest: UpdateManifest) -> bytes:
    return encode_update(manifest, b"").getvalue()


def framed(body: bytes) -> bytes:
    return (len(body).to_bytes(4, "little") + body).ljust(MANIFEST_AREA_BYTES, b"\x00")


def body_of(manifest: UpdateManifest) -> bytes:
    area = area_of(manifest)
    return area[4 : 4 + int.from_bytes(area[:4], "little")]


def test_a_manifest_comes_back_from_its_area(manifest):
    assert parse_manifest_area(area_of(manifest)) == manifest


def test_the_area_has_one_length(manifest):
    assert len(area_of(manifest)) == MANIFEST_AREA_BYTES
    longer = dataclasses.replace(manifest, scope="s" * 64)
    assert len(area_of(longer)) == MANIFEST_AREA_BYTES


def test_a_manifest_that_does_not_fit_is_malformed(manifest):
    with pytest.raises(MalformedError):
        encode_update(dataclasses.replace(manifest, scope="s" * 9000), b"")


def test_the_values_of_every_update_stand_at_the_same_offset(network):
    plan = network.plan
    offsets = set()
    for site in network.sites:
        body = encode_delta(network.delta(site), plan)
        plain = encode_update(network.manifest(site, body, num_examples=10**9), body).getvalue()
        assert len(plain) == update_length(plan)
        first = int.from_bytes(plain[data_offset(plan) :][:4], "little", signed=True)
        assert first == round(network.delta(site)["conv.bias"][0] * 2**24)
        offsets.add(data_offset(plan) % 4)
    assert offsets == {0}


def test_the_salt_hides_the_delta_and_the_commitment_binds_it(manifest):
    other_salt = dataclasses.replace(manifest, commitment_salt=fresh_salt())
    other_delta = dataclasses.replace(manifest, delta_digest=delta_digest(b"other"))
    commitments = {m.parameters_commitment() for m in (manifest, other_salt, other_delta)}
    assert len(commitments) == 3
    assert fresh_salt() != fresh_salt()


@pytest.mark.parametrize("change", ["missing", "additional", "shape", "nan", "range"])
def test_a_delta_that_is_not_the_plans_is_malformed(network, change):
    delta = random_delta(network.tensors, seed=1)
    match change:
        case "missing":
            del delta["conv.bias"]
        case "additional":
            delta["more"] = np.zeros(1)
        case "shape":
            delta["conv.bias"] = delta["conv.bias"][:2]
        case "nan":
            delta["conv.bias"][0] = np.nan
        case "range":
            delta["conv.bias"][0] = 200.0
    with pytest.raises(MalformedError):
        encode_delta(delta, network.plan)


@pytest.mark.parametrize("length", [0, 3, 100, MANIFEST_AREA_BYTES - 1, MANIFEST_AREA_BYTES + 1])
def test_an_area_of_another_length_is_malformed(manifest, length):
    with pytest.raises(MalformedError):
        parse_manifest_area(area_of(manifest).ljust(length, b"\x00")[:length])


def test_anything_after_the_manifest_is_malformed(manifest):
    area = bytearray(area_of(manifest))
    area[-1] = 1
    with pytest.raises(MalformedError):
        parse_manifest_area(bytes(area))


@pytest.mark.parametrize("length", [0, 1, 8189, 2**31, 2**32 - 1])
def test_a_wrong_length_field_is_malformed(manifest, length):
    area = length.to_bytes(4, "little") + area_of(manifest)[4:]
    with pytest.raises(MalformedError):
        parse_manifest_area(area)


REPLACED = {
    "another version": (b'"version":1', b'"version":2'),
    "a version that only equals one": (b'"version":1', b'"version":true'),
    "round zero": (b'"round":1', b'"round":0'),
    "an integer that Python refuses to read": (b'"round":1', b'"round":' + b"1" * 5000),
    "no examples": (b'"num_examples":100', b'"num_examples":0'),
    "examples as text": (b'"num_examples":100', b'"num_examples":"100"'),
    "examples as a float": (b'"num_examples":100', b'"num_examples":100.0'),
    "an unknown key": (b'"version":1', b'"version":1,"zzz":1'),
    "a key in place of another": (b'"scope"', b'"scopf"'),
    "a space": (b'"version":1', b'"version": 1'),
    "a letter outside ASCII": (b"2.500000", "2.5\u00e9".encode()),
    "a code point without a Unicode version in common": (b"2.500000", "2.5\U0001e6e3".encode()),
    "no object": (b'{"commitment_salt"', b'["commitment_salt"'),
}


@pytest.mark.parametrize("what", REPLACED)
def test_other_manifests_are_malformed(manifest, what):
    old, new = REPLACED[what]
    body = body_of(manifest)
    assert body.count(old) == 1
    with pytest.raises(MalformedError):
        parse_manifest_area(framed(body.replace(old, new)))


def test_digests_have_one_spelling(manifest):
    body, digest = body_of(manifest), manifest.delta_digest.hex().encode()
    spaced = b" ".join(digest[i : i + 2] for i in range(0, 64, 2))
    for spelling in (digest.upper(), b"0x" + digest, spaced, digest[:-2], digest + b"00"):
        with pytest.raises(MalformedError):
            parse_manifest_area(framed(body.replace(digest, spelling)))


@given(position=st.integers(0, 1100), value=st.integers(0, 255))
@settings(max_examples=300)
def test_a_changed_byte_is_malformed_or_another_manifest(manifest, position, value):
    area = bytearray(area_of(manifest))
    area[position] = value
    try:
        parsed = parse_manifest_area(bytes(area))
    except MalformedError:
        return
    assert area_of(parsed) == bytes(area)


def test_nothing_of_a_digest_is_lost_in_the_manifest(manifest):
    changed = dataclasses.replace(manifest, dataset_root=Digest(b"\x00" * 31 + b"\x01"))
    assert parse_manifest_area(area_of(changed)).dataset_root == changed.dataset_root
