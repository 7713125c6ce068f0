"""Checkpoints at an auditor (docs/spec/checkpoint.md): of the chain as it is now, or in files that others hand over."""

from __future__ import annotations

from pathlib import Path

from audit.small_files import read_small
from protocol.checkpoint import Checkpoint, encode_checkpoint, parse_checkpoint
from protocol.cosigning import CosignedCheckpoint, parse_cosigned, parse_cosigned_list
from protocol.errors import LedgerUnavailableError, MalformedError
from protocol.ports import Ledger
from protocol.signed_note import MAX_NOTE_BYTES

__all__ = [
    "MAX_CHECKPOINT_BYTES",
    "Checkpoint",
    "checkpoint_at",
    "encode_checkpoint",
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


def read_checkpoint(path: Path) -> Checkpoint:
    """The block of a file, whoever signed it.

    Raises:
        ConfigError: It cannot be read, or is too long.
        MalformedError: Not a checkpoint.
    """
    return parse_checkpoint(read_small(path, MAX_CHECKPOINT_BYTES))


def read_cosigned(path: Path) -> CosignedCheckpoint:
    """The one signed checkpoint of a file.

    Raises:
        ConfigError: It cannot be read, or is too long.
        MalformedError: Not a signed checkpoint; names the file.
    """
    try:
        return parse_cosigned(read_small(path, MAX_CHECKPOINT_BYTES))
    except MalformedError as error:
        raise MalformedError(f"{path}: {error.what}", hint=error.hint) from error


def read_cosigned_list(path: Path) -> tuple[CosignedCheckpoint, ...]:
    """The signed checkpoints of a file, such as a site exports.

    Raises:
        ConfigError: It cannot be read, or is too long.
        MalformedError: One of them is none; names the file.
    """
    try:
        return parse_cosigned_list(read_small(path, _MAX_LIST_BYTES))
    except MalformedError as error:
        raise MalformedError(f"{path}: {error.what}", hint=error.hint) from error
