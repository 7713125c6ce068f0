"""Puts the contract on a chain. Used by scripts and tests; a site never deploys."""

from __future__ import annotations

from eth_abi import abi as eth_abi

from gateways.ledger import answers
from gateways.ledger.chain_checks import block_hash, check_chain
from gateways.ledger.contract_abi import load_artifact
from gateways.ledger.finality import Finality
from gateways.ledger.rpc import RPCEndpoint
from gateways.ledger.signers import Signer
from gateways.ledger.transactions import REQUEST_TIMEOUT_SECONDS, TransactionSender
from gateways.settings import DEFAULT_MAX_FEE_GWEI
from protocol.deployment import Deployment, Predecessor
from protocol.errors import LedgerUnavailableError
from protocol.identifiers import AccountAddress, digest_of


def deploy(
    rpc_url: str,
    signer: Signer,
    *,
    governor: AccountAddress,
    predecessor: Predecessor | None = None,
    finality: Finality = "latest",
    timeout_seconds: float = 120.0,
    max_fee_gwei: float = DEFAULT_MAX_FEE_GWEI,
) -> Deployment:
    """Deploys the contract of the shipped artifact and checks what came to lie on the chain.

    Raises:
        TransactionRevertedError: The constructor refused, such as a governor that is zero.
        ReceiptTimeoutError: Sent, not yet in a block.
        LedgerUnavailableError: No answer.
        WrongChainError: Other code came to lie at the address.
    """
    artifact = load_artifact()
    endpoint = RPCEndpoint(rpc_url, timeout_seconds=REQUEST_TIMEOUT_SECONDS)
    chain_id = answers.count(endpoint.call("eth_chainId"))
    link = (predecessor.chain_id, predecessor.contract_address) if predecessor else (0, AccountAddress.zero())
    arguments = eth_abi.encode(["address", "(uint64,address)"], [governor, link])
    genesis = block_hash(endpoint, 0)
    if genesis is None:
        raise LedgerUnavailableError("the RPC endpoint knows no genesis block")
    sender = TransactionSender.through_web3(
        rpc_url,
        signer,
        chain_id=chain_id,
        finality=finality,
        timeout_seconds=timeout_seconds,
        max_fee_gwei=max_fee_gwei,
    )
    mined = sender.send(None, artifact.creation_code + arguments)
    if mined.contract_address is None:
        raise LedgerUnavailableError("the RPC endpoint names no contract in the deployment's receipt")
    deployment = Deployment(
        chain_id=chain_id,
        contract_address=mined.contract_address,
        genesis_block_hash=genesis,
        deployment_block_number=mined.block_number,
        deployment_block_hash=mined.block_hash,
        compiler=artifact.compiler,
        creation_code_digest=digest_of("contract-code", artifact.creation_code),
        runtime_code_digest=artifact.runtime_code_digest,
        governor=governor,
        predecessor=predecessor,
    )
    check_chain(endpoint, deployment)
    return deployment


def unlocked_accounts(rpc_url: str) -> list[AccountAddress]:
    """The accounts that a development chain signs for, in its order; empty on any other chain.

    Raises:
        LedgerUnavailableError: No answer.
    """
    endpoint = RPCEndpoint(rpc_url, timeout_seconds=REQUEST_TIMEOUT_SECONDS)
    return answers.accounts(endpoint.call("eth_accounts"))
