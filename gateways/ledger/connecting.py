"""Connects a process to the chain that its settings name."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gateways.ledger.web3_ledger import Web3Ledger
    from gateways.settings import ChainSettings
    from protocol.deployment import Deployment


def connect(chain: ChainSettings, deployment: Deployment, *, signer_key: bytes | None = None) -> Web3Ledger:
    """The deployment's chain; with a key (32 bytes, secp256k1) the ledger signs, else it only reads.

    Raises:
        ConfigError: A URL is none.
        WrongChainError: The endpoint serves another chain.
        LedgerUnavailableError: No answer, or two endpoints that disagree.
    """
    from gateways.ledger.web3_ledger import Web3Ledger  # noqa: PLC0415 - the ABI loads for half a second

    return Web3Ledger.connect(
        chain.rpc_url,
        deployment,
        signer_key=signer_key,
        finality=chain.finality,
        timeout_seconds=chain.timeout_seconds,
        max_fee_gwei=chain.max_fee_gwei,
        compare_rpc_url=chain.compare_rpc_url,
    )
