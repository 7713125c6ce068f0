"""A real local chain for tests: one Hardhat process a worker, one deployment, every test on its own snapshot."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from eth_abi import abi as eth_abi
from eth_utils.crypto import keccak

from gateways.ledger.contract_abi import load_artifact
from gateways.ledger.deploying import deploy, unlocked_accounts
from gateways.ledger.signers import UnlockedAccount
from gateways.ledger.web3_ledger import Web3Ledger
from protocol.deployment import Deployment
from protocol.identifiers import AccountAddress
from scripts.local_chain import LocalChain

PLENTY_WEI = 10**24


class ContractWorld:
    """The contract on the test chain, and the powers of a test over time and accounts."""

    def __init__(self, chain: LocalChain, deployment: Deployment, governor: AccountAddress) -> None:
        self.chain = chain
        self.deployment = deployment
        self.governor = self.ledger(governor)
        self._accounts = (AccountAddress(keccak(b"account%d" % number)[:20]) for number in itertools.count())

    def ledger(self, account: AccountAddress) -> Web3Ledger:
        """The contract as called by an account, which is funded and signed for by the chain."""
        self.chain.rpc("hardhat_impersonateAccount", str(account))
        self.chain.rpc("hardhat_setBalance", str(account), hex(PLENTY_WEI))
        return Web3Ledger.connect(self.chain.url, self.deployment, signer=UnlockedAccount(account))

    def fresh_account(self) -> AccountAddress:
        return next(self._accounts)

    def fresh_ledger(self) -> Web3Ledger:
        return self.ledger(self.fresh_account())

    def now(self) -> int:
        return self.governor.head().timestamp

    def advance(self, seconds: int) -> None:
        """Mines an empty block that much later."""
        self.chain.rpc("evm_setNextBlockTimestamp", self.now() + seconds)
        self.chain.rpc("evm_mine")

    def next_block_at(self, timestamp: int) -> None:
        """Gives the next block a time; it must be later than the last block's."""
        self.chain.rpc("evm_setNextBlockTimestamp", timestamp)

    def view(self, name: str, *arguments: Any) -> Any:
        """Calls a view function; a single return value comes alone, more come as a tuple."""
        entry = next(e for e in load_artifact().abi if e["type"] == "function" and e["name"] == name)
        types = [_abi_type(item) for item in entry["inputs"]]
        data = keccak(f"{name}({','.join(types)})".encode())[:4] + eth_abi.encode(types, arguments)
        request = {"to": str(self.deployment.contract_address), "data": "0x" + data.hex()}
        answer = bytes.fromhex(self.chain.rpc("eth_call", request, "latest")[2:])
        values = eth_abi.decode([_abi_type(item) for item in entry["outputs"]], answer)
        return values[0] if len(values) == 1 else values


def _abi_type(item: dict[str, Any]) -> str:
    if item["type"].startswith("tuple"):
        return f"({','.join(_abi_type(part) for part in item['components'])}){item['type'][5:]}"
    return str(item["type"])


@pytest.fixture(scope="session")
def hardhat_chain() -> Iterator[LocalChain]:
    """A Hardhat process with nothing deployed."""
    with LocalChain("hardhat") as chain:
        yield chain


@pytest.fixture(scope="session")
def suite_deployment(hardhat_chain: LocalChain) -> Deployment:
    """The contract on the Hardhat chain, governed by the chain's second account."""
    accounts = unlocked_accounts(hardhat_chain.url)
    return deploy(hardhat_chain.url, UnlockedAccount(accounts[0]), governor=accounts[1])


@pytest.fixture
def chain_snapshot(hardhat_chain: LocalChain, suite_deployment: Deployment) -> Iterator[None]:
    """Whatever the test does to the chain is undone."""
    del suite_deployment
    snapshot = hardhat_chain.rpc("evm_snapshot")
    yield
    assert hardhat_chain.rpc("evm_revert", snapshot)


@pytest.fixture
def contract(hardhat_chain: LocalChain, suite_deployment: Deployment, chain_snapshot: None) -> ContractWorld:
    """The freshly deployed contract."""
    del chain_snapshot
    return ContractWorld(hardhat_chain, suite_deployment, suite_deployment.governor)


@pytest.fixture
def anvil_state_file(tmp_path: Path) -> Path:
    """Where an anvil chain keeps its state between two runs of a test."""
    return tmp_path / "chain.json"
