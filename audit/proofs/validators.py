"""The validators of a QBFT or IBFT 2.0 chain (docs/spec/checkpoint.md, section 8), as a file to keep and trust."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from audit.small_files import parsed, read_small
from protocol import canonical_json
from protocol.canonical_json import expect_int, expect_list, expect_str
from protocol.checkpoint import Checkpoint
from protocol.errors import MalformedError
from protocol.identifiers import AccountAddress, BlockHash

FORMAT = "fedrx-validators/1"
_MAX_BYTES = 1 << 20
_KEYS = frozenset(
    {"format", "chain_id", "contract_address", "deployment_block_number", "deployment_block_hash", "block_number",
     "block_hash", "validators"}
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Validators:
    """Whose seals make a block of a chain final. Trusted as a deployment file is."""

    read_at: Checkpoint
    """The block whose header named them."""
    deployment_block_number: int
    deployment_block_hash: BlockHash
    """Tells the chain from another that the same validators seal, where a file goes back to the deployment."""
    accounts: tuple[AccountAddress, ...]
    """Ascending; one at least."""

    @property
    def seals_needed(self) -> int:
        """How many must seal a block: two thirds, rounded up."""
        return (2 * len(self.accounts) + 2) // 3


def encode_validators(validators: Validators) -> bytes:
    """The file's bytes."""
    read_at = validators.read_at
    return canonical_json.encode(
        {
            "format": FORMAT,
            "chain_id": read_at.chain_id,
            "contract_address": str(read_at.contract_address),
            "deployment_block_number": validators.deployment_block_number,
            "deployment_block_hash": str(validators.deployment_block_hash),
            "block_number": read_at.number,
            "block_hash": str(read_at.block_hash),
            "validators": [str(account) for account in validators.accounts],
        }
    )


def parse_validators(data: bytes) -> Validators:
    """Reads what ``encode_validators`` wrote.

    Raises:
        MalformedError: Not such a file, no validators, or not in ascending order.
    """
    value = canonical_json.parse_object(data, _KEYS)
    if value["format"] != FORMAT:
        raise MalformedError(f"not a {FORMAT} file", hint="make one with fedrx audit validators")
    read_at = Checkpoint(
        chain_id=expect_int(value["chain_id"]),
        contract_address=AccountAddress.from_hex(expect_str(value["contract_address"])),
        number=expect_int(value["block_number"]),
        block_hash=BlockHash.from_hex(expect_str(value["block_hash"])),
    )
    validators = Validators(
        read_at,
        expect_int(value["deployment_block_number"]),
        BlockHash.from_hex(expect_str(value["deployment_block_hash"])),
        tuple(AccountAddress.from_hex(expect_str(account)) for account in expect_list(value["validators"])),
    )
    if not validators.accounts or list(validators.accounts) != sorted(set(validators.accounts)):
        raise MalformedError("the validators are not in ascending order, each once", hint="one at least is needed")
    if encode_validators(validators) != data:
        raise MalformedError("the list of validators is not in its canonical spelling", hint="write hex in lower case")
    return validators


def read_validators(path: Path) -> Validators:
    """The list of a file.

    Raises:
        ConfigError: It cannot be read, or is too long.
        MalformedError: Not such a file.
    """
    return parsed(path, read_small(path, _MAX_BYTES), parse_validators, "fedrx audit validators")
