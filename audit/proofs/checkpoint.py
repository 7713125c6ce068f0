"""Checkpoints at an auditor (docs/spec/checkpoint.md): of the chain as it is now, or in files that others hand over."""

from __future__ import annotations

from pathlib import Path

from audit.small_files import parsed, read_small
from protocol.checkpoint import Checkpoint, encode_checkpoint, parse_checkpoint
from protocol.cosigning import CosignedCheckpoint, parse_cosigned, parse_cosigned_list
from protocol.errors import ConfigError, LedgerUnavailableError
from protocol.ports import Ledger
from protocol.signed_note import MAX_NOTE_BYTES

__all__ = [
    "MAX_CHECKPOINT_BYTES",
    "Checkpoint",
    "checkpoint_at",
    "encode_checkpoint",
    "last_block",
    "parse_checkpoint",
    "read_checkpoint",
    "read_cosigned",
    "read_cosigned_list",
]

MAX_CHECKPOINT_BYTES = MAX_NOTE_BYTES
_MAX_LIST_BYTES = 16 << 20
"""Tens of thousands of a site's checkpoints."""


def checkpoint_at(ledger: Ledger, block: int | None) -> Checkpoint:
    """A block of the chain, the newest final one when None.

    Raises:
        LedgerUnavailableError: No answer, or no such block yet.
    """
    number = ledger.head().number if block is None else block
    block_hash = ledger.block_hash(number)
    if block_hash is None:
        raise LedgerUnavailableError(f"the chain has no block {number} yet", hint="name an earlier one")
    return Checkpoint(ledger.identity.chain_id, ledger.identity.contract_address, number, block_hash)


def last_block(ledger: Ledger, path: Path | None) -> Checkpoint:
    """The block up to which something is proven: a file's checkpoint, the newest final block without one.

    Raises:
        ConfigError: The file cannot be read, or its block is not on this chain.
        MalformedError: Not a checkpoint.
        LedgerUnavailableError: No answer.
    """
    if path is None:
        return checkpoint_at(ledger, None)
    end = read_checkpoint(path)
    ours = (ledger.identity.chain_id, ledger.identity.contract_address)
    if (end.chain_id, end.contract_address) != ours or ledger.block_hash(end.number) != end.block_hash:
        raise ConfigError(
            "the checkpoint is not on this chain", hint="it is another network's, or the chain was rewritten"
        )
    return end


def read_checkpoint(path: Path) -> Checkpoint:
    """The block of a file, whoever signed it.

    Raises:
        ConfigError: It cannot be read, or is too long.
        MalformedError: Not a checkpoint; names the file.
    """
    return parsed(path, read_small(path, MAX_CHECKPOINT_BYTES), parse_checkpoint, "fedrx audit checkpoint")


def read_cosigned(path: Path) -> CosignedCheckpoint:
    """The one signed checkpoint of a file.

    Raises:
        ConfigError: It cannot be read, or is too long.
        MalformedError: Not a signed checkpoint; names the file.
    """
    return parsed(path, read_small(path, MAX_CHECKPOINT_BYTES), parse_cosigned, "fedrx audit checkpoint --cosigned")


def read_cosigned_list(path: Path) -> tuple[CosignedCheckpoint, ...]:
    """The signed checkpoints of a file, such as a site exports.

    Raises:
        ConfigError: It cannot be read, or is too long.
        MalformedError: One of them is none; names the file.
    """
    return parsed(path, read_small(path, _MAX_LIST_BYTES), parse_cosigned_list, "fedrx node checkpoints --export")
