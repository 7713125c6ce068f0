"""A proof stands against its checkpoint and nothing else; every change of any part of it is named."""

from __future__ import annotations

import base64
import dataclasses
from collections.abc import Iterator

import pytest
import rlp
from hypothesis import given, settings
from hypothesis import strategies as st
from trie.hexary import HexaryTrie

from audit.names import Names
from audit.proofs.checking import check_proof
from audit.proofs.checkpoint import Checkpoint, encode_checkpoint, parse_checkpoint
from audit.proofs.proof_file import ProofFile, encode_proof_file, parse_proof_file
from audit.proofs.proving import prove_events
from audit.proofs.sentences import shown
from gateways.ledger.block_bytes import header_bytes, parse_header, parse_receipt, proven_receipt, receipt_proof
from gateways.ledger.block_reader import BlockReader
from gateways.ledger.contract_abi import contract_abi
from gateways.ledger.deploying import deploy, unlocked_accounts
from gateways.ledger.rpc import RPCEndpoint
from gateways.ledger.signers import UnlockedAccount
from gateways.ledger.web3_ledger import Web3Ledger
from protocol import ledger_events as ev
from protocol.errors import AuditError, LedgerUnavailableError, MalformedError
from protocol.identifiers import AccountAddress, BlockHash, Digest, site_id_of
from protocol.ledger_calls import AdmitSite
from scripts.local_chain import LocalChain

NAMES = Names([f"site-{number}" for number in range(20)])


@dataclasses.dataclass(frozen=True)
class Stage:
    chain: LocalChain
    ledger: Web3Ledger
    events: tuple[ev.LocatedEvent, ...]
    checkpoint: Checkpoint

    @property
    def reader(self) -> BlockReader:
        return BlockReader(RPCEndpoint(self.chain.url, timeout_seconds=30))


@pytest.fixture(scope="module")
def stage() -> Iterator[Stage]:
    """A contract with twenty admissions in one block, and some blocks behind it."""
    with LocalChain("anvil") as chain:
        governor = unlocked_accounts(chain.url)[0]
        deployment = deploy(chain.url, UnlockedAccount(governor), governor=governor)
        chain.rpc("evm_setAutomine", False)
        for number in range(20):
            call = AdmitSite(
                site_id_of(f"site-{number}"), AccountAddress(bytes([number + 1] * 20)), Digest(bytes([7] * 32))
            )
            data = "0x" + contract_abi().encode_call(call).hex()
            to = str(deployment.contract_address)
            chain.rpc("eth_sendTransaction", {"from": str(governor), "to": to, "data": data, "gas": hex(300_000)})
        chain.rpc("evm_mine")
        for _ in range(5):
            chain.rpc("evm_mine")
        ledger = Web3Ledger.connect(chain.url, deployment)
        head = ledger.head()
        events = tuple(ledger.events(0, head.number))
        mark = Checkpoint(deployment.chain_id, deployment.contract_address, head.number, head.block_hash)
        yield Stage(chain, ledger, events, mark)


@pytest.fixture(scope="module")
def proof(stage: Stage) -> ProofFile:
    admitted = [located for located in stage.events if isinstance(located.event, ev.SiteAdmitted)]
    return prove_events([admitted[3], admitted[17]], stage.checkpoint, stage.reader)


pytestmark = pytest.mark.chain


def test_a_proof_shows_its_events_without_the_chain(stage: Stage, proof: ProofFile) -> None:
    assert len({located.position.block_number for located in stage.events[1:]}) == 1
    found = check_proof(parse_proof_file(encode_proof_file(proof)), stage.checkpoint)
    assert [one.event.site_id for one in found] == [site_id_of("site-3"), site_id_of("site-17")]
    assert found[0].timestamp == stage.events[1].position.timestamp
    said = list(shown(found, NAMES))
    assert any("site site-17 was admitted" in sentence for sentence in said)
    assert f"    key digest {found[1].event.key_digest}" in said


def test_every_event_of_the_chain_can_be_proven(stage: Stage) -> None:
    found = check_proof(prove_events(stage.events, stage.checkpoint, stage.reader), stage.checkpoint)
    assert [one.event for one in found] == [located.event for located in stage.events]


