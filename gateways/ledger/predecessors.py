"""The deployment before, when it is on the same chain: its file is then not needed."""

from __future__ import annotations

from dataclasses import replace

from gateways.ledger import answers
from gateways.ledger.chain_checks import told_predecessor
from gateways.ledger.contract_abi import contract_abi
from gateways.ledger.event_reader import EventReader
from gateways.ledger.rpc import RPCEndpoint
from gateways.ledger.transactions import REQUEST_TIMEOUT_SECONDS
from protocol.deployment import Deployment, Predecessor
from protocol.identifiers import AccountAddress, digest_of
from protocol.ledger_events import GovernorChanged


def find_predecessor(rpc_url: str, deployment: Deployment) -> Deployment | None:
    """What the file of the deployment before would say, as far as this one's contract and the chain tell it.

    Its address is named by this deployment's contract, and its code is this one's: so the compiler and the creation
    code are this one's too. Its first event is emitted by its constructor.

    Args:
        rpc_url: An endpoint of the deployment's chain, which was checked.
        deployment: The later one.

    Returns:
        None where there is none, where it is on another chain, or where other code is at its address.

    Raises:
        LedgerUnavailableError: No usable answer.
        MalformedError: A log at its address is none of the contract's events.
    """
    before = deployment.predecessor
    if before is None or before.chain_id != deployment.chain_id:
        return None
    endpoint = RPCEndpoint(rpc_url, timeout_seconds=REQUEST_TIMEOUT_SECONDS)
    code = answers.blob(endpoint.call("eth_getCode", str(before.contract_address), "latest"))
    if digest_of("contract-code", code) != deployment.runtime_code_digest:
        return None
    reader = EventReader(endpoint, contract_abi(), before.contract_address)
    first = next(reader.read(0, deployment.deployment_block_number), None)
    if first is None or not isinstance(first.event, GovernorChanged):
        return None
    chain_id, address = told_predecessor(endpoint, before.contract_address)
    return replace(
        deployment,
        contract_address=before.contract_address,
        deployment_block_number=first.position.block_number,
        deployment_block_hash=first.position.block_hash,
        governor=first.event.governor,
        predecessor=Predecessor(chain_id, AccountAddress.from_hex(address)) if chain_id else None,
    )
