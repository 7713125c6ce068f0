"""Whatever an RPC endpoint answers, a process meets an error of its own tree, and sends nothing twice because of it."""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateways.ledger import answers
from gateways.ledger.connecting import connect
from gateways.ledger.contract_abi import contract_abi
from gateways.ledger.deploying import deploy, unlocked_accounts
from gateways.ledger.rpc import MAX_ANSWER_BYTES, RPCEndpoint, RPCRefusedError
from gateways.ledger.signers import KeySigner
from gateways.ledger.web3_ledger import Web3Ledger
from gateways.settings import ChainSettings
from protocol.errors import (
    ConfigError,
    LedgerError,
    LedgerUnavailableError,
    MalformedError,
    ReceiptTimeoutError,
    TransactionRevertedError,
    WrongChainError,
)
from protocol.ledger_calls import LeaveNetwork
from protocol.ledger_events import GovernorChanged
from tests.gateways.json_rpc_server import CONTRACT, DEPLOYMENT, GOVERNOR, NEWEST, JSONRPCServer

KEY = bytes(range(1, 33))
GWEI = 10**9
HEX = st.one_of(
    st.sampled_from(["0x", "0x0", "0x1", "0x7", "-0x1", "0x_1", " 0x1", "0x" + "f" * 64, "0x" + "f" * 65, "0xé"]),
    st.binary(max_size=40).map(lambda data: "0x" + data.hex()),
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**300), 2**300) | st.floats() | st.text(max_size=8) | HEX,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
COMMON = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture
def server() -> Iterator[JSONRPCServer]:
    with JSONRPCServer() as running:
        yield running


@pytest.fixture
def ledger(server: JSONRPCServer) -> Web3Ledger:
    return Web3Ledger.connect(server.url, DEPLOYMENT, signer_key=KEY, timeout_seconds=0.03)


def spoilt(data: st.DataObject, good: Any) -> Any:
    """A good answer with one part replaced or taken away, or something else altogether."""
    answer = copy.deepcopy(good)
    where = answer
    while isinstance(where, dict | list) and where and data.draw(st.booleans(), label="go deeper"):
        key = data.draw(st.sampled_from(sorted(where) if isinstance(where, dict) else range(len(where))))
        if data.draw(st.integers(0, 2), label="spoil here") == 0:
            if isinstance(where, dict) and data.draw(st.booleans(), label="drop"):
                del where[key]
            else:
                where[key] = data.draw(JSON)
            return answer
        where = where[key]
    return data.draw(JSON)


READS: dict[str, tuple[str, Callable[[JSONRPCServer, Web3Ledger], Any]]] = {
    "the chain id at connect": ("eth_chainId", lambda server, _: Web3Ledger.connect(server.url, DEPLOYMENT)),
    "the code at connect": ("eth_getCode", lambda server, _: Web3Ledger.connect(server.url, DEPLOYMENT)),
    "a block at connect": ("eth_getBlockByNumber", lambda server, _: Web3Ledger.connect(server.url, DEPLOYMENT)),
    "the head": ("eth_getBlockByNumber", lambda _, ledger: ledger.head()),
    "a block's hash": ("eth_getBlockByNumber", lambda _, ledger: ledger.block_hash(3)),
    "event logs": ("eth_getLogs", lambda _, ledger: list(ledger.events(0, NEWEST))),
    "the times of blocks": ("eth_getBlockByHash", lambda _, ledger: list(ledger.events(0, NEWEST))),
    "a balance": ("eth_getBalance", lambda _, ledger: ledger.balance_wei(GOVERNOR)),
    "an offer of the governance": ("eth_call", lambda _, ledger: ledger.pending_governor()),
    "unlocked accounts": ("eth_accounts", lambda server, _: unlocked_accounts(server.url)),
    "the chain id of a deployment": ("eth_chainId", lambda server, _: a_deployment(server)),
    "the genesis of a deployment": ("eth_getBlockByNumber", lambda server, _: a_deployment(server)),
}


def a_deployment(server: JSONRPCServer) -> object:
    return deploy(server.url, KeySigner(KEY), governor=GOVERNOR, timeout_seconds=0.01)


def good_answer(server: JSONRPCServer, method: str) -> Any:
    arguments: dict[str, tuple[Any, ...]] = {
        "eth_getBlockByNumber": ("latest", False),
        "eth_getBlockByHash": (str(server._hash(1)), False),
        "eth_getLogs": ({"fromBlock": "0x0", "toBlock": "0x7"},),
        "eth_getTransactionReceipt": ("0x" + "77" * 32,),
        "eth_getBalance": (str(GOVERNOR), "latest"),
        "eth_getCode": (str(CONTRACT), "latest"),
        "eth_estimateGas": ({},),
        "eth_getTransactionCount": (str(GOVERNOR), "pending"),
        "eth_sendRawTransaction": ("0x00",),
        "eth_call": ({}, "latest"),
    }
    return server.honest(method, *arguments.get(method, ()))


