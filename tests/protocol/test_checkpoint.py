"""protocol/checkpoint.py and protocol/cosigning.py (docs/spec/checkpoint.md): a block, and the sites that signed it."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.account_signatures import account_of, sign, signer_of
from protocol.checkpoint import Checkpoint, encode_checkpoint, parse_checkpoint
from protocol.cosigning import (
    CosignedCheckpoint,
    cosign,
    encode_cosigned,
    key_id_of,
    parse_cosigned,
    parse_cosigned_list,
    proven_cosignatures,
)
from protocol.errors import MalformedError
from protocol.identifiers import AccountAddress, BlockHash, digest_of, site_id_of
from protocol.signed_note import NoteSignature

CHECKPOINT = Checkpoint(31337, AccountAddress(b"\x0a" * 20), 12, BlockHash(b"\xfb" * 32))
KEYS = {"dhaka-general": b"\x01" * 32, "north-clinic": b"\x02" * 32, "old-town": b"\x03" * 32}
ACCOUNTS = {site_id_of(slug): {account_of(key)} for slug, key in KEYS.items()}
NOTE = CosignedCheckpoint(CHECKPOINT, tuple(cosign(CHECKPOINT, slug, key) for slug, key in KEYS.items()))
BODY = encode_checkpoint(CHECKPOINT).decode()

checkpoints = st.builds(
    Checkpoint,
    st.integers(0, 10**16 - 1),
    st.binary(min_size=20, max_size=20).map(AccountAddress),
    st.integers(0, 10**16 - 1),
    st.binary(min_size=32, max_size=32).map(BlockHash),
)


def sites(note: CosignedCheckpoint, accounts=ACCOUNTS) -> list[str]:
    return [line.name for line in proven_cosignatures(note, accounts)]


@given(checkpoints)
def test_every_checkpoint_comes_back(checkpoint: Checkpoint) -> None:
    assert parse_checkpoint(encode_checkpoint(checkpoint)) == checkpoint


@given(checkpoints, st.lists(st.binary(min_size=1, max_size=65), min_size=1, max_size=4))
def test_every_signed_checkpoint_comes_back_alone_and_among_others(checkpoint: Checkpoint, found: list[bytes]) -> None:
    note = CosignedCheckpoint(checkpoint, tuple(NoteSignature("somebody", bytes(4), data) for data in found))
    assert parse_cosigned(encode_cosigned(note)) == note
    assert parse_cosigned_list(encode_cosigned(note) * 2 + encode_cosigned(NOTE)) == (note, note, NOTE)
    assert parse_checkpoint(encode_cosigned(note)) == checkpoint


def test_a_digest_with_spare_bits_is_another_spelling_and_refused() -> None:
    assert BODY.endswith("s=\n")
    with pytest.raises(MalformedError):
        parse_checkpoint(BODY.replace("s=\n", "t=\n").encode())


@pytest.mark.parametrize(
    "text", [BODY + "more\n", BODY.replace("\n12\n", "\n012\n"), BODY[:-1], "other\n", "\n" + BODY]
)
def test_what_is_signed_is_a_checkpoint_and_nothing_more(text: str) -> None:
    signed = encode_cosigned(NOTE).decode().replace(BODY, text, 1)
    with pytest.raises(MalformedError):
        parse_cosigned(signed.encode())


@pytest.mark.parametrize("between", ["\n", "more\n", " ", "\n\n"])
def test_notes_stand_one_after_another_without_anything_between(between: str) -> None:
    one = encode_cosigned(NOTE)
    with pytest.raises(MalformedError):
        parse_cosigned_list(one + between.encode() + one)


@pytest.mark.parametrize("data", [b"", b"\xff", b"\n"])
def test_a_file_without_notes_is_malformed(data: bytes) -> None:
    with pytest.raises(MalformedError):
        parse_cosigned_list(data)


def test_each_site_signs_with_its_account() -> None:
    assert sites(NOTE) == list(KEYS)


def test_a_signature_is_the_same_bytes_each_time() -> None:
    assert cosign(CHECKPOINT, "old-town", KEYS["old-town"]) == NOTE.signatures[2]


def test_signatures_of_keys_that_nobody_knows_are_left_alone() -> None:
    stranger = cosign(CHECKPOINT, "dhaka-general", b"\x09" * 32)
    other = NoteSignature("witness.example/w1", b"\x8d\x66\xcf\x3c", bytes(72))
    note = CosignedCheckpoint(CHECKPOINT, (stranger, other, NOTE.signatures[1]))
    assert sites(note) == ["north-clinic"]
    assert sites(NOTE, {}) == []


def test_a_site_that_signed_twice_counts_once() -> None:
    assert sites(CosignedCheckpoint(CHECKPOINT, (*NOTE.signatures, *NOTE.signatures))) == list(KEYS)


def test_a_site_may_have_an_account_for_older_blocks_too() -> None:
    accounts = {site_id_of("old-town"): {account_of(b"\x09" * 32), account_of(KEYS["old-town"])}}
    assert sites(NOTE, accounts) == ["old-town"]


@pytest.mark.parametrize("number", [0, 11, 13, 10**15])
def test_a_signature_is_for_one_block_alone(number: int) -> None:
    for changed in (
        dataclasses.replace(CHECKPOINT, number=number),
        dataclasses.replace(CHECKPOINT, chain_id=number),
        dataclasses.replace(CHECKPOINT, block_hash=BlockHash(number.to_bytes(32, "big"))),
        dataclasses.replace(CHECKPOINT, contract_address=AccountAddress(number.to_bytes(20, "big"))),
    ):
        with pytest.raises(MalformedError, match="dhaka-general is not its account's"):
            sites(CosignedCheckpoint(changed, NOTE.signatures))


@given(place=st.integers(0, 64), flip=st.integers(1, 255))
def test_a_changed_signature_of_a_known_account_voids_the_whole_note(place: int, flip: int) -> None:
    whole = NOTE.signatures[0].signature
    changed = whole[:place] + bytes([whole[place] ^ flip]) + whole[place + 1 :]
    note = CosignedCheckpoint(
        CHECKPOINT, (dataclasses.replace(NOTE.signatures[0], signature=changed), *NOTE.signatures[1:])
    )
    with pytest.raises(MalformedError):
        sites(note)


@pytest.mark.parametrize("length", [1, 64, 66])
def test_a_signature_of_another_length_voids_the_note(length: int) -> None:
    short = dataclasses.replace(NOTE.signatures[0], signature=(NOTE.signatures[0].signature * 2)[:length])
    with pytest.raises(MalformedError):
        sites(CosignedCheckpoint(CHECKPOINT, (short,)))


def test_a_signature_has_one_spelling() -> None:
    whole = NOTE.signatures[0].signature
    order = 0xFFFFFFFF_FFFFFFFF_FFFFFFFF_FFFFFFFE_BAAEDCE6_AF48A03B_BFD25E8C_D0364141
    mirrored = (order - int.from_bytes(whole[32:64], "big")).to_bytes(32, "big")
    for other in (whole[:64] + bytes([whole[64] - 27]), whole[:32] + mirrored + bytes([27 + 28 - whole[64]])):
        assert signer_of(digest_of("checkpoint", BODY.encode()), other) == account_of(KEYS["dhaka-general"])
        with pytest.raises(MalformedError, match="is not its account"):
            sites(CosignedCheckpoint(CHECKPOINT, (dataclasses.replace(NOTE.signatures[0], signature=other),)))


def test_another_sites_signature_does_not_stand_in() -> None:
    own = key_id_of("dhaka-general", account_of(KEYS["dhaka-general"]))
    with pytest.raises(MalformedError):
        sites(
            CosignedCheckpoint(
                CHECKPOINT, (NoteSignature("dhaka-general", own, NOTE.signatures[1].signature), NOTE.signatures[1])
            )
        )


def test_what_an_account_signs_elsewhere_is_no_checkpoint() -> None:
    elsewhere = sign(digest_of("invitation", encode_checkpoint(CHECKPOINT)), KEYS["dhaka-general"])
    with pytest.raises(MalformedError):
        sites(CosignedCheckpoint(CHECKPOINT, (dataclasses.replace(NOTE.signatures[0], signature=elsewhere),)))
