"""Mutations of a proof on a chain that validators seal: the reader trusts four validators, and no block."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import rlp

from audit.proofs.checking import check_proof
from audit.proofs.proof_file import ProofFile, encode_proof_file, parse_proof_file
from audit.proofs.proving import prove_events
from audit.proofs.seals import trusted_block
from audit.proofs.validators import Validators
from protocol.errors import AuditError, MalformedError
from tests.audit.paper_chain import paper_chain
from tests.audit.sealed_chain import (
    EXTRA_DATA,
    KEYS,
    MIX_HASH_PLACE,
    STRANGER,
    VALIDATORS,
    Sealing,
    account,
    resealed,
    sealed_chain,
    validators_on,
    with_items,
)
from tests.protocol.builders import Network
from tests.tamper.catalogue import ANYONE, VERIFY_SEALS, chapter
from tests.tamper.detecting import Found
from tests.tamper.evidence import failed

mutation = chapter("Proofs on a chain that validators seal", VERIFY_SEALS)
SEALS, HEADERS = "fails at seals", "fails at headers"
FEW = "fewer than two thirds of the validators"
NUMBER, RECEIPTS_ROOT, TIMESTAMP = 8, 5, 11


@dataclass
class SealedEvidence:
    """A proof file, and whom its reader trusts. A mutation changes it in place."""

    proof: ProofFile
    validators: Validators

    def copy(self) -> SealedEvidence:
        return dataclasses.replace(self)

    def change_header(self, change: Callable[[bytes], bytes], place: int = -1) -> None:
        headers = list(self.proof.headers)
        headers[place] = change(headers[place])
        self.proof = dataclasses.replace(self.proof, headers=tuple(headers))

    def seal(self, **sealing: Any) -> None:
        """Other seals for the last header."""
        self.change_header(lambda header: resealed(header, Sealing(**sealing)))

    def change_items(self, change: Callable[[list[Any]], list[Any]], place: int = -1) -> None:
        """Other extra data for a header, of somebody without a key."""
        self.change_header(lambda header: with_items(header, change), place)

    def change_field(self, field: int, value: bytes, place: int = -1) -> None:
        def changed(header: bytes) -> bytes:
            fields = rlp.decode(header)
            fields[field] = value
            return bytes(rlp.encode(fields))

        self.change_header(changed, place)


def sealed_evidence() -> SealedEvidence:
    """Two events of a small network, on a chain of four validators of whom three sealed."""
    network = Network(sites_count=3)
    network.open_round()
    chain = sealed_chain(paper_chain(network.events, network.identity))
    return SealedEvidence(
        prove_events([network.events[0], network.events[2]], chain.checkpoint, chain), validators_on(chain)
    )


def sealed_proof_refused(evidence: SealedEvidence) -> list[Found]:
    """Why a proof file shows nothing to whoever trusts the validators."""
    try:
        proof = parse_proof_file(encode_proof_file(evidence.proof))
        block = trusted_block(evidence.validators, proof.headers[-1] if proof.headers else b"")
        check_proof(proof, block.checkpoint)
    except (AuditError, MalformedError) as error:
        return [failed(error)]
    return []


@mutation(ANYONE, SEALS, "2 of 4 validators sealed")
def a_seal_left_out(it: SealedEvidence) -> None:
    """A seal is left out, so that one is missing for two thirds"""
    it.change_items(lambda items: [*items[:4], items[4][:-1]])


@mutation(ANYONE, SEALS, "0 of 4 validators sealed")
def no_seals(it: SealedEvidence) -> None:
    """All seals are left out"""
    it.change_items(lambda items: [*items[:4], []])


@mutation(FEW, SEALS, "sealed")
def one_seal_twice(it: SealedEvidence) -> None:
    """One validator's seal stands twice, in another's place"""
    it.seal(signers=[KEYS[0], KEYS[1], KEYS[1]])


@mutation(FEW, SEALS, "who is no validator")
def a_strangers_seal(it: SealedEvidence) -> None:
    """A stranger seals in a validator's place"""
    it.seal(signers=[*KEYS[:2], STRANGER])


@mutation(ANYONE, SEALS, "who is no validator")
def a_strangers_seal_more(it: SealedEvidence) -> None:
    """A stranger's seal stands beside enough others"""
    it.seal(signers=[*KEYS[:3], STRANGER])


@mutation(ANYONE, SEALS, "or of another header")
def seals_of_another_block(it: SealedEvidence) -> None:
    """The seals are those of the block before"""
    before = rlp.decode(rlp.decode(it.proof.headers[-2])[EXTRA_DATA])[4]
    it.change_items(lambda items: [*items[:4], before])


