"""docs/spec/envelope.md."""

from __future__ import annotations

import base64
import dataclasses
import io
import struct
import tracemalloc

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from protocol import envelope as env
from protocol.canonical_json import encode, parse
from protocol.envelope import CHUNK_BYTES, TAG_BYTES, BoundContext, open_envelope, sealed_length
from protocol.errors import MalformedError, VerificationError
from protocol.identifiers import AccountAddress, Digest, LineageId, SiteId, digest_of
from protocol.plan import MAX_SITES, Recipient
from protocol.recipient_keys import RecipientPrivateKey, public_key_digest, wrap
from protocol.verdicts import VerdictCode
from tests.protocol.builders import seal_bytes

PREFIX_BYTES = 14
CONTEXT = BoundContext(
    chain_id=31337,
    contract_address=AccountAddress(b"\x01" * 20),
    lineage_id=LineageId(b"\x02" * 32),
    round=7,
    site_id=SiteId(b"\x03" * 32),
    parent_digest=Digest(b"\x04" * 32),
    plan_digest=Digest(b"\x05" * 32),
    recipients_digest=Digest(b"\x06" * 32),
    parameters_commitment=Digest(b"\x07" * 32),
)
AGGREGATOR, AUDITOR, STRANGER = (RecipientPrivateKey.generate() for _ in range(3))


def recipient(key: RecipientPrivateKey, role="aggregator") -> Recipient:
    return Recipient(role, digest_of("test-recipient", key.public_key()), key.public_key())


BOTH = (recipient(AGGREGATOR), recipient(AUDITOR, "auditor"))


def seal(content: bytes, recipients=BOTH, context=CONTEXT) -> bytes:
    return seal_bytes(content, recipients, context)


def open_all(sealed: bytes, key=AGGREGATOR, recipients=BOTH, context=CONTEXT) -> bytes:
    return b"".join(open_envelope(io.BytesIO(sealed), key, recipients, context).chunks())


def refused(sealed: bytes, **how) -> VerdictCode:
    with pytest.raises(VerificationError) as caught:
        open_all(sealed, **how)
    return caught.value.code


def header_length(sealed: bytes) -> int:
    return PREFIX_BYTES + struct.unpack_from("<I", sealed, 10)[0]


def with_header(sealed: bytes, change) -> bytes:
    """The envelope with its header's value changed and encoded again."""
    end = header_length(sealed)
    value = parse(sealed[PREFIX_BYTES:end])
    change(value)
    body = encode(value)
    return struct.pack("<8sBBI", b"FEDRXENV", 1, 1, len(body)) + body + sealed[end:]


def with_body(sealed: bytes, body: bytes) -> bytes:
    return struct.pack("<8sBBI", b"FEDRXENV", 1, 1, len(body)) + body + sealed[header_length(sealed) :]


