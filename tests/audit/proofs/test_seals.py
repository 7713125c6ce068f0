"""Validators' seals in place of a trusted block: proofs and lists of validators on sealed chains, without any chain."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit.proofs.checking import check_proof
from audit.proofs.proof_file import ProofFile, encode_proof_file, parse_proof_file
from audit.proofs.proving import prove_events
from audit.proofs.seals import TrustedBlock, sealed_block, trusted_block, validators_of
from audit.proofs.validators import Validators, encode_validators, parse_validators
from gateways.ledger.block_bytes import header_bytes
from protocol.checkpoint import Checkpoint
from protocol.errors import AuditError, ConfigError, MalformedError
from protocol.identifiers import AccountAddress, BlockHash
from protocol.ledger_events import LocatedEvent
from tests.audit.paper_chain import PaperChain, paper_chain
from tests.audit.sealed_chain import KEYS, VALIDATORS, Sealing, account, resealed, sealed_chain, validators_on
from tests.gateways.test_bft_header import SEALED
from tests.protocol.builders import Network

SEALINGS = {
    "QBFT": Sealing(),
    "QBFT, round 300": Sealing(round=300),
    "QBFT, all seal and vote one in": Sealing(signers=KEYS, vote=[bytes(20), b"\xff"]),
    "QBFT, a vote against": Sealing(vote=[bytes(20), b""]),
    "IBFT 2.0": Sealing(is_ibft=True),
    "IBFT 2.0, round 3 and a vote against": Sealing(is_ibft=True, round=3, vote=[bytes(20), b"\x00"]),
}


@pytest.fixture(scope="module")
def network() -> Network:
    made = Network(sites_count=2)
    made.open_round()
    return made


def proof_on(chain: PaperChain, network: Network) -> ProofFile:
    events: list[LocatedEvent] = [network.events[0], network.events[2]]
    return parse_proof_file(encode_proof_file(prove_events(events, chain.checkpoint, chain)))


@pytest.mark.parametrize("sealing", SEALINGS.values(), ids=SEALINGS)
def test_a_proof_stands_on_the_validators_of_its_last_block(network: Network, sealing: Sealing) -> None:
    chain = sealed_chain(paper_chain(network.events, network.identity), sealing)
    proof = proof_on(chain, network)
    kept = parse_validators(encode_validators(validators_on(chain)))
    block = trusted_block(kept, proof.headers[-1])
    assert block == TrustedBlock(chain.checkpoint, tuple(sorted(account(key) for key in sealing.signers)))
    for trusted in (block.checkpoint, chain.checkpoint):
        found = check_proof(proof, trusted)
        assert [one.event for one in found] == [network.events[0].event, network.events[2].event]


def test_a_checkpoint_needs_no_seals() -> None:
    checkpoint = Checkpoint(1, AccountAddress(bytes(20)), 2, BlockHash(bytes(32)))
    assert trusted_block(checkpoint, b"") == TrustedBlock(checkpoint)


def test_a_block_that_more_seal_later_is_the_same_block(network: Network) -> None:
    chain = sealed_chain(paper_chain(network.events, network.identity))
    kept, header = validators_on(chain), chain.blocks[-1].header
    more = resealed(header, Sealing(signers=KEYS, round=2))
    assert more != header
    assert sealed_block(kept, more).checkpoint == sealed_block(kept, header).checkpoint == chain.checkpoint


@pytest.mark.parametrize(
    ("validators", "needed"), [(1, 1), (2, 2), (3, 2), (4, 3), (5, 4), (6, 4), (7, 5), (9, 6), (10, 7)]
)
def test_two_thirds_rounded_up_must_seal(network: Network, validators: int, needed: int) -> None:
    keys = [bytes([number]) * 32 for number in range(1, validators + 1)]
    accounts = tuple(sorted(account(key) for key in keys))
    chain = paper_chain(network.events[:1], network.identity)
    enough = sealed_chain(chain, Sealing(signers=keys[:needed], validators=accounts))
    kept = validators_on(enough)
    assert kept.seals_needed == needed
    assert len(sealed_block(kept, enough.blocks[-1].header).sealed_by) == needed
    short = resealed(enough.blocks[-1].header, Sealing(signers=keys[: needed - 1], validators=accounts))
    with pytest.raises(AuditError, match=rf"{needed - 1} of {validators} validators sealed block \d+, not {needed}"):
        sealed_block(kept, short)


def test_a_header_may_list_its_validators_in_any_order(network: Network) -> None:
    chain = sealed_chain(paper_chain(network.events, network.identity), Sealing(validators=VALIDATORS[::-1]))
    assert validators_on(chain).accounts == VALIDATORS


@pytest.mark.parametrize("vector", [vector for vector in SEALED if vector["sealed_by"]], ids=lambda one: one["name"])
def test_the_seals_of_a_header_that_besu_served_are_its_validators(vector: dict[str, Any]) -> None:
    header = header_bytes(vector["block"])
    accounts = tuple(sorted(AccountAddress.from_hex(each) for each in vector["validators"]))
    kept = Validators(
        Checkpoint(1, AccountAddress(bytes(20)), 1, BlockHash(bytes(32))), 1, BlockHash(bytes(32)), accounts
    )
    block = sealed_block(kept, header)
    assert sorted(each.hex() for each in block.sealed_by) == sorted(vector["sealed_by"])
    assert str(block.checkpoint.block_hash) == vector["block"]["hash"]
    (left, *_) = block.sealed_by
    with pytest.raises(AuditError, match=r"at the step seals: .* names other validators"):
        sealed_block(dataclasses.replace(kept, accounts=tuple(each for each in accounts if each != left)), header)


def test_a_chain_that_nobody_seals_has_no_validators(network: Network) -> None:
    chain = paper_chain(network.events, network.identity)
    with pytest.raises(ConfigError, match=r"bears no seals: no header of QBFT or IBFT 2\.0"):
        validators_on(chain)


def test_validators_that_a_contract_names_are_in_no_header(network: Network) -> None:
    chain = sealed_chain(paper_chain(network.events, network.identity), Sealing(validators=()))
    with pytest.raises(ConfigError, match="a contract of the chain does"):
        validators_on(chain)


def test_an_endpoint_whose_block_is_not_sealed_by_its_validators_gives_no_list(network: Network) -> None:
    chain = sealed_chain(paper_chain(network.events, network.identity), Sealing(signers=KEYS[:2]))
    with pytest.raises(AuditError, match="2 of 4 validators sealed"):
        validators_of(chain.blocks[-1].header, network.identity)


def test_a_list_of_validators_has_one_spelling(network: Network) -> None:
    kept = validators_on(sealed_chain(paper_chain(network.events, network.identity)))
    data = encode_validators(kept)
    one = str(kept.accounts[0]).encode()
    others = {
        "another format": data.replace(b"validators/1", b"validators/2"),
        "twice": data.replace(str(kept.accounts[1]).encode(), one),
        "none": data.replace(b",".join(b'"%s"' % str(each).encode() for each in kept.accounts), b""),
        "upper case": data.replace(one, b"0x" + one[2:].upper()),
        "another order": data.replace(one, b"0x" + b"f" * 40),
    }
    for name, other in others.items():
        assert other != data, name
        with pytest.raises(MalformedError):
            parse_validators(other)


@given(st.binary(max_size=200))
def test_bytes_that_are_no_list_or_no_header_are_refused(data: bytes) -> None:
    with pytest.raises(MalformedError):
        parse_validators(data)
    kept = Validators(
        Checkpoint(1, AccountAddress(bytes(20)), 1, BlockHash(bytes(32))), 1, BlockHash(bytes(32)), VALIDATORS
    )
    with pytest.raises(AuditError, match="at the step seals"):
        sealed_block(kept, data)
