"""The real contract on a real chain keeps the ledger's promises, and the gateway meets a chain's failures."""

from __future__ import annotations

import os
import signal
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from gateways.chain_follower import ChainFollower
from gateways.ledger.contract_abi import contract_abi
from gateways.ledger.deploying import deploy, unlocked_accounts
from gateways.ledger.event_reader import EventReader
from gateways.ledger.rpc import RPCEndpoint
from gateways.ledger.signers import KeySigner, UnlockedAccount
from gateways.ledger.transactions import TransactionSender
from gateways.ledger.web3_ledger import Web3Ledger
from protocol.deployment import Predecessor
from protocol.errors import (
    KeyRingError,
    LedgerError,
    LedgerUnavailableError,
    MalformedError,
    ReceiptTimeoutError,
    WrongChainError,
)
from protocol.identifiers import AccountAddress, BlockHash, Digest, SiteId, TxHash
from protocol.ledger_calls import AdmitSite, LeaveNetwork, SuspendSite
from protocol.ports import Ledger
from protocol.reverts import ContractError, NotASiteError, OwnableUnauthorizedAccountError
from scripts.local_chain import Kind, LocalChain
from tests.contracts.setting import DAY, consent_call, digest, set_up
from tests.fixtures_chain import ContractWorld
from tests.gateways.ledger_behavior import LedgerBehavior, all_events

pytestmark = pytest.mark.chain

KEY = bytes(range(1, 33))
ETHER = 10**18


class TestWeb3Ledger(LedgerBehavior):
    @pytest.fixture
    def world(self, contract: ContractWorld) -> ContractWorld:
        return contract

    def reader(self, world: ContractWorld) -> Ledger:
        return Web3Ledger.connect(world.chain.url, world.deployment)


def test_a_key_signs_here_and_the_chain_agrees_who_sent(contract: ContractWorld) -> None:
    site = Web3Ledger.connect(contract.chain.url, contract.deployment, signer_key=KEY)
    assert site.account == KeySigner(KEY).account
    contract.governor.transfer(site.account, ETHER)
    contract.governor.send(AdmitSite(SiteId(b"s" * 32), site.account, digest("key")))
    receipt = site.send(consent_call(digest("root"), contract.now() + DAY))
    assert receipt.events[0].event.site_id == SiteId(b"s" * 32)
    with pytest.raises(OwnableUnauthorizedAccountError):
        site.send(SuspendSite(SiteId(b"s" * 32)))


def test_an_account_without_funds_is_told_to_ask_for_them(contract: ContractWorld) -> None:
    site = Web3Ledger.connect(contract.chain.url, contract.deployment, signer_key=KEY)
    contract.governor.send(AdmitSite(SiteId(b"s" * 32), site.account, digest("key")))
    with pytest.raises(LedgerError, match="cannot pay") as caught:
        site.send(LeaveNetwork())
    assert not isinstance(caught.value, LedgerUnavailableError)


@pytest.mark.parametrize("key", [b"", bytes(32), b"\xff" * 32, b"short"])
def test_a_bad_key_is_refused_without_being_quoted(key: bytes) -> None:
    with pytest.raises(KeyRingError) as caught:
        KeySigner(key)
    assert key.hex() not in str(caught.value) or not key


def test_a_key_is_not_in_the_signers_repr() -> None:
    assert KEY.hex() not in repr(KeySigner(KEY))


def test_another_chain_id_is_another_chain(contract: ContractWorld) -> None:
    with pytest.raises(WrongChainError, match="chain id"):
        Web3Ledger.connect(contract.chain.url, replace(contract.deployment, chain_id=1))


def test_another_genesis_is_another_chain(contract: ContractWorld) -> None:
    other = replace(contract.deployment, genesis_block_hash=BlockHash(bytes(32)))
    with pytest.raises(WrongChainError, match="genesis"):
        Web3Ledger.connect(contract.chain.url, other)


