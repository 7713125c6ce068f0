"""Reads the contract's events: page by page, in chain order, with the time of each block."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from gateways.ledger.contract_abi import ContractABI
from gateways.ledger.rpc import RPCEndpoint, RPCRefusedError, blob, quantity
from protocol.errors import LedgerUnavailableError
from protocol.identifiers import AccountAddress, BlockHash, TxHash
from protocol.ledger_events import LocatedEvent, Position

_FIRST_PAGE_BLOCKS = 2_000
_MAX_PAGE_BLOCKS = 64_000
_MAX_CACHED_TIMES = 4_096


class EventReader:
    """Reads logs with raw JSON-RPC, ten times faster than through a contract object."""

    def __init__(self, endpoint: RPCEndpoint, abi: ContractABI, contract_address: AccountAddress) -> None:
        self._endpoint = endpoint
        self._abi = abi
        self._contract_address = str(contract_address)
        self._page_blocks = _FIRST_PAGE_BLOCKS
        self._times: dict[BlockHash, int] = {}

    def read(self, from_block: int, to_block: int) -> Iterator[LocatedEvent]:
        """All events in both blocks and between, in chain order.

        Pages grow while the endpoint answers and halve when it finds one too large.

        Raises:
            LedgerUnavailableError: No usable answer, also for a single block.
            MalformedError: A log is none of the contract's events.
        """
        start = from_block
        while start <= to_block:
            end = min(start + self._page_blocks - 1, to_block)
            try:
                logs = self._logs(start, end)
            except RPCRefusedError:
                if end == start:
                    raise
                self._page_blocks = max(1, (end - start + 1) // 2)
                continue
            yield from self.locate(logs)
            start = end + 1
            self._page_blocks = min(self._page_blocks * 2, _MAX_PAGE_BLOCKS)

    def locate(self, logs: list[dict[str, Any]]) -> Iterator[LocatedEvent]:
        """The contract's events among some logs, in chain order, such as those of a receipt.

        Raises:
            LedgerUnavailableError: A log's block is gone: the chain reorganised between two requests.
            MalformedError: A log is none of the contract's events.
        """
        own = [log for log in logs if log["address"].lower() == self._contract_address and not log.get("removed")]
        own.sort(key=lambda log: (quantity(log["blockNumber"]), quantity(log["logIndex"])))
        self._learn_times(own)
        for log in own:
            event = self._abi.decode_event([blob(topic) for topic in log["topics"]], blob(log["data"]))
            if event is not None:
                yield LocatedEvent(self._position(log), event)

    def block_time(self, block_hash: BlockHash) -> int:
        """The time of a block, seconds since 1970.

        Raises:
            LedgerUnavailableError: The block is gone.
        """
        if block_hash not in self._times:
            self._fetch_times([block_hash])
        return self._times[block_hash]

    def _logs(self, from_block: int, to_block: int) -> list[dict[str, Any]]:
        query = {"address": self._contract_address, "fromBlock": hex(from_block), "toBlock": hex(to_block)}
        logs = self._endpoint.call("eth_getLogs", query)
        if not isinstance(logs, list):
            raise LedgerUnavailableError("the RPC endpoint answers eth_getLogs with no list")
        return logs

    def _learn_times(self, logs: list[dict[str, Any]]) -> None:
        if len(self._times) > _MAX_CACHED_TIMES:
            self._times.clear()
        missing: set[BlockHash] = set()
        for log in logs:
            block_hash = BlockHash(blob(log["blockHash"]))
            if log.get("blockTimestamp") is not None:
                self._times[block_hash] = quantity(log["blockTimestamp"])
            elif block_hash not in self._times:
                missing.add(block_hash)
        self._fetch_times(sorted(missing))

    def _fetch_times(self, block_hashes: list[BlockHash]) -> None:
        blocks = self._endpoint.batch("eth_getBlockByHash", [(str(block_hash), False) for block_hash in block_hashes])
        for block_hash, block in zip(block_hashes, blocks, strict=True):
            if block is None:
                raise LedgerUnavailableError(f"block {block_hash} is gone", hint="the chain reorganised: read again")
            self._times[block_hash] = quantity(block["timestamp"])

    def _position(self, log: dict[str, Any]) -> Position:
        block_hash = BlockHash(blob(log["blockHash"]))
        return Position(
            block_number=quantity(log["blockNumber"]),
            log_index=quantity(log["logIndex"]),
            block_hash=block_hash,
            tx_hash=TxHash(blob(log["transactionHash"])),
            timestamp=self._times[block_hash],
        )
