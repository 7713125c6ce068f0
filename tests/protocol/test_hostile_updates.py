"""A hostile site writes whatever it likes; nothing but a VerificationError may come of it."""

from __future__ import annotations

import dataclasses
import io
import random
import struct

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from protocol.canonical_json import encode, parse
from protocol.cid import cid_of_bytes
from protocol.errors import VerificationError
from protocol.history import Registration
from protocol.identifiers import digest_of
from protocol.update import MANIFEST_AREA_BYTES, encode_delta, encode_update, parse_manifest_area
from protocol.verdicts import VerdictCode
from protocol.verification import verify_update
from tests.protocol.builders import Network, seal_bytes

MUTATIONS = 2000
JUNK = [
    b"",
    b"\x00",
    b"\xff" * 8,
    b"[" * 4000,
    b"9" * 5000,
    b'"',
    b"{}",
    b"null",
    b"1e999",
    b"\xed\xa0\x80",
    b"-0",
    b"NaN",
]


class Target:
    """One open round and a site that may register any bytes."""

    def __init__(self) -> None:
        self.network = Network()
        self.network.open_round()
        self.site = self.network.sites[0]
        self.honest = self.network.register(self.site)
        self.context = self.network.context
        self.sealed = self.network.envelopes[1, 0]
        self.end = 14 + struct.unpack_from("<I", self.sealed, 10)[0]
        body = encode_delta(self.network.delta(self.site), self.network.plan)
        manifest = self.network.manifest(self.site, body)
        self.plain = encode_update(manifest, body).getvalue()
        self.said = manifest

    def verdict(self, sealed: bytes, event=None) -> VerdictCode:
        """Registers the bytes as they are, so that step 2 lets them through."""
        event = dataclasses.replace(
            self.honest.event if event is None else event,
            envelope_cid=cid_of_bytes(sealed),
            envelope_digest=digest_of("envelope", sealed),
        )
        registration = Registration(event, self.honest.position)
        try:
            verify_update(io.BytesIO(sealed), registration, self.context, self.network.aggregators[0].key)
        except VerificationError as error:
            return error.code
        return VerdictCode.ACCEPTED

    def sealed_plain(self, plain: bytes) -> VerdictCode:
        """The verdict on a plaintext that was sealed by the rules and committed to truly."""
        event = dataclasses.replace(self.honest.event, parameters_commitment=self.said.parameters_commitment())
        return self.verdict(seal_bytes(plain, self.network.plan.recipients, self.context.bound_context(event)), event)


@pytest.fixture(scope="module")
def target() -> Target:
    return Target()


def mutated(data: bytes, rng: random.Random) -> bytes:
    """One to three random edits."""
    changed = bytearray(data)
    for _ in range(rng.randint(1, 3)):
        at = rng.randrange(len(changed) + 1) if changed else 0
        match rng.randrange(6):
            case 0 if at < len(changed):
                changed[at] ^= 1 << rng.randrange(8)
            case 1 if at < len(changed):
                changed[at] = rng.randrange(256)
            case 2:
                del changed[at : at + rng.choice([1, 4, 16, 1000])]
            case 3:
                changed[at:at] = rng.choice(JUNK)
            case 4:
                changed[at : at + 8] = rng.choice(JUNK)
            case _:
                other = rng.randrange(len(changed) + 1)
                piece = changed[other : other + rng.choice([1, 16, 200])]
                changed[at : at + len(piece)] = piece
    return bytes(changed)


def test_the_target_is_honest_before_it_is_mutated(target):
    assert target.verdict(target.sealed) is VerdictCode.ACCEPTED
    assert target.sealed_plain(target.plain) is VerdictCode.ACCEPTED


def test_mutated_envelopes_are_refused_and_crash_nothing(target):
    rng = random.Random(1)
    seen = set()
    for _ in range(MUTATIONS):
        changed = mutated(target.sealed, rng)
        code = target.verdict(changed)
        assert (code is VerdictCode.ACCEPTED) == (changed == target.sealed)
        seen.add(code)
    assert {VerdictCode.ENVELOPE_MALFORMED, VerdictCode.KEY_NOT_UNWRAPPED, VerdictCode.NOT_OPENED} <= seen


def test_mutated_headers_of_the_right_length_field_crash_nothing(target):
    rng = random.Random(2)
    seen = set()
    for _ in range(MUTATIONS):
        body = mutated(target.sealed[14 : target.end], rng)
        changed = target.sealed[:10] + struct.pack("<I", len(body)) + body + target.sealed[target.end :]
        code = target.verdict(changed)
        assert (code is VerdictCode.ACCEPTED) == (changed == target.sealed)
        seen.add(code)
    assert len(seen) >= 4


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53) + 1, 2**53 - 1)
    | st.sampled_from(["", "00" * 32, "0x", "A" * 1560, "é", "ab" * 32]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["key_digest", "wrapped"]), inner),
    max_leaves=6,
)


@given(field=st.sampled_from(["context_digest", "content_length", "key_commitment", "recipients"]), value=VALUES)
@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_headers_of_any_shape_crash_nothing(target, field, value):
    header = parse(target.sealed[14 : target.end])
    if header[field] == value:
        return
    header[field] = value
    body = encode(header)
    changed = target.sealed[:10] + struct.pack("<I", len(body)) + body + target.sealed[target.end :]
    assert target.verdict(changed) is not VerdictCode.ACCEPTED


def test_mutated_plaintexts_sealed_by_the_rules_crash_nothing(target):
    rng = random.Random(3)
    seen = set()
    for _ in range(MUTATIONS // 2):
        changed = mutated(target.plain, rng)
        code = target.sealed_plain(changed)
        assert (code is VerdictCode.ACCEPTED) == (changed == target.plain)
        seen.add(code)
    assert {VerdictCode.TENSORS_MISMATCH, VerdictCode.COMMITMENT_MISMATCH} <= seen


def test_mutated_manifests_in_an_area_of_the_right_length_crash_nothing(target):
    rng = random.Random(4)
    length = int.from_bytes(target.plain[:4], "little")
    seen = set()
    for _ in range(MUTATIONS // 2):
        body = mutated(target.plain[4 : 4 + length], rng)[: MANIFEST_AREA_BYTES - 4]
        area = (struct.pack("<I", len(body)) + body).ljust(MANIFEST_AREA_BYTES, b"\x00")
        changed = area + target.plain[MANIFEST_AREA_BYTES:]
        code = target.sealed_plain(changed)
        assert code is not VerdictCode.ACCEPTED or changed == target.plain or code_of_training(changed, target)
        seen.add(code)
    assert {VerdictCode.MANIFEST_MALFORMED, VerdictCode.COMMITMENT_MISMATCH} <= seen


def code_of_training(changed: bytes, target: Target) -> bool:
    """Whether only the training report differs, which nobody can check (docs/threat-model.md)."""
    found = parse_manifest_area(changed[:MANIFEST_AREA_BYTES])
    same_weight = target.network.plan.weight_of(found.num_examples) == target.said.weight
    return same_weight and target.said == dataclasses.replace(
        found, training=target.said.training, num_examples=target.said.num_examples
    )
