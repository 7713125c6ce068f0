"""Checkpoints under the signatures of several sites: enough of them, of the right accounts, and all the same."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from audit.proofs.cosigned import by_block, disagreement, merged, require_cosigned, statements_of
from audit.proofs.cosigners import Cosigners, SiteAccount, cosigners_of, encode_cosigners, parse_cosigners
from protocol import ledger_events as ev
from protocol.account_signatures import account_of
from protocol.checkpoint import Checkpoint
from protocol.cosigning import CosignedCheckpoint, cosign, encode_cosigned, parse_cosigned
from protocol.errors import AuditError, ConfigError, MalformedError
from protocol.identifiers import AccountAddress, BlockHash, Digest, TxHash, site_id_of
from protocol.ledger_events import LocatedEvent, Position
from tests.audit.auditor_app import app

KEYS = {slug: bytes([number]) * 32 for number, slug in enumerate(("dhaka", "north", "old-town"), start=1)}
NEW_KEY = b"\x09" * 32
BLOCK = Checkpoint(31337, AccountAddress(b"\x0a" * 20), 50, BlockHash(b"\x01" * 32))
COSIGNERS = Cosigners(BLOCK, tuple(SiteAccount(site_id_of(slug), account_of(key), None) for slug, key in KEYS.items()))


def note(checkpoint: Checkpoint, *slugs: str, **keys: bytes) -> CosignedCheckpoint:
    return CosignedCheckpoint(
        checkpoint, tuple(cosign(checkpoint, slug, keys.get(slug, KEYS.get(slug, NEW_KEY))) for slug in slugs)
    )


def located(number: int, event: ev.LedgerEvent) -> LocatedEvent:
    return LocatedEvent(
        Position(number, 0, block_hash=BlockHash.zero(), tx_hash=TxHash.zero(), timestamp=1_700_000_000), event
    )


def another(number: int = 50) -> Checkpoint:
    return dataclasses.replace(BLOCK, number=number, block_hash=BlockHash(b"\x02" * 32))


# who signs for whom


def test_membership_events_give_each_site_its_accounts() -> None:
    dhaka, north = site_id_of("dhaka"), site_id_of("north")
    first, second, third = (AccountAddress(bytes([n]) * 20) for n in (1, 2, 3))
    digest = Digest(b"\x07" * 32)
    events = [
        located(10, ev.SiteAdmitted(dhaka, first, 0, digest)),
        located(11, ev.SiteAdmitted(north, second, 1, digest)),
        located(12, ev.SiteSuspended(north)),
        located(20, ev.SiteAccountRotated(dhaka, first, third, digest)),
        located(30, ev.SiteLeft(dhaka)),
    ]
    found = cosigners_of(events, BLOCK)
    assert found.at(19) == {dhaka: {first, third}, north: {second}}
    assert found.at(20) == {dhaka: {third}, north: {second}}
    assert found.at(30) == {north: {second}}
    assert parse_cosigners(encode_cosigners(found)) == found
    with pytest.raises(MalformedError, match="logs are missing"):
        cosigners_of(events[3:], BLOCK)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("fedrx-cosigners/1", "fedrx-cosigners/2"),
        ("0x0a0a", "0x0A0A"),
        ('"until_block":null', '"until_block":-1'),
        ('"until_block":null', '"until_block":"50"'),
        ('"block_number":50,', ""),
        ("null", "null "),
        (str(account_of(KEYS["dhaka"])), str(account_of(KEYS["north"]))),
    ],
)
def test_a_list_of_accounts_of_another_shape_is_malformed(old: str, new: str) -> None:
    text = encode_cosigners(COSIGNERS).decode()
    assert old in text
    with pytest.raises(MalformedError):
        parse_cosigners(text.replace(old, new, 1).encode())


@given(st.binary(max_size=100))
def test_bytes_that_are_no_list_of_accounts_are_malformed(data: bytes) -> None:
    with pytest.raises(MalformedError):
        parse_cosigners(data)


# enough of them


def test_as_many_sites_as_were_asked_for_have_signed() -> None:
    signed = note(BLOCK, "dhaka", "north", "old-town")
    assert require_cosigned(signed, COSIGNERS, 3) == ("dhaka", "north", "old-town")
    assert require_cosigned(signed, COSIGNERS, 1, {site_id_of("north")}) == ("north",)


@pytest.mark.parametrize(
    ("signed", "required", "only", "says"),
    [
        (note(BLOCK, "dhaka", "north"), 3, (), "step cosigners: 2 of 3 sites signed (dhaka, north)"),
        (note(BLOCK, "dhaka", "dhaka"), 2, (), "step cosigners: 1 of 2 sites signed (dhaka)"),
        (note(BLOCK, "dhaka", "stranger"), 2, (), "step cosigners: 1 of 2 sites signed (dhaka; not counted: stranger)"),
        (note(BLOCK, "dhaka", dhaka=NEW_KEY), 1, (), "step cosigners: 0 of 1 sites signed (none; not counted: dhaka)"),
        (note(BLOCK, "dhaka", "north"), 2, ("north", "old-town"), "1 of 2 sites signed (north; not counted: dhaka)"),
        (
            CosignedCheckpoint(another(), note(BLOCK, "north").signatures),
            1,
            (),
            "step signature: a signature in the name of site north is not its account's",
        ),
        (
            note(dataclasses.replace(BLOCK, chain_id=1), "dhaka"),
            1,
            (),
            "step accounts: the list of accounts is another",
        ),
    ],
)
def test_what_is_wrong_with_the_signatures_is_named_by_its_step(
    signed: CosignedCheckpoint, required: int, only: tuple[str, ...], says: str
) -> None:
    with pytest.raises(AuditError) as caught:
        require_cosigned(signed, COSIGNERS, required, {site_id_of(slug) for slug in only})
    assert says in str(caught.value)


def test_an_account_that_was_replaced_signs_no_later_block() -> None:
    old = dataclasses.replace(COSIGNERS.accounts[0], until_block=50)
    new = SiteAccount(old.site_id, account_of(NEW_KEY), None)
    rotated = Cosigners(BLOCK, (old, new))
    with pytest.raises(AuditError, match="0 of 1"):
        require_cosigned(note(BLOCK, "dhaka"), rotated, 1)
    assert require_cosigned(note(another(49), "dhaka"), rotated, 1) == ("dhaka",)
    for at in (another(49), BLOCK):
        assert require_cosigned(note(at, "dhaka", dhaka=NEW_KEY), rotated, 1) == ("dhaka",)


# all the same


def said(*notes: CosignedCheckpoint, on_chain: BlockHash | None = None, asked: bool = False) -> str:
    statements = [one for each in notes for one in statements_of(each, COSIGNERS)]
    return "\n".join(
        line for number, signed in by_block(statements).items()
        for line in disagreement(number, signed, on_chain, asked=asked)
    )  # fmt: skip


def test_sites_that_agree_fit_under_one_note() -> None:
    notes = [note(BLOCK, "dhaka"), note(BLOCK, "old-town"), note(BLOCK, "north"), note(another(51), "north")]
    assert said(*notes) == ""
    statements = [one for each in notes for one in statements_of(each, COSIGNERS)]
    whole = merged(statements, None)
    assert whole == note(BLOCK, "dhaka", "north", "old-town")
    assert merged(statements * 2, 50) == whole
    assert merged(statements, 51) == notes[3]
    assert merged([statements[0], statements[3]], None) == notes[3]
    with pytest.raises(AuditError, match="nobody signed block 52"):
        merged(statements, 52)
    with pytest.raises(AuditError, match="no site of the list"):
        merged([], None)


def test_two_stories_about_one_block_name_those_who_tell_them() -> None:
    lines = said(note(BLOCK, "dhaka", "north"), note(another(), "old-town"))
    assert f"block 50: {BLOCK.block_hash} is signed by dhaka, north" in lines
    assert f"block 50: {another().block_hash} is signed by old-town" in lines
    assert "with --rpc the chain is asked" in lines


def test_the_chain_tells_whose_history_is_gone() -> None:
    notes = (note(BLOCK, "dhaka", "north"), note(another(), "old-town"))
    assert "what old-town signed was rewritten" in said(*notes, on_chain=BLOCK.block_hash, asked=True)
    assert "what dhaka, north signed was rewritten" in said(*notes, on_chain=another().block_hash, asked=True)
    third = said(*notes, on_chain=BlockHash(b"\x03" * 32), asked=True)
    assert "what dhaka, north, old-town signed was rewritten" in third
    assert "has no such block" in said(note(BLOCK, "dhaka"), on_chain=None, asked=True)
    assert said(note(BLOCK, "dhaka"), on_chain=BLOCK.block_hash, asked=True) == ""


def test_a_site_that_tells_both_stories_is_named() -> None:
    for asked in (False, True):
        lines = said(note(BLOCK, "dhaka"), note(another(), "dhaka"), on_chain=BLOCK.block_hash, asked=asked)
        assert "dhaka signed both" in lines


def test_a_signature_of_a_stranger_accuses_nobody() -> None:
    assert said(note(BLOCK, "dhaka"), note(another(), "north", north=NEW_KEY)) == ""


# the commands, without a chain


@pytest.fixture
def files(tmp_path: Path) -> Path:
    (tmp_path / "accounts.json").write_bytes(encode_cosigners(COSIGNERS))
    for slug in KEYS:
        notes = encode_cosigned(note(another(40), slug)) + encode_cosigned(note(BLOCK, slug))
        (tmp_path / f"{slug}.notes").write_bytes(notes)
    (tmp_path / "liar.notes").write_bytes(encode_cosigned(note(another(), "old-town")))
    return tmp_path


def run(*words: str | Path) -> tuple[str, BaseException | None]:
    done = CliRunner().invoke(app, [str(word) for word in words])
    return done.stdout, done.exception


def options(folder: Path, *names: str) -> list[str | Path]:
    return [word for name in names for word in ("--cosigned", folder / f"{name}.notes")]


def test_what_sites_exported_becomes_one_note(files: Path) -> None:
    out = files / "note"
    cosigned = ("checkpoint", "-o", out, "--accounts", files / "accounts.json", *options(files, *KEYS))
    stdout, failure = run(*cosigned)
    assert failure is None
    assert f"block 50, {BLOCK.block_hash}, signed by dhaka, north, old-town" in stdout
    assert parse_cosigned(out.read_bytes()) == note(BLOCK, *KEYS)
    run(*cosigned, "--block", "40")
    assert parse_cosigned(out.read_bytes()) == note(another(40), *KEYS)


def test_sites_that_contradict_each_other_give_no_note(files: Path) -> None:
    out = files / "note"
    words = ("checkpoint", "-o", out, "--accounts", files / "accounts.json", *options(files, "dhaka", "liar"))
    stdout, failure = run(*words)
    assert isinstance(failure, AuditError)
    assert "is signed by dhaka" in stdout
    assert "is signed by old-town" in stdout
    assert not out.exists()


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--cosigned", "dhaka.notes"), "--cosigned needs --accounts"),
        ((), "no chain is named"),
        (("--rpc", "http://127.0.0.1:1"), "belong together"),
        (("--deployment", "deployment.json"), "belong together"),
    ],
)
def test_words_that_are_missing_are_named(files: Path, words: tuple[str, ...], says: str) -> None:
    _, failure = run("checkpoint", "-o", files / "note", *words)
    assert isinstance(failure, ConfigError)
    assert says in str(failure)


def test_a_file_that_is_no_note_or_badly_signed_is_named(files: Path) -> None:
    words = ("checkpoint", "-o", files / "note", "--accounts", files / "accounts.json", *options(files, "dhaka"))
    whole = (files / "dhaka.notes").read_bytes()
    (files / "dhaka.notes").write_bytes(whole.replace(b"\n50\n", b"\n51\n"))
    _, failure = run(*words)
    assert isinstance(failure, AuditError)
    assert "dhaka.notes, block 51: the checkpoint fails at the step signature" in str(failure)
    (files / "dhaka.notes").write_bytes(whole[:-9])
    _, failure = run(*words)
    assert isinstance(failure, MalformedError)
    assert "dhaka.notes: " in str(failure)


@pytest.mark.parametrize("words", [("--require", "1"), ("--site", "dhaka"), ("--accounts", "accounts.json")])
def test_verify_asks_for_accounts_and_a_number_together(files: Path, words: tuple[str, ...]) -> None:
    (files / "note").write_bytes(encode_cosigned(note(BLOCK, "dhaka")))
    _, failure = run("verify", files / "proof", "--checkpoint", files / "note", *words)
    assert isinstance(failure, ConfigError)
    assert "--accounts FILE and --require N" in str(failure)


def test_verify_looks_at_the_signatures_before_the_proof(files: Path) -> None:
    (files / "note").write_bytes(encode_cosigned(note(BLOCK, "dhaka")))
    (files / "proof").write_bytes(json.dumps({}).encode())
    signed = ("--checkpoint", files / "note", "--accounts", files / "accounts.json", "--require")
    assert isinstance(run("verify", files / "proof", *signed, "2")[1], AuditError)
    assert isinstance(run("verify", files / "proof", *signed, "1")[1], MalformedError)
