"""Whether an endpoint serves the deployment's chain, and whether two endpoints tell the same."""

from __future__ import annotations

from eth_abi import abi as eth_abi
from eth_abi.exceptions import DecodingError

from gateways.ledger import answers
from gateways.ledger.finality import Finality
from gateways.ledger.rpc import RPCEndpoint
from protocol.deployment import Deployment
from protocol.errors import LedgerUnavailableError, WrongChainError
from protocol.identifiers import AccountAddress, BlockHash, digest_of
from protocol.ports import ChainIdentity

_SUITE = "0xd4717c1b"
"""Selector of ``suite()``."""
_SUITE_TYPES = ("uint8", "uint8", "(uint64,address)", "(uint64,address)")


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
    before = deployment.predecessor
    named = (before.chain_id, str(before.contract_address)) if before else (0, str(AccountAddress.zero()))
    if told_predecessor(endpoint, deployment.contract_address) != named:
        raise _another_chain(endpoint, "the contract names another predecessor")


def check_same_chain(endpoint: RPCEndpoint, identity: ChainIdentity) -> None:
    """Checks that an endpoint that was checked before still serves the same chain.

    Raises:
        WrongChainError: Its genesis or its deployment block is another.
        LedgerUnavailableError: No answer, or it does not have these blocks at this moment.
    """
    for number, expected in (
        (0, identity.genesis_block_hash),
        (identity.deployment_block_number, identity.deployment_block_hash),
    ):
        found = block_hash(endpoint, number)
        if found is None:
            raise LedgerUnavailableError(
                f"the RPC endpoint {endpoint.shown} has no block {number} any more",
                hint="it lags behind, or its chain began anew: compare it with another endpoint",
            )
        if found != expected:
            raise _another_chain(endpoint, f"its block {number} is another now")


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


def agreed_block_hash(endpoint: RPCEndpoint, other: RPCEndpoint, number: int) -> BlockHash | None:
    """As ``block_hash``, checked against a second endpoint where that has the block: it may lag behind.

    Raises:
        LedgerUnavailableError: No answer from one of the two, or they disagree on that block.
    """
    own, told = block_hash(endpoint, number), block_hash(other, number)
    if own is not None and told is not None and own != told:
        raise _disagreement(endpoint, other, number)
    return own


def told_predecessor(endpoint: RPCEndpoint, contract: AccountAddress) -> tuple[int, str]:
    """Chain id and address of the deployment before, as the contract tells them; zeros where there is none.

    Raises:
        LedgerUnavailableError: No usable answer.
    """
    told = answers.blob(endpoint.call("eth_call", {"to": str(contract), "data": _SUITE}, "latest"))
    try:
        _, _, (chain_id, address), _ = eth_abi.decode(_SUITE_TYPES, told)
    except (DecodingError, OverflowError) as error:
        raise LedgerUnavailableError(
            f"the RPC endpoint {endpoint.shown} tells no predecessor", hint="check the endpoint"
        ) from error
    return chain_id, address


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