@mutation(ANYONE, SEALS, "or of another header")
def another_round(it: SealedEvidence) -> None:
    """The seals are said to be of another round of the validators"""
    it.change_items(lambda items: [*items[:3], b"\x01", items[4]])


@mutation(ANYONE, SEALS, "or of another header")
def another_vote(it: SealedEvidence) -> None:
    """A vote is put into the sealed header"""
    it.change_items(lambda items: [*items[:2], [bytes(account(STRANGER)), b"\xff"], *items[3:]])


@mutation(ANYONE, SEALS, "or of another header")
def another_vanity(it: SealedEvidence) -> None:
    """The sealed header's vanity is changed"""
    it.change_items(lambda items: [b"\x01" * 32, *items[1:]])


@mutation(ANYONE, SEALS, "or of another header")
def another_receipts_root(it: SealedEvidence) -> None:
    """The sealed header's receipts root is changed"""
    it.change_field(RECEIPTS_ROOT, b"\x07" * 32)


@mutation(ANYONE, SEALS, "or of another header")
def another_time(it: SealedEvidence) -> None:
    """The sealed header's time is changed"""
    it.change_field(TIMESTAMP, b"\x07")


@mutation(ANYONE, SEALS, "or of another header")
def another_number(it: SealedEvidence) -> None:
    """The sealed header's number is changed"""
    it.change_field(NUMBER, b"\x63")


@mutation(ANYONE, SEALS, "names other validators")
def a_validator_exchanged(it: SealedEvidence) -> None:
    """A validator is exchanged in the header's list, and the three who stay seal it"""
    it.seal(validators=sorted([*VALIDATORS[:3], account(STRANGER)]))


@mutation(ANYONE, SEALS, "names other validators")
def fewer_validators(it: SealedEvidence) -> None:
    """The header lists fewer validators, so that fewer seals are two thirds"""
    it.seal(validators=VALIDATORS[:2])


@mutation(ANYONE, SEALS, "names other validators")
def a_validator_twice(it: SealedEvidence) -> None:
    """A validator is listed twice"""
    it.seal(validators=[*VALIDATORS, VALIDATORS[0]])


@mutation(ANYONE, SEALS, "names other validators")
def other_validators(it: SealedEvidence) -> None:
    """Strangers list themselves as validators and seal the block"""
    keys = [bytes([number]) * 32 for number in range(21, 25)]
    it.seal(signers=keys, validators=sorted(account(key) for key in keys))


@mutation(ANYONE, SEALS, "no header of QBFT or IBFT 2.0")
def another_mix_hash(it: SealedEvidence) -> None:
    """The mix hash no longer says that validators seal"""
    it.change_field(MIX_HASH_PLACE, bytes(32))


@mutation(ANYONE, SEALS, "extra data is neither")
def bytes_behind_the_extra_data(it: SealedEvidence) -> None:
    """A byte stands behind the list of the extra data"""
    it.change_field(EXTRA_DATA, rlp.decode(it.proof.headers[-1])[EXTRA_DATA] + b"\x00")


@mutation(ANYONE, SEALS, "extra data is neither")
def an_item_more(it: SealedEvidence) -> None:
    """The extra data has an item more"""
    it.change_items(lambda items: [*items, b""])


@mutation(ANYONE, SEALS, "extra data is neither")
def a_shorter_seal(it: SealedEvidence) -> None:
    """A seal lacks its last byte"""
    it.change_items(lambda items: [*items[:4], [items[4][0][:-1], *items[4][1:]]])


@mutation(ANYONE, SEALS, "a seal is no signature")
def another_recovery_id(it: SealedEvidence) -> None:
    """A seal's recovery id is written as 27 or 28"""
    it.change_items(lambda items: [*items[:4], [items[4][0][:-1] + bytes([items[4][0][-1] + 27]), *items[4][1:]]])


@mutation(ANYONE, SEALS, "not RLP")
def no_last_header(it: SealedEvidence) -> None:
    """No header is there that could bear seals"""
    it.proof = dataclasses.replace(it.proof, headers=())


@mutation(ANYONE, HEADERS, "is not the parent of")
def an_earlier_header(it: SealedEvidence) -> None:
    """An earlier header is changed, and the sealed one is not"""
    it.change_field(TIMESTAMP, b"\x07", place=0)


@mutation(ANYONE, HEADERS, "is not the parent of")
def an_earlier_list_of_validators(it: SealedEvidence) -> None:
    """The list of validators is changed in an earlier header"""
    it.change_items(lambda items: [items[0], items[1][:-1], *items[2:]], place=0)
