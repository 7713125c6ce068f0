# ruff: noqa: N802 - methods are named as JSON-RPC names them
"""A JSON-RPC endpoint over HTTP that says what a test wants it to say; otherwise it tells a small, honest chain."""

from __future__ import annotations

import hashlib
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

from eth_abi import abi as eth_abi
from eth_utils.crypto import keccak

from protocol.deployment import Deployment
from protocol.identifiers import AccountAddress, BlockHash, Digest, digest_of

CODE = b"\x60\x00"
CONTRACT = AccountAddress(b"\xc0" * 20)
GOVERNOR = AccountAddress(b"\x60" * 20)
NEWEST = 7


def block_hash(number: int, fork: str = "") -> BlockHash:
    return BlockHash(hashlib.sha256(f"{fork}{number}".encode()).digest())


DEPLOYMENT = Deployment(
    chain_id=31_337,
    contract_address=CONTRACT,
    genesis_block_hash=block_hash(0),
    deployment_block_number=1,
    deployment_block_hash=block_hash(1),
    compiler="0.8.37",
    creation_code_digest=Digest.zero(),
    runtime_code_digest=digest_of("contract-code", CODE),
    governor=GOVERNOR,
    predecessor=None,
)


def suite_of(chain_id: int = 0, predecessor: AccountAddress | None = None) -> bytes:
    """What the contract's ``suite()`` returns."""
    link = (chain_id, predecessor or AccountAddress.zero())
    return eth_abi.encode(["uint8", "uint8", *["(uint64,address)"] * 2], [1, 1, link, (0, AccountAddress.zero())])


class JSONRPCServer:
    """A context manager.

    ``answers`` holds what a test wants instead of the chain's own result, by method: a value, or a function of the
    parameters. ``body`` replaces the whole answer; with ``seconds_a_byte`` it trickles, until ``stopped``.
    """

    def __init__(self, *, newest: int = NEWEST, fork: str = "", forked_at: int = 2) -> None:
        self.answers: dict[str, Any] = {}
        self.errors: dict[str, Any] = {}
        self.body: bytes | None = None
        self.seconds_a_byte = 0.0
        self.stopped = threading.Event()
        self.newest = newest
        self.fork = fork
        self.forked_at = forked_at
        self.suite = suite_of()
        self.sent: list[bytes] = []
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_POST(self) -> None:
                question = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                body = server.body if server.body is not None else json.dumps(server.reply(question)).encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                if not server.seconds_a_byte:
                    self.wfile.write(body)
                    return
                for byte in body:
                    if server.stopped.wait(server.seconds_a_byte):
                        return
                    self.wfile.write(bytes([byte]))

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def reply(self, question: Any) -> Any:
        if isinstance(question, list):
            # The order of a batch's answers is free.
            return [self.reply(item) for item in reversed(question)]
        method, params = question["method"], question["params"]
        reply = {"jsonrpc": "2.0", "id": question["id"]}
        if method in self.errors:
            return reply | {"error": self.errors[method]}
        if method in self.answers:
            wanted = self.answers[method]
            return reply | {"result": wanted(*params) if callable(wanted) else wanted}
        return reply | {"result": self.honest(method, *params)}

    def honest(self, method: str, *params: Any) -> Any:
        return getattr(self, method)(*params)

    def _hash(self, number: int) -> BlockHash:
        return block_hash(number, self.fork if number >= self.forked_at else "")

    def _block(self, number: int) -> dict[str, Any] | None:
        if number > self.newest:
            return None
        return {
            "number": hex(number),
            "hash": str(self._hash(number)),
            "timestamp": hex(1_700_000_000 + number),
            "baseFeePerGas": "0x7",
        }

    def _log(self) -> dict[str, Any]:
        return {
            "address": str(CONTRACT),
            "topics": [
                "0x" + keccak(b"GovernorChanged(address,address,uint8)").hex(),
                "0x" + bytes(32).hex(),
                "0x" + GOVERNOR.rjust(32, b"\0").hex(),
            ],
            "data": "0x" + eth_abi.encode(["uint8"], [1]).hex(),
            "blockNumber": "0x1",
            "blockHash": str(self._hash(1)),
            "logIndex": "0x0",
            "transactionHash": "0x" + "77" * 32,
            "removed": False,
        }

    def eth_chainId(self) -> str:
        return hex(DEPLOYMENT.chain_id)

    def eth_getCode(self, _address: str, _block: str) -> str:
        return "0x" + CODE.hex()

    def eth_getBlockByNumber(self, number: str, _full: bool) -> Any:
        return self._block(self.newest if number in {"latest", "finalized"} else int(number, 16))

    def eth_getBlockByHash(self, wanted: str, _full: bool) -> Any:
        return next((self._block(n) for n in range(self.newest + 1) if str(self._hash(n)) == wanted), None)

    def eth_getLogs(self, query: dict[str, str]) -> Any:
        return [self._log()] if int(query["fromBlock"], 16) <= 1 else []

    def eth_getBalance(self, _address: str, _block: str) -> str:
        return hex(10**18)

    def eth_accounts(self) -> list[str]:
        return [str(GOVERNOR)]

    def eth_estimateGas(self, _request: Any) -> str:
        return hex(50_000)

    def eth_getTransactionCount(self, _address: str, _block: str) -> str:
        return "0x0"

    def eth_maxPriorityFeePerGas(self) -> str:
        return "0x1"

    def eth_call(self, request: Any, _block: str) -> str:
        return "0x" + self.suite.hex() if request.get("data") == "0xd4717c1b" else "0x"

    def eth_sendRawTransaction(self, raw: str) -> str:
        self.sent.append(bytes.fromhex(raw[2:]))
        return "0x" + keccak(self.sent[-1]).hex()

    def eth_getTransactionReceipt(self, tx_hash: str) -> Any:
        log = self._log() | {"blockNumber": hex(self.newest), "blockHash": str(self._hash(self.newest))}
        return {
            "transactionHash": tx_hash,
            "status": "0x1",
            "blockNumber": hex(self.newest),
            "blockHash": str(self._hash(self.newest)),
            "gasUsed": "0x5208",
            "contractAddress": None,
            "logs": [log | {"transactionHash": tx_hash}],
        }