def test_the_honest_server_is_a_chain_with_one_event(ledger: Web3Ledger) -> None:
    (located,) = ledger.events(0, ledger.head().number)
    assert isinstance(located.event, GovernorChanged)
    assert ledger.send(LeaveNetwork()).gas_used == 21_000


@pytest.mark.parametrize("reading", READS)
@given(data=st.data())
@COMMON
def test_an_odd_answer_to_a_reader_is_no_answer(
    server: JSONRPCServer, ledger: Web3Ledger, reading: str, data: st.DataObject
) -> None:
    method, read = READS[reading]
    ledger._reader._times.clear()
    server.answers = {method: spoilt(data, good_answer(server, method))}
    try:
        read(server, ledger)
    except (LedgerUnavailableError, WrongChainError, MalformedError, ReceiptTimeoutError) as error:
        said = str(error)
    else:
        said = ""
    finally:
        server.answers = {}
    assert "\n" not in said
    assert len(said) < 1_000


@pytest.mark.parametrize(
    ("method", "answer"),
    [
        ("eth_maxPriorityFeePerGas", hex(500 * GWEI)),
        ("eth_getBlockByNumber", {"number": "0x7", "hash": "0x" + "11" * 32, "timestamp": "0x7",
                                  "baseFeePerGas": hex(251 * GWEI)}),
    ],
)  # fmt: skip
def test_a_fee_above_the_setting_is_not_signed(
    server: JSONRPCServer, ledger: Web3Ledger, method: str, answer: object
) -> None:
    server.answers = {method: answer}
    with pytest.raises(LedgerUnavailableError, match="more than the 500 that are allowed") as refused:
        ledger.send(LeaveNetwork())
    # An auditor's commands have no settings file: what everyone can do comes first.
    assert refused.value.hint.startswith("wait until the chain is quieter or name another endpoint")
    assert "where a process has a settings file, chain.max_fee_gwei" in refused.value.hint
    assert server.sent == []
    chain = ChainSettings(rpc_url=server.url, timeout_seconds=0.03, max_fee_gwei=10_000)
    server.answers = {"eth_maxPriorityFeePerGas": hex(500 * GWEI)}
    connect(chain, DEPLOYMENT, signer_key=KEY).send(LeaveNetwork())
    assert len(server.sent) == 1


def test_funds_are_not_signed_for_a_second_time_after_a_nonce_too_low(
    server: JSONRPCServer, ledger: Web3Ledger
) -> None:
    asked: list[str] = []

    def nonce(*_: object) -> str:
        asked.append("nonce")
        return "0x0"

    server.answers = {"eth_getTransactionCount": nonce}
    server.errors = {"eth_sendRawTransaction": {"code": -32000, "message": "nonce too low"}}
    with pytest.raises(LedgerError, match="not signed a second time") as refused:
        ledger.transfer(GOVERNOR, 1)
    assert not isinstance(refused.value, LedgerUnavailableError)
    assert len(asked) == 1


@pytest.mark.parametrize("method", ["eth_estimateGas", "eth_getTransactionCount", "eth_maxPriorityFeePerGas"])
@given(data=st.data())
@COMMON
def test_an_odd_answer_before_a_transaction_is_sent_sends_nothing(
    server: JSONRPCServer, ledger: Web3Ledger, method: str, data: st.DataObject
) -> None:
    server.answers = {method: spoilt(data, good_answer(server, method))}
    server.sent.clear()
    try:
        ledger.send(LeaveNetwork())
    except LedgerUnavailableError:
        assert server.sent == []


@pytest.mark.parametrize("method", ["eth_sendRawTransaction", "eth_getTransactionReceipt", "eth_getBlockByHash"])
@given(data=st.data())
@COMMON
def test_an_odd_answer_after_a_transaction_was_sent_never_says_that_it_was_not(
    server: JSONRPCServer, ledger: Web3Ledger, method: str, data: st.DataObject
) -> None:
    server.answers = {method: spoilt(data, good_answer(server, method))}
    try:
        ledger.send(LeaveNetwork())
    except (ReceiptTimeoutError, TransactionRevertedError):
        assert server.sent


@given(data=st.data())
@COMMON
def test_an_odd_reason_of_a_reverted_transaction_is_a_revert(
    server: JSONRPCServer, ledger: Web3Ledger, data: st.DataObject
) -> None:
    server.answers = {
        "eth_getTransactionReceipt": lambda tx_hash: server.eth_getTransactionReceipt(tx_hash) | {"status": "0x0"},
        "eth_call": data.draw(JSON),
    }
    server.errors = {"eth_call": data.draw(JSON)} if data.draw(st.booleans()) else {}
    with pytest.raises(TransactionRevertedError):
        ledger.send(LeaveNetwork())


