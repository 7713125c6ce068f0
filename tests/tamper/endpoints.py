"""Mutations of the chain behind an RPC endpoint: another one than the deployment file names."""

from __future__ import annotations

from protocol.identifiers import AccountAddress
from tests.gateways.json_rpc_server import NEWEST, JSONRPCServer, suite_of
from tests.tamper.catalogue import CHAIN, CONNECT, chapter

mutation = chapter("The chain behind the RPC endpoint", CONNECT)
OTHER_CHAIN, UNAVAILABLE = "another chain", "no answer to trust"


@mutation(CHAIN, OTHER_CHAIN, "its chain id is 1")
def another_chain_id(it: JSONRPCServer) -> None:
    """The endpoint serves another chain"""
    it.answers["eth_chainId"] = "0x1"


@mutation(CHAIN, OTHER_CHAIN, "its genesis block differs")
def another_genesis(it: JSONRPCServer) -> None:
    """The endpoint serves a chain of the same id that was begun anew"""
    it.fork, it.forked_at = "anew", 0


@mutation(CHAIN, OTHER_CHAIN, "its block 1 differs or is missing")
def another_deployment_block(it: JSONRPCServer) -> None:
    """The contract was deployed again at the same address of a chain that was rewritten"""
    it.fork, it.forked_at = "rewritten", 1


@mutation(CHAIN, OTHER_CHAIN, "its block 1 differs or is missing")
def a_chain_that_ends_before(it: JSONRPCServer) -> None:
    """The endpoint's chain ends before the deployment"""
    it.newest = 0


@mutation(CHAIN, OTHER_CHAIN, "no contract is at")
def no_contract(it: JSONRPCServer) -> None:
    """Nothing is at the contract's address"""
    it.answers["eth_getCode"] = "0x"


@mutation(CHAIN, OTHER_CHAIN, "other code is at")
def other_code(it: JSONRPCServer) -> None:
    """Another contract is at the address"""
    it.answers["eth_getCode"] = "0x6001"


@mutation(CHAIN, OTHER_CHAIN, "names another predecessor")
def another_predecessor(it: JSONRPCServer) -> None:
    """The contract says that it follows another one"""
    it.suite = suite_of(1, AccountAddress(b"\x0d" * 20))


@mutation(CHAIN, UNAVAILABLE, "disagree on block")
def another_history(it: JSONRPCServer) -> None:
    """The chain was rewritten after the deployment, and a second endpoint kept the old one"""
    it.fork, it.forked_at = "rewritten", 4


@mutation(CHAIN, UNAVAILABLE, "disagree on block")
def another_newest_block(it: JSONRPCServer) -> None:
    """The newest block is another than a second endpoint's"""
    it.fork, it.forked_at = "rewritten", NEWEST
