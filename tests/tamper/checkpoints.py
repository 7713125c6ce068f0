"""Mutations of checkpoints that sites signed: the reader wants three signatures, and has a list of the accounts."""

from __future__ import annotations

import dataclasses

from protocol.cosigning import CosignedCheckpoint
from protocol.identifiers import AccountAddress, BlockHash
from tests.tamper.catalogue import ANYONE, VERIFY_NOTE, chapter
from tests.tamper.evidence import KEYS, SITES, Evidence

mutation = chapter("Checkpoints that sites signed", VERIFY_NOTE)
ACCOUNTS, SIGNATURE, COSIGNERS = "fails at accounts", "fails at signature", "fails at cosigners"
OPERATOR = "chain operator, with some of the sites"


@mutation(ANYONE, SIGNATURE, "is not its account's")
def another_body(it: Evidence) -> None:
    """Signatures stand under another block than the sites signed"""
    it.note = CosignedCheckpoint(it.rewritten, it.note.signatures)


@mutation(ANYONE, SIGNATURE, "is not its account's")
def a_bit_of_a_signature(it: Evidence) -> None:
    """One bit of a signature is flipped"""
    first, *others = it.note.signatures
    spoiled = bytearray(first.signature)
    spoiled[3] ^= 1
    it.note = dataclasses.replace(it.note, signatures=(dataclasses.replace(first, signature=bytes(spoiled)), *others))


@mutation(ANYONE, COSIGNERS, "2 of 3 sites signed")
def a_signature_left_out(it: Evidence) -> None:
    """A signature is left out"""
    it.note = dataclasses.replace(it.note, signatures=it.note.signatures[1:])


@mutation(ANYONE, COSIGNERS, "2 of 3 sites signed")
def a_signature_twice(it: Evidence) -> None:
    """One site's signature stands twice, in another's place"""
    first, second, _ = it.note.signatures
    it.note = dataclasses.replace(it.note, signatures=(first, second, second))


@mutation(ANYONE, COSIGNERS, "not counted: site-3")
def a_strangers_signature(it: Evidence) -> None:
    """A stranger signs in a site's place"""
    it.note = it.sign(*SITES[:2], "site-3")


@mutation(ANYONE, COSIGNERS, "2 of 3 sites signed")
def anothers_name(it: Evidence) -> None:
    """One site signs in the name of another too"""
    both = it.sign(*SITES[:2]).signatures
    it.note = dataclasses.replace(it.note, signatures=(*both, *it.sign(SITES[2], key=KEYS[SITES[0]]).signatures))


@mutation(ANYONE, COSIGNERS, "2 of 3 sites signed")
def an_account_that_was_rotated(it: Evidence) -> None:
    """A signature is that of an account that the site no longer had"""
    first, *others = it.cosigners.accounts
    old = dataclasses.replace(first, until_block=it.checkpoint.number)
    it.cosigners = dataclasses.replace(it.cosigners, accounts=(old, *others))


@mutation(ANYONE, ACCOUNTS, "another network's")
def another_networks_accounts(it: Evidence) -> None:
    """The note is another network's"""
    other = dataclasses.replace(it.note.checkpoint, contract_address=AccountAddress(b"\x0c" * 20))
    it.note = it.sign(*SITES, checkpoint=other)


@mutation(OPERATOR, "the notes disagree", "site-0, site-1, site-2")
def two_histories(it: Evidence) -> None:
    """Two notes of one number name two blocks, signed by different sites"""
    it.other_note = it.sign(SITES[2], checkpoint=it.rewritten)


@mutation(OPERATOR, "the notes disagree", "signed both: it tells two stories")
def a_site_with_two_stories(it: Evidence) -> None:
    """One site signs two blocks of one number"""
    it.other_note = it.sign(SITES[0], checkpoint=it.rewritten)


@mutation("chain operator", SIGNATURE, "is not its account's")
def another_number(it: Evidence) -> None:
    """A signed block hash is said to be another block's"""
    moved = dataclasses.replace(it.note.checkpoint, number=it.note.checkpoint.number + 1)
    it.note = CosignedCheckpoint(moved, it.note.signatures)


@mutation("chain operator", COSIGNERS, "0 of 3 sites signed")
def a_rewrite_that_nobody_signed(it: Evidence) -> None:
    """A rewritten block is handed over under a stranger's signature alone"""
    it.note = it.sign("site-3", checkpoint=dataclasses.replace(it.rewritten, block_hash=BlockHash(b"\x08" * 32)))
