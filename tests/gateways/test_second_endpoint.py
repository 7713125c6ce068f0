"""Two RPC endpoints, of two operators, are compared whenever the head, a block's hash or event logs are read."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from gateways.chain_follower import ChainFollower
from gateways.ledger.web3_ledger import Web3Ledger
from protocol.errors import LedgerUnavailableError, WrongChainError
from tests.gateways.json_rpc_server import DEPLOYMENT, NEWEST, JSONRPCServer, block_hash


@pytest.fixture
def first() -> Iterator[JSONRPCServer]:
    with JSONRPCServer() as server:
        yield server


@pytest.fixture
def second() -> Iterator[JSONRPCServer]:
    with JSONRPCServer() as server:
        yield server


@pytest.fixture
def ledger(first: JSONRPCServer, second: JSONRPCServer) -> Web3Ledger:
    return Web3Ledger.connect(first.url, DEPLOYMENT, compare_rpc_url=second.url)


def test_endpoints_that_agree_are_one_chain(ledger: Web3Ledger) -> None:
    follower = ChainFollower(ledger)
    follower.sync()
    assert (follower.head.number, follower.head.block_hash) == (NEWEST, block_hash(NEWEST))


@pytest.mark.parametrize("lagging", ["first", "second"])
def test_what_only_one_of_them_has_is_not_believed_yet(
    first: JSONRPCServer, second: JSONRPCServer, ledger: Web3Ledger, lagging: str
) -> None:
    (second if lagging == "first" else first).newest += 3
    head = ledger.head()
    assert (head.number, head.block_hash) == (NEWEST, block_hash(NEWEST))


@pytest.mark.parametrize("newest", [NEWEST - 2, NEWEST, NEWEST + 2])
def test_a_fork_after_the_start_stops_the_follower_until_it_is_gone(
    first: JSONRPCServer, second: JSONRPCServer, ledger: Web3Ledger, newest: int
) -> None:
    follower = ChainFollower(ledger)
    follower.sync()
    second.fork, second.forked_at, second.newest = "fork", 4, newest
    with pytest.raises(LedgerUnavailableError, match="disagree on block") as caught:
        follower.sync()
    assert first.url in str(caught.value)
    assert second.url in str(caught.value)
    assert follower.head.block_hash == block_hash(NEWEST)
    second.fork, second.newest = "", NEWEST
    follower.sync()


def test_a_fork_at_the_start_is_told_at_once(first: JSONRPCServer, second: JSONRPCServer) -> None:
    second.fork = "fork"
    with pytest.raises(LedgerUnavailableError, match="disagree"):
        Web3Ledger.connect(first.url, DEPLOYMENT, compare_rpc_url=second.url)


def test_another_chain_behind_the_second_one_is_another_chain(first: JSONRPCServer, second: JSONRPCServer) -> None:
    second.answers = {"eth_chainId": "0x1"}
    with pytest.raises(WrongChainError):
        Web3Ledger.connect(first.url, DEPLOYMENT, compare_rpc_url=second.url)


@pytest.mark.parametrize("lying", ["first", "second"])
def test_an_event_that_one_of_them_leaves_out_is_named_and_stops_the_follower(
    first: JSONRPCServer, second: JSONRPCServer, ledger: Web3Ledger, lying: str
) -> None:
    liar, honest = (first, second) if lying == "first" else (second, first)
    liar.answers = {"eth_getLogs": []}
    follower = ChainFollower(ledger)
    said = f"{honest.url} tells GovernorChanged in block 1, log 0, and the RPC endpoint {liar.url} does not"
    with pytest.raises(LedgerUnavailableError, match=said):
        follower.sync()
    assert follower.history.position is None
    liar.answers = {}
    follower.sync()
    assert follower.history.position is not None


def test_an_event_that_they_tell_otherwise_is_named(second: JSONRPCServer, ledger: Web3Ledger) -> None:
    second.answers = {"eth_getLogs": [second._log() | {"transactionHash": "0x" + "78" * 32}]}
    with pytest.raises(LedgerUnavailableError, match=r"GovernorChanged in block 1, log 0, .* tells it otherwise"):
        list(ledger.events(0, NEWEST))


def test_the_hash_of_an_older_block_is_compared_too(second: JSONRPCServer, ledger: Web3Ledger) -> None:
    assert ledger.block_hash(4) == block_hash(4)
    second.fork, second.forked_at = "fork", 4
    with pytest.raises(LedgerUnavailableError, match="disagree on block 4"):
        ledger.block_hash(4)
    # What the second one does not have yet, it cannot deny.
    second.fork, second.newest = "", 3
    assert ledger.block_hash(4) == block_hash(4)
    assert ledger.block_hash(NEWEST + 1) is None


def test_without_the_second_one_there_is_no_answer(second: JSONRPCServer, ledger: Web3Ledger) -> None:
    second.body = b""
    with pytest.raises(LedgerUnavailableError):
        ledger.head()
