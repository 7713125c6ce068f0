"""The sealed envelope (docs/spec/envelope.md): header, then AES-256-GCM chunks that open one by one.

``seal_envelope`` draws its own content key from the operating system. The construction is STREAM-like (Hoang,
Reyhanitabar, Rogaway, Vizár, 2015): a counter and a last-chunk flag in the nonce, the header's digest as associated
data. AES-GCM does not commit to its key, so the header carries a key commitment and every recipient opens the same
bytes or none.
"""

from __future__ import annotations

import base64
import os
import struct
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, fields
from typing import BinaryIO

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from protocol.canonical_json import encode, expect_int, expect_list, expect_object, expect_str, parse
from protocol.errors import MalformedError, VerificationError
from protocol.identifiers import AccountAddress, Digest, LineageId, SiteId, digest_of, digest_state
from protocol.plan import MAX_SITES, Recipient
from protocol.recipient_keys import WRAPPED_KEY_BYTES, RecipientPrivateKey, public_key_digest, wrap
from protocol.verdicts import VerdictCode

MAGIC = b"FEDRXENV"
FORMAT_VERSION = 1
SUITE_ID = 1
"""1 = HPKE(ML-KEM-768 + X25519, HKDF-SHA-256, AES-256-GCM) wrapping, AES-256-GCM chunks."""
CHUNK_BYTES = 1 << 20
TAG_BYTES = 16
MAX_HEADER_BYTES = 1 << 20
_CONTENT_KEY_BYTES = 32
_PREFIX = struct.Struct("<8sBBI")


@dataclass(frozen=True, slots=True)
class BoundContext:
    """Where an envelope belongs; copied or replayed anywhere else it does not open."""

    chain_id: int
    contract_address: AccountAddress
    lineage_id: LineageId
    round: int
    site_id: SiteId
    parent_digest: Digest
    plan_digest: Digest
    recipients_digest: Digest
    parameters_commitment: Digest

    def digest(self) -> Digest:
        """Digest over all fields in their order; integers as 8 bytes, big-endian."""
        parts = (getattr(self, field.name) for field in fields(self))
        return digest_of("envelope-context", *(p.to_bytes(8, "big") if isinstance(p, int) else p for p in parts))


@dataclass(frozen=True, slots=True)
class EnvelopeHeader:
    """What stands before the chunks, readable by everyone."""

    context_digest: Digest
    content_length: int
    """Plaintext bytes in all chunks."""
    key_commitment: Digest
    wrapped_keys: tuple[tuple[Digest, bytes], ...]
    """Recipient key digest and its HPKE ciphertext."""