@pytest.mark.parametrize(
    "length", [0, 1, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1, 2 * CHUNK_BYTES, 2 * CHUNK_BYTES + 5]
)
@pytest.mark.parametrize("key", [AGGREGATOR, AUDITOR], ids=["aggregator", "auditor"])
def test_every_recipient_opens_what_was_sealed(length, key):
    content = bytes(range(256)) * (length // 256 + 1)
    sealed = seal(content[:length])
    assert open_all(sealed, key) == content[:length]
    assert len(sealed) <= sealed_length(length, len(BOTH))


def test_chunks_open_in_any_order_and_again():
    content = b"a" * CHUNK_BYTES + b"b" * CHUNK_BYTES + b"c"
    opened = open_envelope(io.BytesIO(seal(content)), AGGREGATOR, BOTH, CONTEXT)
    assert [bytes(opened.chunk(i)[:1]) for i in (2, 0, 1, 0)] == [b"c", b"a", b"b", b"a"]


def test_the_same_content_is_never_sealed_to_the_same_bytes():
    assert seal(b"content") != seal(b"content")


def test_the_digest_is_that_of_the_bytes_on_disk():
    out = io.BytesIO()
    digest = env.seal_envelope(io.BytesIO(b"content"), 7, BOTH, CONTEXT, out)
    assert digest == digest_of("envelope", out.getvalue())


@pytest.mark.parametrize("claimed", [6, 8])
def test_content_of_another_length_is_not_sealed(claimed):
    with pytest.raises(MalformedError):
        env.seal_envelope(io.BytesIO(b"content"), claimed, BOTH, CONTEXT, io.BytesIO())


@pytest.mark.parametrize("field", [field.name for field in dataclasses.fields(BoundContext)])
def test_an_envelope_moved_elsewhere_does_not_open(field):
    value = getattr(CONTEXT, field)
    other = value + 1 if isinstance(value, int) else type(value)(bytes([value[0] ^ 1]) + value[1:])
    moved = dataclasses.replace(CONTEXT, **{field: other})
    assert refused(seal(b"content"), context=moved) == VerdictCode.CONTEXT_MISMATCH


@pytest.mark.parametrize("field", [field.name for field in dataclasses.fields(BoundContext)])
def test_an_envelope_whose_header_lies_of_its_context_does_not_unwrap(field):
    value = getattr(CONTEXT, field)
    other = value + 1 if isinstance(value, int) else type(value)(bytes([value[0] ^ 1]) + value[1:])
    moved = dataclasses.replace(CONTEXT, **{field: other})
    sealed = with_header(seal(b"content"), lambda h: h.update(context_digest=moved.digest().hex()))
    assert refused(sealed, context=moved) == VerdictCode.KEY_NOT_UNWRAPPED


def test_the_order_of_the_contexts_integers_matters():
    swapped = dataclasses.replace(CONTEXT, chain_id=CONTEXT.round, round=CONTEXT.chain_id)
    assert swapped.digest() != CONTEXT.digest()


def test_a_stranger_cannot_open():
    assert refused(seal(b"content"), key=STRANGER) == VerdictCode.KEY_NOT_UNWRAPPED


def test_a_site_cannot_leave_the_auditor_out():
    sealed = seal(b"content", recipients=BOTH[:1])
    assert refused(sealed, key=AGGREGATOR) == VerdictCode.CONTEXT_MISMATCH
    assert refused(sealed, key=AUDITOR) == VerdictCode.CONTEXT_MISMATCH


def test_a_site_cannot_add_or_swap_recipients():
    assert refused(seal(b"c", recipients=(*BOTH, recipient(STRANGER)))) == VerdictCode.CONTEXT_MISMATCH
    assert refused(seal(b"c", recipients=BOTH[::-1])) == VerdictCode.CONTEXT_MISMATCH
    assert refused(seal(b"c", recipients=(BOTH[0], BOTH[0]))) == VerdictCode.CONTEXT_MISMATCH


def test_a_key_wrapped_badly_for_one_recipient_is_seen_by_that_recipient_alone():
    """What only one recipient can see has codes of its own (verdicts.RECIPIENT_CODES)."""

    def spoil(header):
        junk = bytearray(base64.b64decode(header["recipients"][1]["wrapped"]))
        junk[-1] ^= 1
        header["recipients"][1]["wrapped"] = base64.b64encode(junk).decode()

    content_key = bytes(32)
    sealed = sealed_by_hand(b"content", content_key, content_key, spoil=spoil)
    assert open_all(sealed, AGGREGATOR) == b"content"
    assert refused(sealed, key=AUDITOR) == VerdictCode.KEY_NOT_UNWRAPPED


def sealed_by_hand(content: bytes, committed: bytes, key: bytes, *, spoil=lambda header: None, keys=None) -> bytes:
    """An envelope of a site that follows its own rules."""
    info = b"fedrx/envelope/v1\x00" + CONTEXT.digest()
    header = {
        "context_digest": CONTEXT.digest().hex(),
        "content_length": len(content),
        "key_commitment": digest_of("envelope-key-commitment", committed).hex(),
        "recipients": [
            {
                "key_digest": public_key_digest(r.public_key).hex(),
                "wrapped": base64.b64encode(wrap(k, r.public_key, info)).decode(),
            }
            for r, k in zip(BOTH, keys or (key, key), strict=True)
        ],
    }
    spoil(header)
    body = encode(header)
    raw = struct.pack("<8sBBI", b"FEDRXENV", 1, 1, len(body)) + body
    header_digest = digest_of("envelope-header", raw)
    cipher = AESGCM(env._chunk_key(key, header_digest))
    return raw + cipher.encrypt(struct.pack(">7xIB", 0, True), content, header_digest)


def test_two_recipients_cannot_be_made_to_open_two_contents():
    one, two = b"1" * 32, b"2" * 32
    sealed = sealed_by_hand(b"content", one, one, keys=(one, two))
    assert open_all(sealed, AGGREGATOR) == b"content"
    assert refused(sealed, key=AUDITOR) == VerdictCode.KEY_COMMITMENT_MISMATCH


def test_a_key_that_is_not_the_committed_one_is_refused():
    sealed = sealed_by_hand(b"content", b"1" * 32, b"2" * 32)
    assert refused(sealed) == VerdictCode.KEY_COMMITMENT_MISMATCH


def test_the_seal_made_by_hand_is_the_seal():
    assert open_all(sealed_by_hand(b"content", b"1" * 32, b"1" * 32)) == b"content"


def test_every_truncation_of_a_short_envelope_is_malformed():
    sealed = seal(b"content")
    for length in range(0, len(sealed), 7):
        assert refused(sealed[:length]) == VerdictCode.ENVELOPE_MALFORMED
    assert refused(sealed[:-1]) == VerdictCode.ENVELOPE_MALFORMED
    assert refused(sealed + b"\x00") == VerdictCode.ENVELOPE_MALFORMED


class TestChunks:
    content = b"a" * CHUNK_BYTES + b"b" * CHUNK_BYTES + b"c" * CHUNK_BYTES
    sealed = seal(content)
    start = header_length(sealed)
    size = CHUNK_BYTES + TAG_BYTES

    def pieces(self) -> list[bytes]:
        return [self.sealed[self.start + i * self.size : self.start + (i + 1) * self.size] for i in range(3)]

    def rebuilt(self, pieces) -> bytes:
        return self.sealed[: self.start] + b"".join(pieces)

    def test_swapped_chunks_do_not_open(self):
        a, b, c = self.pieces()
        for order in ((b, a, c), (a, c, b), (c, b, a)):
            assert refused(self.rebuilt(order)) == VerdictCode.NOT_OPENED

    def test_a_repeated_chunk_does_not_open(self):
        a, b, _ = self.pieces()
        assert refused(self.rebuilt((a, b, b))) == VerdictCode.NOT_OPENED

    def test_a_dropped_or_appended_chunk_is_malformed(self):
        a, b, c = self.pieces()
        for order in ((a, b), (b, c), (a,), (), (a, b, c, c)):
            assert refused(self.rebuilt(order)) == VerdictCode.ENVELOPE_MALFORMED

    def test_a_dropped_last_chunk_with_a_shortened_header_does_not_unwrap_to_its_chunks(self):
        shortened = with_header(self.rebuilt(self.pieces()[:2]), lambda h: h.update(content_length=2 * CHUNK_BYTES))
        assert refused(shortened) == VerdictCode.NOT_OPENED

    def test_chunks_of_another_envelope_do_not_open(self):
        other = seal(self.content)
        foreign = other[header_length(other) :][: self.size]
        assert refused(self.rebuilt((foreign, *self.pieces()[1:]))) == VerdictCode.NOT_OPENED

    @pytest.mark.parametrize(
        "position", [0, 1, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 15, 2 * (CHUNK_BYTES + 16), -1]
    )
    def test_a_flipped_bit_of_a_chunk_does_not_open(self, position):
        changed = bytearray(self.sealed)
        changed[position if position < 0 else self.start + position] ^= 1
        assert refused(bytes(changed)) == VerdictCode.NOT_OPENED


def test_a_flipped_bit_anywhere_in_the_header_is_refused():
    sealed = seal(b"content")
    for position in [*range(100), *range(100, header_length(sealed), 7)]:
        changed = bytearray(sealed)
        changed[position] ^= 1 << position % 8
        # The auditor's wrapped key is not this recipient's, but the header's digest keys the chunks.
        refused(bytes(changed))


def test_another_version_or_suite_is_unknown():
    sealed = seal(b"content")
    for position in (8, 9):
        changed = bytearray(sealed)
        changed[position] = 2
        assert refused(bytes(changed)) == VerdictCode.VERSION_UNKNOWN


HUGE = {
    "content length 2^53 - 1": lambda h: h.update(content_length=2**53 - 1),
    "content length 1 TiB": lambda h: h.update(content_length=1 << 40),
    "content length below zero": lambda h: h.update(content_length=-1),
    "content length as text": lambda h: h.update(content_length="7"),
    "no recipient": lambda h: h.update(recipients=[]),
    "too many recipients": lambda h: h.update(recipients=h["recipients"][:1] * (MAX_SITES + 1)),
    "a wrapped key too short": lambda h: h["recipients"][0].update(wrapped="AAAA"),
    "a wrapped key that is none": lambda h: h["recipients"][0].update(wrapped="!"),
    "another spelling of base64": lambda h: h["recipients"][0].update(wrapped=h["recipients"][0]["wrapped"] + "\n"),
    "hex in capitals": lambda h: h.update(key_commitment="AB" * 32),
    "hex with 0x": lambda h: h.update(key_commitment="0x" + "ab" * 32),
    "hex with white space": lambda h: h.update(key_commitment=" ".join(["ab"] * 32)),
    "an unknown key": lambda h: h.update(more=1),
    "a missing key": lambda h: h.pop("key_commitment"),
    "recipients as an object": lambda h: h.update(recipients={}),
}


@pytest.mark.parametrize("what", HUGE)
def test_a_crafted_header_is_malformed_and_allocates_nothing(what):
    sealed = with_header(seal(b"content"), HUGE[what])
    tracemalloc.start()
    try:
        assert refused(sealed) == VerdictCode.ENVELOPE_MALFORMED
        assert tracemalloc.get_traced_memory()[1] < 8 << 20
    finally:
        tracemalloc.stop()


BODIES = {
    "an integer that Python refuses to read": b'{"content_length":' + b"9" * 5000 + b"}",
    "nested deep": b"[" * 1_000_000,
    "not UTF-8": b'"\xff"',
    "a list": b"[]",
    "nothing": b"",
}


@pytest.mark.parametrize("what", BODIES)
def test_a_header_that_is_no_header_is_malformed(what):
    assert refused(with_body(seal(b"content"), BODIES[what])) == VerdictCode.ENVELOPE_MALFORMED


def test_a_header_length_beyond_the_limit_is_malformed_without_reading_it():
    sealed = b"FEDRXENV" + struct.pack("<BBI", 1, 1, 2**32 - 1)
    assert refused(sealed + bytes(100)) == VerdictCode.ENVELOPE_MALFORMED


def test_nonces_never_repeat_within_an_envelope():
    nonces = {env._nonce(index, last=last) for index in range(1000) for last in (False, True)}
    assert len(nonces) == 2000
    assert {len(nonce) for nonce in nonces} == {12}