@pytest.mark.parametrize("number", [0, 1_000_000])
def test_another_deployment_block_is_another_chain(contract: ContractWorld, number: int) -> None:
    with pytest.raises(WrongChainError, match=f"block {number}"):
        Web3Ledger.connect(contract.chain.url, replace(contract.deployment, deployment_block_number=number))


def test_an_address_without_code_is_no_contract(contract: ContractWorld) -> None:
    other = replace(contract.deployment, contract_address=AccountAddress(b"\x07" * 20))
    with pytest.raises(WrongChainError, match="no contract"):
        Web3Ledger.connect(contract.chain.url, other)


def test_other_code_is_another_contract(contract: ContractWorld) -> None:
    with pytest.raises(WrongChainError, match="other code"):
        Web3Ledger.connect(contract.chain.url, replace(contract.deployment, runtime_code_digest=Digest.zero()))


def test_a_forged_predecessor_is_another_deployment(contract: ContractWorld) -> None:
    forged = replace(contract.deployment, predecessor=Predecessor(1, AccountAddress(b"\x07" * 20)))
    with pytest.raises(WrongChainError, match="another predecessor"):
        Web3Ledger.connect(contract.chain.url, forged)


def test_the_predecessor_of_the_deployment_file_is_the_contracts(contract: ContractWorld) -> None:
    before = Predecessor(contract.deployment.chain_id, contract.deployment.contract_address)
    account = unlocked_accounts(contract.chain.url)[0]
    signer = UnlockedAccount(account)
    after = deploy(contract.chain.url, signer, governor=account, predecessor=before)
    assert Web3Ledger.connect(contract.chain.url, after).identity == after.identity
    with pytest.raises(WrongChainError, match="another predecessor"):
        Web3Ledger.connect(contract.chain.url, replace(after, predecessor=None))


def test_two_endpoints_of_one_chain_agree(contract: ContractWorld) -> None:
    url = contract.chain.url
    Web3Ledger.connect(url, contract.deployment, compare_rpc_url=url.replace("127.0.0.1", "localhost"))


def test_a_second_endpoint_on_another_chain_is_refused(contract: ContractWorld) -> None:
    with LocalChain("anvil") as other, pytest.raises(WrongChainError):
        Web3Ledger.connect(contract.chain.url, contract.deployment, compare_rpc_url=other.url)


def test_no_endpoint_is_unavailable_and_the_url_is_not_quoted_whole() -> None:
    endpoint = RPCEndpoint("http://127.0.0.1:9/v3/secret-key", timeout_seconds=1)
    with pytest.raises(LedgerUnavailableError) as caught:
        endpoint.call("eth_chainId")
    assert "secret-key" not in str(caught.value)
    with pytest.raises(LedgerUnavailableError):
        endpoint.batch("eth_chainId", [[]])


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b"{}", b'{"jsonrpc":"2.0","id":0}', b'{"id":0,"error":null}'])
def test_an_endpoint_that_speaks_no_json_rpc_is_unavailable(body: bytes) -> None:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        endpoint = RPCEndpoint(f"http://127.0.0.1:{server.server_port}", timeout_seconds=2)
        with pytest.raises(LedgerUnavailableError):
            endpoint.call("eth_chainId")
        with pytest.raises(LedgerUnavailableError):
            endpoint.batch("eth_chainId", [[]])
    finally:
        server.shutdown()
        server.server_close()


def test_a_value_that_does_not_fit_is_malformed_and_nothing_is_sent(contract: ContractWorld) -> None:
    head = contract.governor.head().number
    with pytest.raises(MalformedError):
        contract.governor.send(consent_call(digest("root"), 2**64))
    assert contract.governor.head().number == head


