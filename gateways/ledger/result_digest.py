"""The digest under which the contract counts votes (docs/spec/round.md, "Result digest")."""

from __future__ import annotations

from dataclasses import fields

from protocol.identifiers import Digest
from protocol.ledger_calls import AttestResult
from protocol.ports import ChainIdentity

_TYPES = (
    "uint256",
    "address",
    "bytes32",
    "uint64",
    "bytes32",
    "bytes32",
    "bytes32",
    "bytes32",
    "bytes32",
    "uint256",
    "bytes",
)


def result_digest_of(identity: ChainIdentity, result: AttestResult) -> Digest:
    """keccak-256 over the ABI encoding of (chain id, contract, all fields of the result)."""
    from eth_abi import abi as eth_abi  # noqa: PLC0415 - loads for half a second
    from eth_utils.crypto import keccak  # noqa: PLC0415

    values = [getattr(result, field.name) for field in fields(result)]
    return Digest(keccak(eth_abi.encode(_TYPES, [identity.chain_id, identity.contract_address, *values])))
