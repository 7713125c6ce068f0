"""The nouns: fixed-width byte strings that cannot be mixed up.

Each is a ``bytes`` subclass of a fixed length, so it hashes, sorts and packs as bytes do, and hex or base58 appear
only where a person or another program reads it.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import ClassVar, Self

import base58

from protocol.errors import MalformedError

_MULTIHASH_SHA2_256 = b"\x12\x20"
_HEX_DIGITS = frozenset("0123456789abcdefABCDEF")


class _FixedBytes(bytes):
    """Bytes of one fixed length; ``str`` gives 0x-prefixed hex."""

    length: ClassVar[int] = 32

    def __new__(cls, value: bytes) -> Self:
        if len(value) != cls.length:
            raise MalformedError(f"{cls.__name__} takes {cls.length} bytes, not {len(value)}")
        return super().__new__(cls, value)

    @classmethod
    def from_hex(cls, text: str) -> Self:
        """Parses hex with or without 0x.

        Raises:
            MalformedError: Not hex, or of another length.
        """
        digits = text.removeprefix("0x")
        # ``fromhex`` skips white space: one value would have many spellings.
        if len(digits) != 2 * cls.length or not _HEX_DIGITS.issuperset(digits):
            raise MalformedError(
                f"{text!r:.100} is not the hex of a {cls.__name__}",
                hint=f"it has {2 * cls.length} digits, with or without 0x",
            )
        return cls(bytes.fromhex(digits))

    @classmethod
    def zero(cls) -> Self:
        """The all-zero value, which on chain means "none"."""
        return cls(bytes(cls.length))

    def __str__(self) -> str:
        return "0x" + self.hex()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self})"


class Digest(_FixedBytes):
    """A SHA-256 digest, 32 bytes, made by ``digest_of`` unless a specification says otherwise."""

    __slots__ = ()


class SiteId(_FixedBytes):
    """A site for good; accounts and keys rotate below it."""

    __slots__ = ()


class AggregatorId(_FixedBytes):
    """An aggregator for good; accounts and keys rotate below it."""

    __slots__ = ()


class LineageId(_FixedBytes):
    """One line of models: one backbone, one scope family."""

    __slots__ = ()


class TxHash(_FixedBytes):
    """A transaction hash (keccak-256, Ethereum)."""

    __slots__ = ()


class BlockHash(_FixedBytes):
    """A block hash (keccak-256, Ethereum)."""

    __slots__ = ()


class AccountAddress(_FixedBytes):
    """An Ethereum account or contract, 20 bytes. The checksum casing of EIP-55 is added at the edges."""

    __slots__ = ()
    length = 20


class CID(_FixedBytes):
    """A CIDv0 as its sha2-256 multihash digest, 32 bytes, which is what the chain stores (docs/spec/cid.md)."""

    __slots__ = ()

    @classmethod
    def from_text(cls, text: str) -> CID:
        """Parses the base58btc text form ("Qm…").

        Raises:
            MalformedError: Not a CIDv0 with a sha2-256 multihash.
        """
        # A CIDv0 has 46 characters; decoding takes quadratic time, so the length is checked first. The comparison
        # refuses what the decoder forgives, such as white space at the end.
        try:
            raw = base58.b58decode(text) if len(text) == 46 else b""
        except ValueError as error:
            raise MalformedError(f"{text!r:.100} is not a CIDv0") from error
        if len(raw) != 34 or raw[:2] != _MULTIHASH_SHA2_256 or base58.b58encode(raw).decode("ascii") != text:
            raise MalformedError(f"{text!r:.100} is not a CIDv0")
        return cls(raw[2:])

    def __str__(self) -> str:
        return base58.b58encode(_MULTIHASH_SHA2_256 + bytes(self)).decode("ascii")


@dataclass(frozen=True, slots=True, order=True)
class RoundId:
    """A round of a lineage."""

    lineage_id: LineageId
    number: int
    """1-based; 0 is genesis. uint64 on chain."""

    def __str__(self) -> str:
        return f"{str(self.lineage_id)[:10]}…/{self.number}"


def digest_of(domain: str, *parts: bytes) -> Digest:
    """SHA-256 with a versioned domain prefix (docs/spec/digests.md).

    ``SHA-256("fedrx/" + domain + "/v1" + 0x00 + parts…)``. The parts are concatenated as they are: a caller with
    more than one variable-length part must frame them.

    Args:
        domain: Lower-case words with hyphens, such as ``"parameters"``.
        parts: The content.
    """
    state = digest_state(domain)
    for part in parts:
        state.update(part)
    return Digest(state.digest())


def digest_state(domain: str) -> hashlib._Hash:
    """An open SHA-256 state that has taken the domain prefix, for content that streams."""
    return hashlib.sha256(b"fedrx/" + domain.encode("ascii") + b"/v1\x00")


def site_id_of(slug: str) -> SiteId:
    """The id of a site from its public slug, such as ``"dhaka-general"``."""
    return SiteId(digest_of("site-id", slug.encode("utf-8")))


def aggregator_id_of(slug: str) -> AggregatorId:
    """The id of an aggregator from its public slug."""
    return AggregatorId(digest_of("aggregator-id", slug.encode("utf-8")))


def lineage_id_of(slug: str) -> LineageId:
    """The id of a lineage from its public slug, such as ``"easyocr-last-conv"``."""
    return LineageId(digest_of("lineage-id", slug.encode("utf-8")))
