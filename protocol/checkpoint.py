"""A checkpoint (docs/spec/checkpoint.md): a block that somebody trusts or signs, as text to compare and keep.

The body has the shape of a transparency log's note (C2SP tlog-checkpoint): an origin, a number, a hash, one a line. The
origin names chain and contract, so a checkpoint of one network is none of another.
"""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass

from protocol.errors import MalformedError
from protocol.identifiers import AccountAddress, BlockHash

_ORIGIN = re.compile(r"fedrx/(0|[1-9][0-9]{0,15})/(0x[0-9a-f]{40})")
_NUMBER = re.compile(r"0|[1-9][0-9]{0,15}")


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A block of a deployment's chain."""

    chain_id: int
    contract_address: AccountAddress
    number: int
    block_hash: BlockHash

    @property
    def origin(self) -> str:
        """Which chain and contract."""
        return f"fedrx/{self.chain_id}/{str(self.contract_address).lower()}"


def encode_checkpoint(checkpoint: Checkpoint) -> bytes:
    """The note's body."""
    digest = base64.b64encode(checkpoint.block_hash).decode("ascii")
    return f"{checkpoint.origin}\n{checkpoint.number}\n{digest}\n".encode("ascii")


def parse_checkpoint(data: bytes) -> Checkpoint:
    """Reads a checkpoint; lines after the body's three are other parties' and are left alone.

    Raises:
        MalformedError: Not one.
    """
    try:
        origin, number, digest, *_ = data.decode("utf-8").split("\n")
        named = _ORIGIN.fullmatch(origin)
        block_hash = base64.b64decode(digest, validate=True)
    except (UnicodeDecodeError, ValueError, binascii.Error) as error:
        raise MalformedError("not a checkpoint", hint="its lines are: origin, block number, block hash") from error
    if named is None or not _NUMBER.fullmatch(number) or base64.b64encode(block_hash).decode("ascii") != digest:
        raise MalformedError("not a checkpoint", hint="its lines are: origin, block number, block hash")
    return Checkpoint(int(named[1]), AccountAddress.from_hex(named[2]), int(number), BlockHash(block_hash))
