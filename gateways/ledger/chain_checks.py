"""Whether an endpoint serves the deployment's chain, and whether two endpoints tell the same."""

from __future__ import annotations

from gateways.ledger import answers
from gateways.ledger.finality import Finality
from gateways.ledger.rpc import RPCEndpoint
from protocol.deployment import Deployment
from protocol.errors import LedgerUnavailableError, WrongChainError
from protocol.identifiers import BlockHash, digest_of


def check_chain(endpoint: RPCEndpoint, deployment: Deployment) -> None:
    """Checks that the chain behind an endpoint is the deployment's and holds its code.

    Raises:
        WrongChainError: It is not, or it does not.
        LedgerUnavailableError: No answer.
    """
    chain_id = answers.count(endpoint.call("eth_chainId"))
    if chain_id != deployment.chain_id:
        raise _another_chain(endpoint, f"its chain id is {chain_id}, not {deployment.chain_id}")
    if block_hash(endpoint, 0) != deployment.genesis_block_hash:
        raise _another_chain(endpoint, "its genesis block differs")
    if block_hash(endpoint, deployment.deployment_block_number) != deployment.deployment_block_hash:
        raise _another_chain(endpoint, f"its block {deployment.deployment_block_number} differs or is missing")
    code = answers.blob(endpoint.call("eth_getCode", str(deployment.contract_address), "latest"))
    if not code:
        raise _another_chain(endpoint, f"no contract is at {deployment.contract_address}")
    if digest_of("contract-code", code) != deployment.runtime_code_digest:
        raise _another_chain(endpoint, f"other code is at {deployment.contract_address}")


def head(endpoint: RPCEndpoint, finality: Finality) -> answers.Block:
    """The newest block at a finality.

    Raises:
        LedgerUnavailableError: No answer, or no block is final yet.
    """
    block = answers.block(endpoint.call("eth_getBlockByNumber", finality, False))
    if block is None:
        raise LedgerUnavailableError(
            f"the RPC endpoint {endpoint.shown} knows no final block", hint="wait, or configure another finality"
        )
    return block


def agreed_head(endpoint: RPCEndpoint, other: RPCEndpoint, finality: Finality) -> answers.Block:
    """The newest block at a finality that both endpoints have: what only one of them shows is not believed yet.

    Raises:
        LedgerUnavailableError: No answer from one of the two, or they disagree on that block.
    """
    own = head(endpoint, finality)
    number = min(own.number, head(other, finality).number)
    if number < own.number:
        lower = _block(endpoint, number)
        if lower is None:
            raise _disagreement(endpoint, other, number)
        own = lower
    if block_hash(other, number) != own.block_hash:
        raise _disagreement(endpoint, other, number)
    return own


def block_hash(endpoint: RPCEndpoint, number: int) -> BlockHash | None:
    """The hash of a block on the chain as it is now, or None where there is none.

    Raises:
        LedgerUnavailableError: No answer.
    """
    block = _block(endpoint, number)
    return None if block is None else block.block_hash


def _block(endpoint: RPCEndpoint, number: int) -> answers.Block | None:
    return answers.block(endpoint.call("eth_getBlockByNumber", hex(number), False))


def _disagreement(endpoint: RPCEndpoint, other: RPCEndpoint, number: int) -> LedgerUnavailableError:
    return LedgerUnavailableError(
        f"the RPC endpoints {endpoint.shown} and {other.shown} disagree on block {number}",
        hint="one of them is on a fork or lies: ask the other sites which block they see",
    )


def _another_chain(endpoint: RPCEndpoint, why: str) -> WrongChainError:
    return WrongChainError(
        f"{endpoint.shown} is another chain than the deployment's: {why}",
        hint="check the RPC URL and the deployment file; a local chain forgets everything on restart",
    )
