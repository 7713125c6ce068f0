"""Mutations of proof files: each is checked against a checkpoint, with nothing else."""

from __future__ import annotations

import dataclasses

from protocol.identifiers import AccountAddress, BlockHash
from tests.tamper.catalogue import ANYONE, VERIFY_PROOF, chapter
from tests.tamper.evidence import Evidence

mutation = chapter("Proof files", VERIFY_PROOF)
CHECKPOINT, HEADERS, RECEIPT, LOG = (f"fails at {step}" for step in ("checkpoint", "headers", "receipt", "log"))


def _flipped(data: bytes, place: int = -1) -> bytes:
    changed = bytearray(data)
    changed[place] ^= 1
    return bytes(changed)


@mutation(ANYONE, CHECKPOINT, "another chain or contract")
def another_chain(it: Evidence) -> None:
    """A proof file is about another chain"""
    it.change_proof(chain_id=it.proof.chain_id + 1)


@mutation(ANYONE, CHECKPOINT, "another chain or contract")
def another_contract(it: Evidence) -> None:
    """A proof file is about another contract"""
    it.change_proof(contract_address=AccountAddress(b"\x0c" * 20))


@mutation(ANYONE, CHECKPOINT, "the file leads to block")
def the_last_header_dropped(it: Evidence) -> None:
    """The last header is dropped"""
    it.change_proof(headers=it.proof.headers[:-1])


@mutation(ANYONE, CHECKPOINT, "is not block")
def no_headers(it: Evidence) -> None:
    """There are no headers"""
    it.change_proof(headers=())


@mutation(ANYONE, HEADERS, "is not the parent of")
def a_header_dropped(it: Evidence) -> None:
    """A header in the middle is dropped"""
    it.change_proof(headers=(it.proof.headers[0], *it.proof.headers[2:]))


@mutation(ANYONE, HEADERS, "does not hold block")
def the_first_header_dropped(it: Evidence) -> None:
    """The event's own header is dropped"""
    it.change_proof(headers=it.proof.headers[1:])


@mutation(ANYONE, HEADERS, "is not the parent of")
def a_header_twice(it: Evidence) -> None:
    """A header stands twice"""
    it.change_proof(headers=(it.proof.headers[0], *it.proof.headers))


@mutation(ANYONE, HEADERS, "is not the parent of")
def a_bit_of_a_header(it: Evidence) -> None:
    """One bit of the event's header is flipped"""
    it.change_proof(headers=(_flipped(it.proof.headers[0], 200), *it.proof.headers[1:]))


@mutation(ANYONE, HEADERS, "")
def a_longer_header(it: Evidence) -> None:
    """A byte is appended to a header"""
    it.change_proof(headers=(it.proof.headers[0] + b"\0", *it.proof.headers[1:]))


@mutation(ANYONE, RECEIPT, "transaction")
def a_bit_of_a_receipt(it: Evidence) -> None:
    """One bit of a receipt is flipped: another verdict, another site"""
    nodes = it.proof.events[0].nodes
    it.change_event(nodes=(*nodes[:-1], _flipped(nodes[-1], len(nodes[-1]) // 2)))


@mutation(ANYONE, RECEIPT, "transaction")
def no_receipt(it: Evidence) -> None:
    """The receipt is left out"""
    it.change_event(nodes=())


@mutation(ANYONE, RECEIPT, "transaction")
def another_receipt(it: Evidence) -> None:
    """The receipt is that of another block"""
    it.change_event(nodes=it.proof.events[1].nodes)


@mutation(ANYONE, RECEIPT, "transaction")
def another_transaction(it: Evidence) -> None:
    """The receipt is said to be another transaction's"""
    it.change_event(transaction_index=it.proof.events[0].transaction_index + 1)


@mutation(ANYONE, RECEIPT, "transaction")
def another_block(it: Evidence) -> None:
    """The event is said to be in another block"""
    it.change_event(block_number=it.proof.events[1].block_number)


@mutation(ANYONE, LOG, "none at 7")
def another_log(it: Evidence) -> None:
    """The event is said to be another log of its receipt"""
    it.change_event(log_in_receipt=7)


@mutation(ANYONE, LOG, "not the contract's")
def another_contracts_log(it: Evidence) -> None:
    """The log is another contract's, and so is the checkpoint"""
    other = AccountAddress(b"\x0c" * 20)
    it.checkpoint = dataclasses.replace(it.checkpoint, contract_address=other)
    it.change_proof(contract_address=other)


@mutation(ANYONE, LOG, "proves no event")
def nothing(it: Evidence) -> None:
    """The file proves nothing"""
    it.change_proof(events=())


@mutation("chain operator", CHECKPOINT, "is not block")
def a_rewritten_chain(it: Evidence) -> None:
    """The chain was rewritten below the reader's checkpoint"""
    it.checkpoint = dataclasses.replace(it.checkpoint, block_hash=BlockHash(b"\x07" * 32))


@mutation("chain operator", CHECKPOINT, "the file leads to block")
def another_number(it: Evidence) -> None:
    """The checkpoint's hash stands under another number"""
    it.checkpoint = dataclasses.replace(it.checkpoint, number=it.checkpoint.number + 1)
