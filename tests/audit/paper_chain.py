"""Event logs as the blocks and receipts that a chain would have held them in, written down without a chain."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import rlp
from eth_abi import abi as eth_abi
from eth_utils.crypto import keccak

from audit.proofs.checkpoint import Checkpoint
from gateways.ledger.block_bytes import parse_header, receipt_proof, receipts_root
from gateways.ledger.block_reader import ReceiptProof, WholeBlock
from gateways.ledger.contract_abi import FORMAT_VERSION, load_artifact
from protocol import ledger_events as ev
from protocol.deployment import Deployment
from protocol.identifiers import AccountAddress, TxHash, digest_of
from protocol.ports import ChainIdentity

_ENTRIES = {entry["name"]: entry for entry in load_artifact().abi if entry["type"] == "event"}
_NO_BLOOM = bytes(256)


@dataclass(frozen=True)
class PaperChain:
    """Blocks from the first event's to the last one's, in the shape in which ``BlockReader`` reads them."""

    identity: ChainIdentity
    blocks: tuple[WholeBlock, ...]
    transactions: tuple[tuple[TxHash, ...], ...]
    """Of each block."""

    @property
    def checkpoint(self) -> Checkpoint:
        last = parse_header(self.blocks[-1].header)
        return Checkpoint(self.identity.chain_id, self.identity.contract_address, last.number, last.block_hash)

    @property
    def deployment(self) -> Deployment:
        first = parse_header(self.blocks[0].header)
        return Deployment(
            chain_id=self.identity.chain_id,
            contract_address=self.identity.contract_address,
            genesis_block_hash=self.identity.genesis_block_hash,
            deployment_block_number=first.number,
            deployment_block_hash=first.block_hash,
            compiler="0.8.37",
            creation_code_digest=digest_of("contract-code", b"creation"),
            runtime_code_digest=digest_of("contract-code", b"runtime"),
            governor=self._governor,
            predecessor=None,
        )

    @property
    def _governor(self) -> AccountAddress:
        topics = rlp.decode(self.blocks[0].receipts[0][1:])[3][0][1]
        return AccountAddress(topics[2][12:])

    def whole_blocks(self, first: int, last: int) -> Iterator[WholeBlock]:
        yield from self.blocks[first - self._start : last - self._start + 1]

    def headers(self, first: int, last: int) -> tuple[bytes, ...]:
        return tuple(block.header for block in self.whole_blocks(first, last))

    def receipts(self, tx_hashes: Collection[TxHash], header: bytes) -> dict[TxHash, ReceiptProof]:
        parsed = parse_header(header)
        place = parsed.number - self._start
        receipts, found, first_log = self.blocks[place].receipts, {}, 0
        for index, tx_hash in enumerate(self.transactions[place]):
            if tx_hash in tx_hashes:
                found[tx_hash] = ReceiptProof(index, first_log, receipt_proof(receipts, index, parsed.receipts_root))
            first_log += len(rlp.decode(receipts[index][1:])[3])
        return found

    @property
    def _start(self) -> int:
        return parse_header(self.blocks[0].header).number


def paper_chain(events: Sequence[ev.LocatedEvent], identity: ChainIdentity) -> PaperChain:
    """The blocks that hold these events; numbers that no event has become blocks without transactions."""
    blocks: list[WholeBlock] = []
    transactions: list[tuple[TxHash, ...]] = []
    parent, timestamp = bytes(32), 0
    for number in range(events[0].position.block_number, events[-1].position.block_number + 1):
        here = [located for located in events if located.position.block_number == number]
        timestamp = here[0].position.timestamp if here else timestamp
        in_block = tuple(dict.fromkeys(located.position.tx_hash for located in here))
        receipts = tuple(
            _receipt([log_of(each.event, identity) for each in here if each.position.tx_hash == tx_hash])
            for tx_hash in in_block
        )
        header = _header(parent, number, timestamp, receipts)
        parent = parse_header(header).block_hash
        blocks.append(WholeBlock(header, receipts))
        transactions.append(in_block)
    return PaperChain(identity, tuple(blocks), tuple(transactions))


def log_of(event: ev.LedgerEvent, identity: ChainIdentity) -> list[Any]:
    """Address, topics and data, as the contract emits them."""
    entry = _ENTRIES[type(event).__name__]
    values = [_plain(getattr(event, field.name)) for field in dataclasses.fields(event)] + [FORMAT_VERSION]
    inputs = list(zip(entry["inputs"], values, strict=True))
    signature = f"{entry['name']}({','.join(item['type'] for item in entry['inputs'])})"
    topics = [keccak(signature.encode())]
    topics += [eth_abi.encode([item["type"]], [value]) for item, value in inputs if item["indexed"]]
    rest = [(item["type"], value) for item, value in inputs if not item["indexed"]]
    return [identity.contract_address, topics, eth_abi.encode([kind for kind, _ in rest], [value for _, value in rest])]


def _plain(value: Any) -> Any:
    if isinstance(value, AccountAddress):
        return str(value)
    if isinstance(value, bytes):
        return bytes(value)
    return tuple(_plain(item) for item in value) if isinstance(value, tuple) else int(value)


def _receipt(logs: list[Any]) -> bytes:
    return b"\x02" + rlp.encode([b"\x01", b"\x01", _NO_BLOOM, logs])


def _header(parent: bytes, number: int, timestamp: int, receipts: Sequence[bytes]) -> bytes:
    counts = [0, number, 30_000_000, 0, timestamp]
    fields = [parent, bytes(32), bytes(20), bytes(32), bytes(32), receipts_root(receipts), _NO_BLOOM]
    fields += [count.to_bytes((count.bit_length() + 7) // 8, "big") for count in counts]
    return bytes(rlp.encode([*fields, b"", bytes(32), bytes(8)]))