@given(error=JSON | st.fixed_dictionaries({"code": JSON, "message": JSON, "data": JSON}))
@COMMON
def test_an_odd_error_is_a_refusal(server: JSONRPCServer, ledger: Web3Ledger, error: Any) -> None:
    server.errors = {"eth_getBalance": error}
    if error is None:
        return
    with pytest.raises(RPCRefusedError) as caught:
        ledger.balance_wei(GOVERNOR)
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 1_000


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"nothing",
        b"\xff",
        b"null",
        b"[]",
        b"{}",
        b"[" * 100_000,
        b'{"result":' + b"9" * 5_000 + b"}",
        b'[{"id":[],"result":1}]',
        b'[{"id":0}]',
        b'[{"id":0,"result":{}},7]',
        b'{"error":{"message":7}}',
    ],
)
def test_no_body_is_more_than_unavailable(server: JSONRPCServer, ledger: Web3Ledger, body: bytes) -> None:
    server.body = body
    for read in (ledger.head, lambda: ledger.balance_wei(GOVERNOR), lambda: ledger.send(LeaveNetwork())):
        with pytest.raises(LedgerUnavailableError):
            read()
    endpoint = RPCEndpoint(server.url, timeout_seconds=2)
    with pytest.raises(LedgerUnavailableError):
        answers.block(endpoint.batch("eth_getBlockByHash", [("0x00", False)])[0])


def test_an_answer_without_end_is_refused(server: JSONRPCServer, monkeypatch: pytest.MonkeyPatch) -> None:
    assert MAX_ANSWER_BYTES > 1 << 20
    monkeypatch.setattr("gateways.ledger.rpc.MAX_ANSWER_BYTES", 100)
    server.answers = {"eth_accounts": ["0x" + "00" * 200]}
    with pytest.raises(RPCRefusedError, match="longer than"):
        unlocked_accounts(server.url)


def test_an_endpoint_that_trickles_holds_nobody_for_ever(
    server: JSONRPCServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateways.ledger.rpc._PATIENCE", 1)
    server.body, server.seconds_a_byte = b" " * 1_000 + b"{}", 0.02
    with pytest.raises(LedgerUnavailableError, match="no answer"):
        RPCEndpoint(server.url, timeout_seconds=0.3).call("eth_chainId")
    server.stopped.set()


def test_a_log_that_is_told_twice_is_the_endpoints_fault(server: JSONRPCServer, ledger: Web3Ledger) -> None:
    server.answers = {"eth_getLogs": [server._log(), server._log()]}
    with pytest.raises(LedgerUnavailableError, match="two logs of one place"):
        list(ledger.events(0, NEWEST))


def test_a_page_in_the_place_of_an_endpoint_is_called_one(server: JSONRPCServer, ledger: Web3Ledger) -> None:
    server.body = b"<html>Welcome</html>"
    with pytest.raises(LedgerUnavailableError, match="speaks no JSON-RPC"):
        ledger.head()


def test_logs_of_other_blocks_than_asked_for_are_no_answer(server: JSONRPCServer, ledger: Web3Ledger) -> None:
    server.answers = {"eth_getLogs": [server._log()]}
    with pytest.raises(LedgerUnavailableError, match="other blocks"):
        list(ledger.events(2, NEWEST))


@pytest.mark.parametrize("url", ["", "chain", "ftp://x", "http:///k", "http://x:99999", "http://[::1", "ws://x:1/key"])
def test_what_is_no_rpc_url_is_refused_and_not_quoted(url: str) -> None:
    with pytest.raises(ConfigError) as caught:
        RPCEndpoint(url, timeout_seconds=1)
    assert not url or url not in str(caught.value)


@given(selector=st.sampled_from(sorted(contract_abi()._errors)), data=st.binary(max_size=300))
@settings(max_examples=300, deadline=None)
def test_revert_data_of_any_bytes_is_a_revert(selector: bytes, data: bytes) -> None:
    assert isinstance(contract_abi().decode_revert(selector + data), TransactionRevertedError)


WORDS = st.sampled_from([0, 1, 2, 31, 32, 33, 255, 2**63, 2**64, 2**255, 2**256 - 1]).map(lambda n: n.to_bytes(32))


@given(selector=st.sampled_from(sorted(contract_abi()._errors)), words=st.lists(WORDS, max_size=14))
@settings(max_examples=300, deadline=None)
def test_revert_data_of_any_words_is_a_revert(selector: bytes, words: list[bytes]) -> None:
    assert isinstance(contract_abi().decode_revert(selector + b"".join(words)), TransactionRevertedError)


@given(topic=st.sampled_from(sorted(contract_abi()._events)), words=st.lists(WORDS, max_size=18), data=st.data())
@settings(max_examples=300, deadline=None)
def test_a_log_of_any_words_is_an_event_or_malformed(topic: bytes, words: list[bytes], data: st.DataObject) -> None:
    topics = data.draw(st.integers(0, min(3, len(words))))
    with contextlib.suppress(MalformedError):
        contract_abi().decode_event([topic, *words[:topics]], b"".join(words[topics:]))
