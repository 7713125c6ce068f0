"""Headers of QBFT and IBFT 2.0 (docs/spec/event-proof.md, section 4): what their hash leaves out, and who sealed them.

Both keep an RLP list in ``extraData``: vanity, validators, vote, round, committed seals. Validators sign a header that
has no seals yet, so that neither its hash nor what they sign can be that of the header as it is served.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import rlp
from eth_utils.crypto import keccak

from gateways.ledger.rlp_lists import strict_list
from protocol.errors import MalformedError
from protocol.identifiers import AccountAddress

BFT_MIX_HASH = bytes.fromhex("63746963616c2062797a616e74696e65206661756c7420746f6c6572616e6365")
"""In place of a mix hash in every such header: ASCII, "ctical byzantine fault tolerance"."""
SEAL_BYTES = 65
_NUMBER, _EXTRA_DATA, _MIX_HASH = 8, 12, 13
_ITEMS, _VANITY_BYTES, _IBFT_ROUND_BYTES = 5, 32, 4
_ADD, _QBFT_DROP, _IBFT_DROP = b"\xff", b"", b"\x00"


@dataclass(frozen=True, slots=True)
class HeaderSeals:
    """What a header says of its validators. Nothing in it is believed before ``audit.proofs.seals`` looked at it."""

    validators: tuple[AccountAddress, ...]
    """Whose seals the block needs, as the header lists them; none where a contract of the chain names them."""
    sealed_hash: bytes
    """Keccak-256, 32 bytes, which each seal signs."""
    seals: tuple[bytes, ...]
    """Signatures of secp256k1: r, s, and the recovery id 0 or 1; 65 bytes each."""


def hashed_fields(fields: list[Any]) -> list[Any]:
    """The fields of which a header's hash is: those of a QBFT or IBFT 2.0 header without seals and round.

    Of any other header, and of block 0, it is the same list.

    Args:
        fields: A header's, as RLP holds them; 15 at least.

    Raises:
        MalformedError: The mix hash says QBFT or IBFT 2.0, and ``extraData`` is of neither.
    """
    if not _is_sealed(fields):
        return fields
    items = _items(fields[_EXTRA_DATA])
    return _with_extra_data(fields, items[:3] if _is_ibft(items) else [*items[:3], b"", []])


def seals_of(fields: list[Any]) -> HeaderSeals:
    """The validators of a header, and their seals.

    Args:
        fields: As of ``hashed_fields``.

    Raises:
        MalformedError: It is no header that validators seal.
    """
    if not _is_sealed(fields):
        raise MalformedError("no header of QBFT or IBFT 2.0")
    items = _items(fields[_EXTRA_DATA])
    signed = _with_extra_data(fields, items[:4] if _is_ibft(items) else [*items[:4], []])
    validators = tuple(AccountAddress(validator) for validator in items[1])
    return HeaderSeals(validators, keccak(rlp.encode(signed)), tuple(items[4]))


def _is_sealed(fields: list[Any]) -> bool:
    # Nobody seals block 0, and its hash is that of its bytes.
    return bool(fields[_MIX_HASH] == BFT_MIX_HASH and fields[_NUMBER])


def _with_extra_data(fields: list[Any], items: list[Any]) -> list[Any]:
    return [*fields[:_EXTRA_DATA], bytes(rlp.encode(items)), *fields[_EXTRA_DATA + 1 :]]


def _items(extra_data: bytes) -> list[Any]:
    try:
        items = strict_list(extra_data, len(extra_data))
    except MalformedError as error:
        raise _neither() from error
    if len(items) == _ITEMS:
        vanity, validators, vote, round_number, seals = items
        if (
            _has_length(vanity, _VANITY_BYTES)
            and _all_have_length(validators, AccountAddress.length)
            and _is_round(round_number)
            and _is_vote(vote, is_ibft=_is_ibft(items))
            and _all_have_length(seals, SEAL_BYTES)
        ):
            return items
    raise _neither()


def _neither() -> MalformedError:
    return MalformedError("the extra data is neither QBFT's nor IBFT 2.0's")


def _is_ibft(items: Sequence[Any]) -> bool:
    """IBFT 2.0 writes a round as four bytes, QBFT as a number without leading zeros, which never grows that long."""
    return len(items[3]) == _IBFT_ROUND_BYTES


def _is_round(item: object) -> bool:
    return isinstance(item, bytes) and (
        len(item) == _IBFT_ROUND_BYTES or (len(item) < _IBFT_ROUND_BYTES and item[:1] != b"\x00")
    )


def _is_vote(item: object, *, is_ibft: bool) -> bool:
    if item == (b"" if is_ibft else []):
        return True
    drop = _IBFT_DROP if is_ibft else _QBFT_DROP
    return (
        isinstance(item, list)
        and len(item) == 2
        and _has_length(item[0], AccountAddress.length)
        and item[1] in (_ADD, drop)
    )


def _has_length(item: object, length: int) -> bool:
    return isinstance(item, bytes) and len(item) == length


def _all_have_length(item: object, length: int) -> bool:
    return isinstance(item, list) and all(_has_length(each, length) for each in item)
