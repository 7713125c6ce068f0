"""docs/spec/event-proof.md, section 4: headers as Hyperledger Besu served them, and what the rules make of others."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import rlp
from eth_utils.crypto import keccak
from hypothesis import given
from hypothesis import strategies as st

from gateways.ledger.bft_header import BFT_MIX_HASH
from gateways.ledger.block_bytes import header_bytes, header_seals, parse_header
from protocol.errors import LedgerUnavailableError, MalformedError

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "sealed-header.json").read_text(encoding="utf-8"))
ACCEPTED = VECTORS["accepted"]
SEALED = [vector for vector in ACCEPTED if vector["sealed_hash"]]
EXTRA_DATA, MIX_HASH = 12, 13


def name_of(vector: dict[str, Any]) -> str:
    return str(vector["name"])


def header_with(extra_data: bytes, *, mix_hash: bytes = BFT_MIX_HASH, number: bytes = b"\x07") -> bytes:
    fields = [bytes(32), bytes(32), bytes(20), bytes(32), bytes(32), bytes(32), bytes(256), b"\x01", number, b"\x09"]
    return bytes(rlp.encode([*fields, b"", b"\x05", extra_data, mix_hash, bytes(8)]))


@pytest.mark.parametrize("vector", ACCEPTED, ids=name_of)
def test_a_header_that_besu_served_has_the_hash_that_besu_gave_it(vector: dict[str, Any]) -> None:
    header = header_bytes(vector["block"])
    assert str(parse_header(header).block_hash) == vector["block"]["hash"]


@pytest.mark.parametrize("vector", SEALED, ids=name_of)
def test_a_header_that_besu_served_names_its_validators_and_what_they_sealed(vector: dict[str, Any]) -> None:
    seals = header_seals(header_bytes(vector["block"]))
    assert [account.hex() for account in seals.validators] == vector["validators"]
    assert seals.sealed_hash.hex() == vector["sealed_hash"]


@pytest.mark.parametrize("vector", ACCEPTED, ids=name_of)
@pytest.mark.parametrize("name", ["timestamp", "receiptsRoot", "stateRoot", "parentHash", "mixHash"])
def test_an_endpoint_that_changes_a_field_of_a_sealed_header_is_caught(vector: dict[str, Any], name: str) -> None:
    block = vector["block"]
    last = "7" if block[name][-1] != "7" else "8"
    with pytest.raises(LedgerUnavailableError):
        header_bytes(block | {name: block[name][:-1] + last})


@pytest.mark.parametrize("vector", VECTORS["refused"], ids=name_of)
def test_extra_data_of_neither_chain_is_malformed(vector: dict[str, Any]) -> None:
    data = header_with(bytes.fromhex(vector["extra_data"][2:]))
    for read in (parse_header, header_seals):
        with pytest.raises(MalformedError, match="extra data is neither"):
            read(data)


def test_an_endpoint_that_serves_such_extra_data_is_no_answer() -> None:
    block = ACCEPTED[0]["block"] | {"extraData": "0xc0"}
    with pytest.raises(LedgerUnavailableError, match=r"hash cannot be computed: the extra data is neither"):
        header_bytes(block)


@given(
    validators=st.lists(st.binary(min_size=20, max_size=20), max_size=5),
    vote=st.none() | st.tuples(st.binary(min_size=20, max_size=20), st.booleans()),
    number=st.integers(0, 2**24 - 1),
    seals=st.lists(st.binary(min_size=65, max_size=65), max_size=5),
    is_ibft=st.booleans(),
)
def test_seals_and_round_change_no_hash_and_all_else_does(
    validators: list[bytes], vote: tuple[bytes, bool] | None, number: int, seals: list[bytes], is_ibft: bool
) -> None:
    shortest = number.to_bytes((number.bit_length() + 7) // 8, "big")
    round_number = number.to_bytes(4, "big") if is_ibft else shortest
    drop = b"\x00" if is_ibft else b""
    said: Any = (b"" if is_ibft else []) if vote is None else [vote[0], b"\xff" if vote[1] else drop]
    items = [bytes(32), validators, said]
    header = header_with(rlp.encode([*items, round_number, seals]))
    hashed = items if is_ibft else [*items, b"", []]
    signed = [*items, round_number] if is_ibft else [*items, round_number, []]
    assert parse_header(header).block_hash == keccak(header_with(rlp.encode(hashed)))
    found = header_seals(header)
    assert found.sealed_hash == keccak(header_with(rlp.encode(signed)))
    assert (list(found.validators), list(found.seals)) == (validators, seals)
    others = [bytes(31) + b"\x01", validators, said], [bytes(32), [*validators, bytes(20)], said]
    for other in others:
        changed = header_with(rlp.encode([*other, round_number, seals]))
        assert parse_header(changed).block_hash != parse_header(header).block_hash


@given(st.binary(max_size=120))
def test_a_header_of_another_chain_and_block_0_have_the_hash_of_their_bytes(extra_data: bytes) -> None:
    for header in (header_with(extra_data, mix_hash=bytes(32)), header_with(extra_data, number=b"")):
        assert parse_header(header).block_hash == keccak(header)
        with pytest.raises(MalformedError, match=r"no header of QBFT or IBFT 2\.0"):
            header_seals(header)


@given(st.data())
def test_no_flipped_bit_outside_of_seals_and_round_keeps_the_hash(data: st.DataObject) -> None:
    """Whatever a stranger changes, the fields that are read of a header are those of the one hash."""
    vector = data.draw(st.sampled_from(SEALED))
    header = header_bytes(vector["block"])
    place = data.draw(st.integers(0, 8 * len(header) - 1))
    changed = bytearray(header)
    changed[place // 8] ^= 1 << place % 8
    try:
        parsed = parse_header(bytes(changed))
    except MalformedError:
        return
    if parsed.block_hash == parse_header(header).block_hash:
        assert parsed == parse_header(header)
        ours, theirs = rlp.decode(header), rlp.decode(bytes(changed))
        assert [*ours[:EXTRA_DATA], *ours[MIX_HASH:]] == [*theirs[:EXTRA_DATA], *theirs[MIX_HASH:]]
        assert rlp.decode(ours[EXTRA_DATA])[:3] == rlp.decode(theirs[EXTRA_DATA])[:3]