def test_a_transaction_in_no_block_times_out_with_its_hash(contract: ContractWorld) -> None:
    chain = contract.chain
    site = Web3Ledger.connect(chain.url, contract.deployment, signer_key=KEY, timeout_seconds=0.3)
    contract.governor.transfer(site.account, ETHER)
    contract.governor.send(AdmitSite(SiteId(b"s" * 32), site.account, digest("key")))
    chain.rpc("evm_setAutomine", False)
    try:
        with pytest.raises(ReceiptTimeoutError) as caught:
            site.send(LeaveNetwork())
        chain.rpc("evm_mine")
    finally:
        chain.rpc("evm_setAutomine", True)
    assert all_events(contract)[-1].position.tx_hash == caught.value.tx_hash


class _HopefulEndpoint(RPCEndpoint):
    """Estimates without running: what a state change between estimate and block looks like."""

    def call(self, method: str, *params: object) -> object:
        return hex(200_000) if method == "eth_estimateGas" else super().call(method, *params)


@pytest.mark.parametrize("kind", ["hardhat", "anvil"])
def test_a_call_that_reverts_in_its_block_is_refused_with_its_reason(kind: Kind) -> None:
    """anvil mines it and answers its hash, Hardhat mines it and answers its revert."""
    with LocalChain(kind) as chain:
        accounts = unlocked_accounts(chain.url)
        deployment = deploy(chain.url, UnlockedAccount(accounts[0]), governor=accounts[0])
        sender = TransactionSender(
            _HopefulEndpoint(chain.url, timeout_seconds=5),
            contract_abi(),
            UnlockedAccount(accounts[1]),
            chain_id=deployment.chain_id,
            finality="latest",
            timeout_seconds=5,
        )
        with pytest.raises(NotASiteError) as caught:
            sender.send(deployment.contract_address, contract_abi().encode_call(LeaveNetwork()))
    assert caught.value.account == accounts[1]


def test_threads_that_share_a_ledger_do_not_replace_each_others_transactions(contract: ContractWorld) -> None:
    calls = [AdmitSite(SiteId(bytes([n]) * 32), contract.fresh_account(), digest("key")) for n in range(1, 9)]
    with ThreadPoolExecutor(4) as pool:
        receipts = list(pool.map(contract.governor.send, calls))
    assert len({receipt.tx_hash for receipt in receipts}) == len(calls)


def test_two_processes_of_one_account_do_not_replace_each_others_transactions(contract: ContractWorld) -> None:
    """Each has a lock of its own, so both take the same nonce again and again. No funds: they are not signed twice."""
    account = KeySigner(KEY).account
    contract.governor.transfer(account, ETHER)
    ledgers = [Web3Ledger.connect(contract.chain.url, contract.deployment, signer_key=KEY) for _ in range(2)]
    heirs = [[AccountAddress(bytes([half, n]) * 10) for n in range(1, 11)] for half in (1, 2)]
    start = threading.Barrier(2)

    def send(half: int) -> list[TxHash]:
        start.wait()
        return [ledgers[half].transfer(heir, 0).tx_hash for heir in heirs[half]]

    with ThreadPoolExecutor(2) as pool:
        sent = [tx_hash for hashes in pool.map(send, range(2)) for tx_hash in hashes]
    assert len(set(sent)) == 20
    assert int(contract.chain.rpc("eth_getTransactionCount", str(account), "latest"), 16) == 20


class _PagingEndpoint(RPCEndpoint):
    """Refuses ranges of more than a few blocks, as public endpoints do."""

    max_blocks = 3

    def call(self, method: str, *params: object) -> object:
        if method == "eth_getLogs":
            query = params[0]
            if int(query["toBlock"], 16) - int(query["fromBlock"], 16) >= self.max_blocks:
                return super().call("eth_noSuchMethod")
        return super().call(method, *params)


def test_pages_shrink_until_the_endpoint_answers(contract: ContractWorld) -> None:
    set_up(contract)
    endpoint = _PagingEndpoint(contract.chain.url, timeout_seconds=5)
    reader = EventReader(endpoint, contract_abi(), contract.deployment.contract_address)
    head = contract.governor.head().number
    assert list(reader.read(0, head)) == all_events(contract)


