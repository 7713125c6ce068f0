"""A paper chain behind a JSON-RPC endpoint, block by block as Hyperledger Besu serves one."""

from __future__ import annotations

from typing import Any

import rlp

from gateways.ledger.block_bytes import parse_header
from tests.audit.paper_chain import PaperChain
from tests.gateways.json_rpc_server import JSONRPCServer

_FIELDS = ("parentHash", "sha3Uncles", "miner", "stateRoot", "transactionsRoot", "receiptsRoot", "logsBloom",
           "difficulty", "number", "gasLimit", "gasUsed", "timestamp", "extraData", "mixHash", "nonce")  # fmt: skip
_NUMBERS = {"difficulty", "number", "gasLimit", "gasUsed", "timestamp"}


class ServedChain(JSONRPCServer):
    """The endpoint of one chain."""

    def __init__(self, chain: PaperChain) -> None:
        super().__init__()
        self._chain = chain
        self._blocks = [self._block_of(place) for place in range(len(chain.blocks))]
        self._receipts = {
            receipt["transactionHash"]: receipt
            for place in range(len(chain.blocks))
            for receipt in self._receipts_of(place)
        }
        self.answers["eth_chainId"] = hex(chain.identity.chain_id)
        self.answers["eth_getCode"] = "0x" + b"runtime".hex()

    def eth_getBlockByNumber(self, number: str, _full: bool) -> Any:  # noqa: N802 - as JSON-RPC names it
        if number == "latest":
            return self._blocks[-1]
        if number == "0x0":
            return {"number": "0x0", "hash": str(self._chain.identity.genesis_block_hash), "timestamp": "0x0"}
        return next((block for block in self._blocks if block["number"] == number), None)

    def eth_getBlockByHash(self, wanted: str, _full: bool) -> Any:  # noqa: N802
        return next((block for block in self._blocks if block["hash"] == wanted), None)

    def eth_getTransactionReceipt(self, tx_hash: str) -> Any:  # noqa: N802
        return self._receipts.get(tx_hash)

    def eth_getLogs(self, query: dict[str, str]) -> Any:  # noqa: N802
        first, last = int(query["fromBlock"], 16), int(query["toBlock"], 16)
        logs = (log for receipt in self._receipts.values() for log in receipt["logs"])
        return [log for log in logs if first <= int(log["blockNumber"], 16) <= last]

    def _block_of(self, place: int) -> dict[str, Any]:
        data = self._chain.blocks[place].header
        block = {
            name: hex(int.from_bytes(item, "big")) if name in _NUMBERS else "0x" + item.hex()
            for name, item in zip(_FIELDS, rlp.decode(data), strict=True)
        }
        told = {"hash": str(parse_header(data).block_hash)}
        return block | told | {"transactions": [str(each) for each in self._chain.transactions[place]]}

    def _receipts_of(self, place: int) -> list[dict[str, Any]]:
        block, found, index_in_block = self._blocks[place], [], 0
        for tx_hash, receipt in zip(self._chain.transactions[place], self._chain.blocks[place].receipts, strict=True):
            status, gas, bloom, logs = rlp.decode(receipt[1:])
            where = {"blockNumber": block["number"], "blockHash": block["hash"], "transactionHash": str(tx_hash)}
            told = []
            for address, topics, data in logs:
                said = {"address": "0x" + address.hex(), "topics": ["0x" + topic.hex() for topic in topics]}
                said |= {"data": "0x" + data.hex(), "logIndex": hex(index_in_block), "removed": False}
                told.append(where | said)
                index_in_block += 1
            numbers = {
                "status": hex(int.from_bytes(status, "big")),
                "cumulativeGasUsed": hex(int.from_bytes(gas, "big")),
            }
            found.append(where | numbers | {"type": hex(receipt[0]), "logsBloom": "0x" + bloom.hex(), "logs": told})
        return found
