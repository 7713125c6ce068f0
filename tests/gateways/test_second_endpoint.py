"""Two RPC endpoints, of two operators, are compared whenever the head is read."""

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


def test_without_the_second_one_there_is_no_answer(second: JSONRPCServer, ledger: Web3Ledger) -> None:
    second.body = b""
    with pytest.raises(LedgerUnavailableError):
        ledger.head()
