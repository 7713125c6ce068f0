"""A chain's blocks as two members, and the events that follow from them with none left out (docs/spec/bundle.md).

A block's receipts root is that of all its receipts and of no others. So whoever holds every header and every receipt
knows every log, and needs neither an index nor the headers' bloom filters to be honest.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import BinaryIO

from audit.bundle.steps import Step, failed
from audit.proofs.checkpoint import Checkpoint
from audit.proofs.places import place_of
from gateways.ledger.block_bytes import (
    MAX_BLOCK_RECEIPTS_BYTES,
    MAX_HEADER_BYTES,
    NO_RECEIPTS_ROOT,
    Header,
    encode_receipts,
    parse_header,
    parse_receipt,
    parse_receipts,
    receipts_root,
)
from gateways.ledger.block_reader import WholeBlock
from protocol.deployment import Deployment
from protocol.errors import MalformedError
from protocol.identifiers import AccountAddress
from protocol.ledger_events import GovernorChanged, LocatedEvent

_SHORT_LIST, _LONG_LIST = 0xC0, 0xF7


@dataclass(frozen=True, slots=True)
class ProvenChain:
    """What a bundle's blocks show."""

    events: tuple[LocatedEvent, ...]
    """Every event of the contract up to the checkpoint; places as in ``audit.proofs.places``."""
    blocks: int
    transactions: int


def write_blocks(
    blocks: Iterable[WholeBlock], headers: BinaryIO, receipts: BinaryIO, progress: Callable[[int], None]
) -> None:
    """Writes blocks as a bundle's two members.

    Args:
        blocks: In order.
        headers: Takes the RLP of each header.
        receipts: Takes, for each block with transactions, the RLP list of all its receipts.
        progress: Called with the number of blocks written so far.

    Raises:
        OSError: The disk is full or refuses.
    """
    for done, block in enumerate(blocks, start=1):
        headers.write(block.header)
        if block.receipts:
            receipts.write(encode_receipts(block.receipts))
        progress(done)


def prove_chain(headers: BinaryIO, receipts: BinaryIO, deployment: Deployment, checkpoint: Checkpoint) -> ProvenChain:
    """Every event of a contract, from nothing but a block that the reader trusts.

    Args:
        headers: What ``write_blocks`` wrote, from anybody.
        receipts: Likewise.
        deployment: From anybody: what it says of the contract's first block is checked.
        checkpoint: Trusted.

    Raises:
        AuditError: A step failed; the message names it.
    """
    events: list[LocatedEvent] = []
    blocks = transactions = 0
    for header in _linked(headers, deployment, checkpoint):
        in_block = _receipts_of(header, receipts)
        events.extend(_events_of(header, in_block, deployment.contract_address))
        blocks, transactions = blocks + 1, transactions + len(in_block)
    if receipts.read(1):
        raise failed(Step.RECEIPTS, "there are receipts of more blocks than there are")
    first = events[0] if events else None
    # The constructor says it, and nothing of the contract can be before: later blocks alone would not begin with it.
    founding = GovernorChanged(AccountAddress.zero(), deployment.governor)
    if first is None or first.event != founding or first.position.block_number != deployment.deployment_block_number:
        raise failed(Step.EVENTS, "the first event is not the contract's deployment")
    return ProvenChain(tuple(events), blocks, transactions)


def last_header(headers: BinaryIO) -> bytes:
    """The last header of what ``write_blocks`` wrote, as RLP; empty when there is none.

    Raises:
        AuditError: The member is no headers.
    """
    last = b""
    while data := _next_header_bytes(headers):
        last = data
    return last


def _linked(stream: BinaryIO, deployment: Deployment, checkpoint: Checkpoint) -> Iterator[Header]:
    """Headers from the deployment's to the checkpoint's, each when the one behind it, or the checkpoint, names it."""
    header = _next_header(stream)
    started = (deployment.deployment_block_number, deployment.deployment_block_hash)
    if header is None or (header.number, header.block_hash) != started:
        raise failed(Step.HEADERS, "the first block is not that of the deployment")
    while (child := _next_header(stream)) is not None:
        if (child.number, child.parent_hash) != (header.number + 1, header.block_hash):
            raise failed(Step.HEADERS, f"block {header.number} is not the parent of the block behind it")
        yield header
        header = child
    if (header.number, header.block_hash) != (checkpoint.number, checkpoint.block_hash):
        raise failed(Step.HEADERS, f"the last block is not block {checkpoint.number} of the checkpoint")
    yield header


def _next_header(stream: BinaryIO) -> Header | None:
    data = _next_header_bytes(stream)
    try:
        return parse_header(data) if data else None
    except MalformedError as error:
        raise failed(Step.HEADERS, error.what) from error


def _next_header_bytes(stream: BinaryIO) -> bytes:
    try:
        return _next_list(stream, MAX_HEADER_BYTES)
    except MalformedError as error:
        raise failed(Step.HEADERS, error.what) from error


def _receipts_of(header: Header, stream: BinaryIO) -> tuple[bytes, ...]:
    if header.receipts_root == NO_RECEIPTS_ROOT:
        return ()
    try:
        receipts = parse_receipts(_next_list(stream, MAX_BLOCK_RECEIPTS_BYTES))
    except MalformedError as error:
        raise failed(Step.RECEIPTS, f"{error.what} (block {header.number})") from error
    if receipts_root(receipts) != header.receipts_root:
        raise failed(Step.RECEIPTS, f"they are not all receipts of block {header.number}, or others")
    return receipts


def _events_of(header: Header, receipts: Iterable[bytes], contract: AccountAddress) -> Iterator[LocatedEvent]:
    # Imported here: the ABI loads for half a second.
    from gateways.ledger.contract_abi import contract_abi  # noqa: PLC0415

    log_index = -1
    for transaction_index, receipt in enumerate(receipts):
        try:
            logs = parse_receipt(receipt)
            for log in logs:
                log_index += 1
                event = contract_abi().decode_event(list(log.topics), log.data) if log.address == contract else None
                if event is not None:
                    yield LocatedEvent(place_of(header, transaction_index, log_index), event)
        except MalformedError as error:
            where = f"block {header.number}, transaction {transaction_index}"
            raise failed(Step.EVENTS, f"{error.what} ({where})") from error


def _next_list(stream: BinaryIO, max_bytes: int) -> bytes:
    """The next RLP list of a stream (yellow paper, appendix B), empty at its end.

    Raises:
        MalformedError: No list, one that is cut off, or one longer than ``max_bytes``.
    """
    head = stream.read(1)
    if not head:
        return b""
    if head[0] < _SHORT_LIST:
        raise MalformedError("not an RLP list")
    length = head[0] - _SHORT_LIST
    if head[0] > _LONG_LIST:
        said = stream.read(head[0] - _LONG_LIST)
        head, length = head + said, int.from_bytes(said, "big")
    if length > max_bytes:
        raise MalformedError(f"{length} bytes are too many")
    body = stream.read(length)
    if len(body) != length:
        raise MalformedError("the bytes end within an RLP list")
    return head + body
