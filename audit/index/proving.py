"""Shows that an index holds every event of the contract up to a block that the auditor trusts.

An endpoint that leaves out an event fills an index without it, and tells the same whenever it is asked again. All
receipts of all blocks, which nobody can shorten, tell what it left out.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from sqlalchemy import Engine

from audit.bundle.chain import ProvenChain, prove_chain, write_blocks
from audit.bundle.steps import StepFailedError
from audit.index.checking import check_page, last_block_of, pages_of, rows_of, same_rows
from audit.index.database import deployment_number
from audit.index.filling import row_of
from audit.index.tables import place_of
from audit.proofs.checkpoint import Checkpoint
from gateways.data_folder import store_error
from gateways.ledger.block_bytes import parse_header
from gateways.ledger.block_reader import WholeBlock
from protocol.deployment import Deployment
from protocol.errors import AuditError, ConfigError
from protocol.identifiers import BlockHash

_ASK_ANOTHER = "fill a new one from another endpoint, and check that one"


class Blocks(Protocol):
    """Who reads blocks (``gateways.ledger.block_reader.BlockReader``)."""

    def headers(self, first: int, last: int) -> tuple[bytes, ...]:
        """The headers of both blocks and between, as RLP."""

    def whole_blocks(self, first: int, last: int) -> Iterator[WholeBlock]:
        """Both blocks and those between, with all of their receipts."""


@dataclass(frozen=True, slots=True)
class ProvenIndex:
    """What is shown of an index."""

    events: int
    """Up to the checkpoint, none left out and none made up."""
    blocks: int
    """Whose headers and receipts show it."""


def prove_index(
    engine: Engine,
    deployment: Deployment,
    checkpoint: Checkpoint,
    blocks: Blocks,
    work_folder: Path | None,
    progress: Callable[[int, int], None],
) -> ProvenIndex:
    """Compares the index, up to a checkpoint, with all receipts of all blocks since the contract's deployment.

    A transaction's hash is in no receipt: that column is the endpoint's word (``check_index`` compares it).

    Args:
        engine: As ``open_database`` gives it.
        deployment: From anybody: what it says of the contract's first block is checked.
        checkpoint: Trusted.
        blocks: Of any endpoint: nothing that it says is believed without its hash.
        work_folder: Takes all headers and receipts meanwhile; None for the machine's own.
        progress: Called with the number of blocks read and of all blocks.

    Raises:
        AuditError: A row is not the chain's, says which and how; or the endpoint's chain is not the checkpoint's.
        ConfigError: The checkpoint is another network's, or the index does not reach it.
        LedgerUnavailableError: No answer, or one that does not have its hash.
        StoreError: The database refuses, or the disk is full.
    """
    number = deployment_number(engine, deployment.identity)
    _check_reach(deployment, checkpoint, last_block_of(engine, number))
    (newest,) = blocks.headers(checkpoint.number, checkpoint.number)
    if parse_header(newest).block_hash != checkpoint.block_hash:
        raise _another_chain(f"its block {checkpoint.number} is another")
    pages = {block: kept for block, kept in pages_of(engine, number).items() if block <= checkpoint.number}
    read = _Reading(blocks.whole_blocks(deployment.deployment_block_number, checkpoint.number), frozenset(pages))
    chain = _proven(read, deployment, checkpoint, work_folder, progress)
    kept = map(_provable, rows_of(engine, number, place_of(checkpoint.number + 1, 0) - 1))
    true = (_provable(row_of(number, located)) for located in chain.events)
    events = same_rows(kept, true, hint=_ASK_ANOTHER)
    for block, page in pages.items():
        check_page(block, page, read.hashes.get(block))
    return ProvenIndex(events, chain.blocks)


class _Reading:
    """Passes blocks on, and keeps the hashes of some."""

    def __init__(self, blocks: Iterator[WholeBlock], wanted: frozenset[int]) -> None:
        self._blocks = blocks
        self._wanted = wanted
        self.hashes: dict[int, BlockHash] = {}

    def __iter__(self) -> Iterator[WholeBlock]:
        for block in self._blocks:
            header = parse_header(block.header)
            if header.number in self._wanted:
                self.hashes[header.number] = header.block_hash
            yield block


def _check_reach(deployment: Deployment, checkpoint: Checkpoint, last_block: int) -> None:
    if (checkpoint.chain_id, checkpoint.contract_address) != (deployment.chain_id, deployment.contract_address):
        raise ConfigError("the checkpoint is another network's", hint="name one of this chain and contract")
    if checkpoint.number < deployment.deployment_block_number:
        raise ConfigError(
            f"block {checkpoint.number} of the checkpoint is before the contract's deployment",
            hint="name a later checkpoint",
        )
    if last_block < checkpoint.number:
        raise ConfigError(
            f"the index ends at block {last_block}, before block {checkpoint.number} of the checkpoint",
            hint="fedrx audit trail --index fills it",
        )


def _proven(
    read: _Reading,
    deployment: Deployment,
    checkpoint: Checkpoint,
    work_folder: Path | None,
    progress: Callable[[int, int], None],
) -> ProvenChain:
    total = checkpoint.number - deployment.deployment_block_number + 1
    try:
        with (
            tempfile.TemporaryFile(dir=work_folder) as headers,
            tempfile.TemporaryFile(dir=work_folder) as receipts,
        ):
            write_blocks(read, headers, receipts, lambda done: progress(done, total))
            headers.seek(0)
            receipts.seek(0)
            return prove_chain(headers, receipts, deployment, checkpoint)
    except OSError as error:
        raise store_error(error, work_folder or Path(tempfile.gettempdir())) from error
    except StepFailedError as error:
        raise _another_chain(error.why) from error


def _another_chain(why: str) -> AuditError:
    return AuditError(
        f"the endpoint's chain is not that of the deployment and the checkpoint: {why}",
        hint="ask another endpoint, and the sites which block they kept",
    )


def _provable(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name != "tx_hash"}