def sealed_length(content_length: int, recipients: int) -> int:
    """An upper bound of an envelope's bytes, for plans."""
    chunks = max(1, -(-content_length // CHUNK_BYTES))
    return _PREFIX.size + 1024 + recipients * (WRAPPED_KEY_BYTES * 4 // 3 + 160) + content_length + chunks * TAG_BYTES


def seal_envelope(
    content: BinaryIO, content_length: int, recipients: Iterable[Recipient], context: BoundContext, out: BinaryIO
) -> Digest:
    """Seals content for every recipient and returns the envelope digest.

    Args:
        content: Yields just ``content_length`` bytes.
        content_length: Plaintext bytes.
        recipients: Whose keys open the envelope, in the plan's order.
        context: Where the envelope belongs.
        out: Takes the envelope; the caller makes it durable.

    Raises:
        MalformedError: The content has another length, or a recipient's key is none.
    """
    return _seal_with_key(os.urandom(_CONTENT_KEY_BYTES), content, content_length, recipients, context, out)


def _seal_with_key(
    content_key: bytes,
    content: BinaryIO,
    content_length: int,
    recipients: Iterable[Recipient],
    context: BoundContext,
    out: BinaryIO,
) -> Digest:
    info = _wrap_info(context.digest())
    keys = [(public_key_digest(r.public_key), wrap(content_key, r.public_key, info)) for r in recipients]
    header = _encode_header(EnvelopeHeader(context.digest(), content_length, _key_commitment(content_key), tuple(keys)))
    state = digest_state("envelope")
    state.update(header)
    out.write(header)
    header_digest = digest_of("envelope-header", header)
    cipher = AESGCM(_chunk_key(content_key, header_digest))
    for index, length, last in _chunk_lengths(content_length):
        plain = content.read(length)
        if len(plain) != length:
            raise MalformedError("the content is shorter than its length")
        sealed = cipher.encrypt(_nonce(index, last=last), plain, header_digest)
        state.update(sealed)
        out.write(sealed)
    if content.read(1):
        raise MalformedError("the content is longer than its length")
    return Digest(state.digest())


class OpenedEnvelope:
    """An envelope whose key and context were checked; its chunks open one by one, in any order, again and again.

    Memory: one chunk. The plaintext lives only in what ``chunk`` returns.
    """

    def __init__(self, stream: BinaryIO, header: EnvelopeHeader, start: int, cipher: AESGCM, aad: Digest) -> None:
        self._stream = stream
        self._start = start
        self._cipher = cipher
        self._aad = aad
        self.header = header
        self.chunk_count = max(1, -(-header.content_length // CHUNK_BYTES))

    def chunk(self, index: int) -> bytearray:
        """The plaintext of one chunk, at most 1 MiB; the caller overwrites it after use.

        Raises:
            VerificationError: ``NOT_OPENED``: the chunk is not the one that was sealed.
        """
        last = index == self.chunk_count - 1
        length = self.header.content_length - index * CHUNK_BYTES if last else CHUNK_BYTES
        self._stream.seek(self._start + index * (CHUNK_BYTES + TAG_BYTES))
        sealed = self._stream.read(length + TAG_BYTES)
        plain = bytearray(length)
        try:
            self._cipher.decrypt_into(_nonce(index, last=last), sealed, self._aad, plain)
        except (InvalidTag, ValueError) as error:
            raise VerificationError(VerdictCode.NOT_OPENED, f"chunk {index} does not open") from error
        return plain

    def chunks(self) -> Iterator[bytearray]:
        """All chunks in order."""
        return (self.chunk(index) for index in range(self.chunk_count))


def open_envelope(
    stream: BinaryIO, key: RecipientPrivateKey, recipients: Sequence[Recipient], context: BoundContext
) -> OpenedEnvelope:
    """Opens an envelope for one recipient in the context where it must belong.

    Args:
        stream: Seekable; stays open as long as the result is used.
        key: A recipient's private key.
        recipients: For whom the envelope must be sealed, in the plan's order: a site cannot leave the auditor out.
        context: Where the envelope must belong.

    Raises:
        VerificationError: ``ENVELOPE_MALFORMED``, ``VERSION_UNKNOWN``, ``CONTEXT_MISMATCH``, ``KEY_NOT_UNWRAPPED`` or
            ``KEY_COMMITMENT_MISMATCH``.
    """
    raw = read_header_bytes(stream)
    header = _parse_header(raw[_PREFIX.size :])
    chunks = max(1, -(-header.content_length // CHUNK_BYTES))
    if stream.seek(0, os.SEEK_END) != len(raw) + header.content_length + chunks * TAG_BYTES:
        raise VerificationError(VerdictCode.ENVELOPE_MALFORMED, "the envelope has another length than its header says")
    if header.context_digest != context.digest():
        raise VerificationError(VerdictCode.CONTEXT_MISMATCH, "the envelope was sealed for another context")
    if [digest for digest, _ in header.wrapped_keys] != [public_key_digest(r.public_key) for r in recipients]:
        raise VerificationError(VerdictCode.CONTEXT_MISMATCH, "the envelope was sealed for other recipients")
    wrapped = dict(header.wrapped_keys).get(public_key_digest(key.public_key()), b"")
    try:
        content_key = key.unwrap(wrapped, _wrap_info(header.context_digest))
    except MalformedError as error:
        raise VerificationError(VerdictCode.KEY_NOT_UNWRAPPED, str(error)) from error
    if len(content_key) != _CONTENT_KEY_BYTES or _key_commitment(content_key) != header.key_commitment:
        raise VerificationError(VerdictCode.KEY_COMMITMENT_MISMATCH, "the content key is not the committed one")
    header_digest = digest_of("envelope-header", raw)
    return OpenedEnvelope(stream, header, len(raw), AESGCM(_chunk_key(content_key, header_digest)), header_digest)


def read_header_bytes(stream: BinaryIO) -> bytes:
    """Magic, version, suite, length and header of an envelope.

    Raises:
        VerificationError: ``ENVELOPE_MALFORMED`` or ``VERSION_UNKNOWN``.
    """
    stream.seek(0)
    prefix = stream.read(_PREFIX.size)
    if len(prefix) != _PREFIX.size:
        raise VerificationError(VerdictCode.ENVELOPE_MALFORMED, "the envelope is truncated before its header")
    magic, version, suite, length = _PREFIX.unpack(prefix)
    if magic != MAGIC:
        raise VerificationError(VerdictCode.ENVELOPE_MALFORMED, "the bytes are no envelope")
    if version != FORMAT_VERSION or suite != SUITE_ID:
        raise VerificationError(VerdictCode.VERSION_UNKNOWN, f"envelope version {version}, suite {suite} is not known")
    if length > MAX_HEADER_BYTES:
        raise VerificationError(VerdictCode.ENVELOPE_MALFORMED, "the envelope's header is too long")
    header: bytes = stream.read(length)
    if len(header) != length:
        raise VerificationError(VerdictCode.ENVELOPE_MALFORMED, "the envelope is truncated within its header")
    return prefix + header


def _encode_header(header: EnvelopeHeader) -> bytes:
    body = encode(
        {
            "context_digest": header.context_digest.hex(),
            "content_length": header.content_length,
            "key_commitment": header.key_commitment.hex(),
            "recipients": [
                {"key_digest": digest.hex(), "wrapped": base64.b64encode(wrapped).decode("ascii")}
                for digest, wrapped in header.wrapped_keys
            ],
        }
    )
    return _PREFIX.pack(MAGIC, FORMAT_VERSION, SUITE_ID, len(body)) + body


def _parse_header(body: bytes) -> EnvelopeHeader:
    try:
        keys = frozenset({"context_digest", "content_length", "key_commitment", "recipients"})
        found = expect_object(parse(body), keys)
        recipients = expect_list(found["recipients"])
        if not 1 <= len(recipients) <= MAX_SITES:
            raise MalformedError("an envelope has 1 to 256 recipients")
        wrapped_keys = []
        for item in recipients:
            entry = expect_object(item, frozenset({"key_digest", "wrapped"}))
            wrapped = base64.b64decode(expect_str(entry["wrapped"]), validate=True)
            if len(wrapped) != WRAPPED_KEY_BYTES:
                raise MalformedError("a wrapped key has a wrong length")
            wrapped_keys.append((Digest.from_hex(expect_str(entry["key_digest"])), wrapped))
        header = EnvelopeHeader(
            context_digest=Digest.from_hex(expect_str(found["context_digest"])),
            content_length=expect_int(found["content_length"]),
            key_commitment=Digest.from_hex(expect_str(found["key_commitment"])),
            wrapped_keys=tuple(wrapped_keys),
        )
        if _encode_header(header)[_PREFIX.size :] != body:
            raise MalformedError("it is not in its canonical form")
    except (MalformedError, ValueError) as error:
        raise VerificationError(VerdictCode.ENVELOPE_MALFORMED, f"the envelope's header: {error}") from error
    return header


def _wrap_info(context_digest: Digest) -> bytes:
    return b"fedrx/envelope/v1\x00" + context_digest


def _key_commitment(content_key: bytes) -> Digest:
    return digest_of("envelope-key-commitment", content_key)


def _chunk_key(content_key: bytes, header_digest: Digest) -> bytes:
    """A key of its own for the chunks, so that the commitment and the chunks never use one key twice (RFC 5869)."""
    return HKDF(hashes.SHA256(), 32, salt=header_digest, info=b"fedrx/envelope-chunks/v1").derive(content_key)


def _nonce(index: int, *, last: bool) -> bytes:
    """Seven zero bytes, 32-bit counter, last flag: unique because the key serves one envelope only."""
    return struct.pack(">7xIB", index, last)


def _chunk_lengths(content_length: int) -> Iterator[tuple[int, int, bool]]:
    count = max(1, -(-content_length // CHUNK_BYTES))
    for index in range(count):
        last = index == count - 1
        yield index, (content_length - index * CHUNK_BYTES if last else CHUNK_BYTES), last