def test_a_checkpoint_may_be_the_block_of_the_event(stage: Stage) -> None:
    at = stage.events[-1].position
    mark = dataclasses.replace(stage.checkpoint, number=at.block_number, block_hash=at.block_hash)
    made = prove_events([stage.events[-1]], mark, stage.reader)
    assert len(made.headers) == 1
    assert check_proof(made, mark)[0].event == stage.events[-1].event


def test_an_event_behind_the_checkpoint_is_not_proven(stage: Stage) -> None:
    early = dataclasses.replace(stage.checkpoint, number=stage.events[-1].position.block_number - 1)
    with pytest.raises(AuditError, match="before the event"):
        prove_events([stage.events[-1]], early, stage.reader)


def flipped(data: bytes, place: int) -> bytes:
    return data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :]


@pytest.mark.parametrize(
    ("step", "change"),
    [
        ("checkpoint", lambda p: dataclasses.replace(p, headers=p.headers[:-1])),
        ("checkpoint", lambda p: dataclasses.replace(p, headers=())),
        ("checkpoint", lambda p: dataclasses.replace(p, chain_id=p.chain_id + 1)),
        ("checkpoint", lambda p: dataclasses.replace(p, contract_address=AccountAddress(bytes(20)))),
        ("headers", lambda p: dataclasses.replace(p, headers=(p.headers[0], *p.headers[2:]))),
        ("headers", lambda p: dataclasses.replace(p, headers=p.headers[1:])),
        ("headers", lambda p: dataclasses.replace(p, headers=(b"\xc0", *p.headers[1:]))),
        ("headers", lambda p: dataclasses.replace(p, headers=(p.headers[0] + b"\0", *p.headers[1:]))),
        ("receipt", lambda p: changed_event(p, nodes=())),
        ("receipt", lambda p: changed_event(p, nodes=p.events[1].nodes)),
        ("receipt", lambda p: changed_event(p, transaction_index=4)),
        ("receipt", lambda p: changed_event(p, transaction_index=400)),
        ("headers", lambda p: changed_event(p, block_number=0)),
        ("log", lambda p: changed_event(p, log_in_receipt=1)),
        ("log", lambda p: dataclasses.replace(p, events=())),
    ],
)
def test_what_was_changed_is_named_by_its_step(stage: Stage, proof: ProofFile, step: str, change) -> None:
    with pytest.raises(AuditError, match=f"at the step {step}"):
        check_proof(change(proof), stage.checkpoint)


def changed_event(proof: ProofFile, **fields: object) -> ProofFile:
    return dataclasses.replace(proof, events=(dataclasses.replace(proof.events[0], **fields), proof.events[1]))


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_no_flipped_bit_of_a_header_or_node_goes_through(stage: Stage, proof: ProofFile, data: st.DataObject) -> None:
    if data.draw(st.booleans()):
        which = data.draw(st.integers(0, len(proof.headers) - 1))
        header = flipped(proof.headers[which], data.draw(st.integers(0, len(proof.headers[which]) - 1)))
        false = dataclasses.replace(proof, headers=(*proof.headers[:which], header, *proof.headers[which + 1 :]))
    else:
        nodes = proof.events[0].nodes
        which = data.draw(st.integers(0, len(nodes) - 1))
        node = flipped(nodes[which], data.draw(st.integers(0, len(nodes[which]) - 1)))
        false = changed_event(proof, nodes=(*nodes[:which], node, *nodes[which + 1 :]))
    with pytest.raises(AuditError, match="the proof fails at the step"):
        check_proof(false, stage.checkpoint)


def test_another_block_of_the_same_number_is_no_checkpoint(stage: Stage, proof: ProofFile) -> None:
    other = dataclasses.replace(stage.checkpoint, block_hash=BlockHash(b"\x01" * 32))
    with pytest.raises(AuditError, match="checkpoint"):
        check_proof(proof, other)


def test_another_contracts_log_is_not_the_contracts(stage: Stage, proof: ProofFile) -> None:
    stranger = AccountAddress(b"\x09" * 20)
    with pytest.raises(AuditError, match="at the step log"):
        check_proof(
            dataclasses.replace(proof, contract_address=stranger),
            dataclasses.replace(stage.checkpoint, contract_address=stranger),
        )