def test_an_endpoint_that_refuses_one_block_is_unavailable(contract: ContractWorld) -> None:
    endpoint = _PagingEndpoint(contract.chain.url, timeout_seconds=5)
    endpoint.max_blocks = 0
    reader = EventReader(endpoint, contract_abi(), contract.deployment.contract_address)
    with pytest.raises(LedgerUnavailableError):
        list(reader.read(0, 1))


def test_finalized_waits_for_the_final_block() -> None:
    """anvil's finalized block trails its newest by 64 blocks."""
    with LocalChain("anvil") as chain:
        accounts = unlocked_accounts(chain.url)
        deployment = deploy(chain.url, UnlockedAccount(accounts[0]), governor=accounts[0])
        ledger = Web3Ledger.connect(
            chain.url, deployment, signer=UnlockedAccount(accounts[0]), finality="finalized", timeout_seconds=0.5
        )
        assert ledger.head().number < deployment.deployment_block_number
        call = AdmitSite(SiteId(b"s" * 32), accounts[1], digest("key"))
        with pytest.raises(ReceiptTimeoutError):
            ledger.send(call)
        chain.rpc("anvil_mine", hex(100))
        assert ledger.head().number > deployment.deployment_block_number
        with pytest.raises(ContractError):
            ledger.send(call)


def test_a_kept_chain_is_the_same_chain_after_a_restart_and_a_fresh_one_is_not(anvil_state_file: Path) -> None:
    with LocalChain("anvil", state_file=anvil_state_file) as chain:
        accounts = unlocked_accounts(chain.url)
        deployment = deploy(chain.url, UnlockedAccount(accounts[0]), governor=accounts[0])
    with LocalChain("anvil", state_file=anvil_state_file) as chain:
        reader = Web3Ledger.connect(chain.url, deployment)
        assert [type(item.event).__name__ for item in reader.events(0, reader.head().number)] == ["GovernorChanged"]
    with LocalChain("anvil") as chain, pytest.raises(WrongChainError):
        Web3Ledger.connect(chain.url, deployment)


def test_a_chain_that_is_started_anew_on_its_port_is_another_chain_for_whoever_followed_it() -> None:
    with LocalChain("hardhat") as chain:
        accounts = unlocked_accounts(chain.url)
        deployment = deploy(chain.url, UnlockedAccount(accounts[0]), governor=accounts[0])
        follower = ChainFollower(Web3Ledger.connect(chain.url, deployment))
        follower.sync()
        assert chain.pid is not None
        os.killpg(chain.pid, signal.SIGKILL)
    with pytest.raises(LedgerUnavailableError):
        follower.sync()
    with LocalChain("hardhat", port=chain.port) as anew:
        with pytest.raises(WrongChainError, match="block 0 is another"):
            follower.sync()
        deploy(anew.url, UnlockedAccount(accounts[0]), governor=accounts[0])
        with pytest.raises(WrongChainError, match="block 0 is another"):
            follower.sync()


def test_blocks_that_a_reorganisation_replaces_are_read_anew_on_the_same_chain() -> None:
    with LocalChain("anvil") as chain:
        accounts = unlocked_accounts(chain.url)
        governor = UnlockedAccount(accounts[0])
        deployment = deploy(chain.url, governor, governor=accounts[0])
        ledger = Web3Ledger.connect(chain.url, deployment, signer=governor)
        ledger.send(AdmitSite(SiteId(b"k" * 32), accounts[1], digest("key")))
        ledger.send(AdmitSite(SiteId(b"l" * 32), accounts[2], digest("key")))
        follower = ChainFollower(ledger)
        assert len(follower.sync().sites) == 2
        chain.rpc("anvil_reorg", 1, [])
        assert set(follower.sync().sites) == {SiteId(b"k" * 32)}
