"""A deployment of the contract: the file that every party is given (docs/spec/deployment.md).

Canonical JSON. It names the chain by its genesis and deployment block hashes, because two chains may share a chain
id, and the contract by its address and code, because an address may hold other code elsewhere.
"""

from __future__ import annotations

from dataclasses import dataclass

from protocol.canonical_json import JSONValue, encode, expect_int, expect_object, expect_str, parse_object
from protocol.errors import MalformedError
from protocol.identifiers import AccountAddress, BlockHash, Digest
from protocol.ports import ChainIdentity

FORMAT_VERSION = 1
_PREDECESSOR_KEYS = frozenset({"chain_id", "contract_address"})
_KEYS = frozenset(
    {
        "chain_id",
        "compiler",
        "contract_address",
        "creation_code_digest",
        "deployment_block_hash",
        "deployment_block_number",
        "format_version",
        "genesis_block_hash",
        "governor",
        "predecessor",
        "runtime_code_digest",
    }
)


@dataclass(frozen=True, slots=True)
class Predecessor:
    """The deployment before, on this chain or another."""

    chain_id: int
    contract_address: AccountAddress


@dataclass(frozen=True, slots=True)
class Deployment:
    """Which contract on which chain, from which code, under whose governance."""

    chain_id: int
    contract_address: AccountAddress
    genesis_block_hash: BlockHash
    deployment_block_number: int
    deployment_block_hash: BlockHash
    compiler: str
    """Version of solc, such as ``"0.8.37"``."""
    creation_code_digest: Digest
    """``digest_of("contract-code", …)`` of the bytecode that was sent, without the constructor's arguments."""
    runtime_code_digest: Digest
    """``digest_of("contract-code", …)`` of the code at the address."""
    governor: AccountAddress
    """Who governed at deployment; later changes are ``GovernorChanged`` events."""
    predecessor: Predecessor | None

    @property
    def identity(self) -> ChainIdentity:
        """What a ledger checks at start and envelopes are bound to."""
        return ChainIdentity(
            chain_id=self.chain_id,
            contract_address=self.contract_address,
            genesis_block_hash=self.genesis_block_hash,
            deployment_block_number=self.deployment_block_number,
            deployment_block_hash=self.deployment_block_hash,
        )


def encode_deployment(deployment: Deployment) -> bytes:
    """The canonical JSON of a deployment."""
    predecessor = deployment.predecessor
    return encode(
        {
            "format_version": FORMAT_VERSION,
            "chain_id": deployment.chain_id,
            "contract_address": str(deployment.contract_address),
            "genesis_block_hash": str(deployment.genesis_block_hash),
            "deployment_block_number": deployment.deployment_block_number,
            "deployment_block_hash": str(deployment.deployment_block_hash),
            "compiler": deployment.compiler,
            "creation_code_digest": str(deployment.creation_code_digest),
            "runtime_code_digest": str(deployment.runtime_code_digest),
            "governor": str(deployment.governor),
            "predecessor": None
            if predecessor is None
            else {"chain_id": predecessor.chain_id, "contract_address": str(predecessor.contract_address)},
        }
    )


def parse_deployment(data: bytes) -> Deployment:
    """The deployment of canonical bytes.

    Raises:
        MalformedError: Not canonical JSON, a missing or unknown key, another format version, or a bad value.
    """
    value = parse_object(data, _KEYS)
    if value["format_version"] != FORMAT_VERSION:
        raise MalformedError(f"deployment format {value['format_version']} is not known")
    deployment = Deployment(
        chain_id=expect_int(value["chain_id"], low=1),
        contract_address=AccountAddress.from_hex(expect_str(value["contract_address"])),
        genesis_block_hash=BlockHash.from_hex(expect_str(value["genesis_block_hash"])),
        deployment_block_number=expect_int(value["deployment_block_number"]),
        deployment_block_hash=BlockHash.from_hex(expect_str(value["deployment_block_hash"])),
        compiler=expect_str(value["compiler"]),
        creation_code_digest=Digest.from_hex(expect_str(value["creation_code_digest"])),
        runtime_code_digest=Digest.from_hex(expect_str(value["runtime_code_digest"])),
        governor=AccountAddress.from_hex(expect_str(value["governor"])),
        predecessor=_parse_predecessor(value["predecessor"]),
    )
    # Hex may be spelled in several ways that parse; a file has one spelling.
    if encode_deployment(deployment) != data:
        raise MalformedError("the deployment is not in its canonical spelling", hint="write hex in lower case with 0x")
    return deployment


def _parse_predecessor(value: JSONValue) -> Predecessor | None:
    if value is None:
        return None
    found = expect_object(value, _PREDECESSOR_KEYS)
    return Predecessor(
        chain_id=expect_int(found["chain_id"], low=1),
        contract_address=AccountAddress.from_hex(expect_str(found["contract_address"])),
    )