@pytest.mark.parametrize("count", [1, 2, 16, 17, 127, 128, 129, 300])
def test_each_receipt_of_a_block_has_a_proof_of_its_own(count: int) -> None:
    receipts = [number.to_bytes(2, "big") * 40 for number in range(count)]
    trie = HexaryTrie({})
    for place, receipt in enumerate(receipts):
        trie[rlp.encode(place)] = receipt
    for place in {0, 1, count // 2, count - 1} & set(range(count)):
        nodes = receipt_proof(receipts, place, trie.root_hash)
        assert proven_receipt(nodes, place, trie.root_hash) == receipts[place]
        with pytest.raises(MalformedError):
            proven_receipt(nodes, place + 1, trie.root_hash)
        with pytest.raises(MalformedError):
            proven_receipt(nodes[:-1], place, trie.root_hash)
        with pytest.raises(MalformedError):
            proven_receipt((*nodes, nodes[-1]), place, trie.root_hash)


def test_receipts_that_do_not_have_the_root_are_no_proof() -> None:
    with pytest.raises(LedgerUnavailableError, match="do not give its receipts root"):
        receipt_proof([b"one" * 20], 0, b"\x01" * 32)


@given(st.binary(max_size=200))
def test_bytes_that_are_no_proof_are_malformed(data: bytes) -> None:
    for read in (parse_proof_file, parse_header, parse_receipt, parse_checkpoint):
        with pytest.raises(MalformedError):
            read(data)
    with pytest.raises(MalformedError):
        proven_receipt([data], 0, b"\x01" * 32)


def test_lists_nested_without_end_are_malformed() -> None:
    deep = b"\xc0"
    for _ in range(3):
        deep = bytes([0xC0 + len(deep)]) + deep
    assert parse_error(deep) == "no transaction receipt"
    endless = b"\xc0"
    for _ in range(20_000):
        size = len(endless)
        head = bytes([0xC0 + size]) if size < 56 else b""
        if not head:
            length = size.to_bytes((size.bit_length() + 7) // 8, "big")
            head = bytes([0xF7 + len(length)]) + length
        endless = head + endless
    assert "nested too deep" in parse_error(endless)


def parse_error(data: bytes) -> str:
    with pytest.raises(MalformedError) as caught:
        parse_receipt(data)
    return str(caught.value)


def test_an_endpoint_that_changes_a_field_of_a_header_is_caught(stage: Stage) -> None:
    block = stage.chain.rpc("eth_getBlockByNumber", "latest", False)
    assert parse_header(header_bytes(block)).block_hash == stage.checkpoint.block_hash
    for name in ("timestamp", "receiptsRoot", "gasUsed", "stateRoot"):
        with pytest.raises(LedgerUnavailableError, match="do not give its hash"):
            header_bytes(block | {name: block[name][:-1] + ("7" if block[name][-1] != "7" else "8")})


def test_a_checkpoint_is_three_lines_and_comes_back(stage: Stage) -> None:
    text = encode_checkpoint(stage.checkpoint)
    assert text.decode().splitlines() == [
        f"fedrx/{stage.checkpoint.chain_id}/{stage.checkpoint.contract_address!s}",
        str(stage.checkpoint.number),
        base64.b64encode(stage.checkpoint.block_hash).decode(),
    ]
    assert parse_checkpoint(text) == stage.checkpoint
    assert parse_checkpoint(text + "\n— site-1 c2lnbmF0dXJl\n".encode()) == stage.checkpoint


@pytest.mark.parametrize(
    "text",
    ["", "fedrx/1/0x" + "ab" * 20 + "\n5\n", "other/1/0x" + "ab" * 20 + "\n5\n" + "A" * 43 + "=\n",
     "fedrx/01/0x" + "ab" * 20 + "\n5\n" + "A" * 43 + "=\n", "fedrx/1/0x" + "ab" * 20 + "\n-5\n" + "A" * 43 + "=\n",
     "fedrx/1/0x" + "ab" * 20 + "\n5\nAAAA\n"],
)  # fmt: skip
def test_a_checkpoint_of_another_shape_is_malformed(text: str) -> None:
    with pytest.raises(MalformedError):
        parse_checkpoint(text.encode())
