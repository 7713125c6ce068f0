"""Reads the contract's events: page by page, in chain order, with the time of each block."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import pairwise

from gateways.ledger import answers
from gateways.ledger.contract_abi import ContractABI
from gateways.ledger.rpc import RPCEndpoint, RPCRefusedError
from protocol.errors import LedgerUnavailableError
from protocol.identifiers import AccountAddress, BlockHash
from protocol.ledger_events import LocatedEvent, Position

_FIRST_PAGE_BLOCKS = 2_000
_MAX_PAGE_BLOCKS = 64_000
_MAX_CACHED_TIMES = 4_096


class EventReader:
    """Reads logs with raw JSON-RPC, ten times faster than through a contract object."""

    def __init__(self, endpoint: RPCEndpoint, abi: ContractABI, contract_address: AccountAddress) -> None:
        self._endpoint = endpoint
        self._abi = abi
        self._contract_address = contract_address
        self._page_blocks = _FIRST_PAGE_BLOCKS
        self._times: dict[BlockHash, int] = {}

    @property
    def label(self) -> str:
        """How its endpoint is called in sentences."""
        return f"the RPC endpoint {self._endpoint.shown}"

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

    def locate(self, logs: Iterable[answers.Log]) -> Iterator[LocatedEvent]:
        """The contract's events among some logs, in chain order, such as those of a receipt.

        Raises:
            LedgerUnavailableError: A log's block is gone: the chain reorganised between two requests; or one is told
                twice.
            MalformedError: A log is none of the contract's events.
        """
        own = [log for log in logs if log.address == self._contract_address and not log.removed]
        own.sort(key=lambda log: (log.block_number, log.log_index))
        for log, following in pairwise(own):
            if (log.block_number, log.log_index) == (following.block_number, following.log_index):
                raise LedgerUnavailableError(
                    f"the RPC endpoint tells two logs of one place (block {log.block_number}, log {log.log_index})",
                    hint="ask another endpoint: this one lies or is broken",
                )
        self._learn_times(own)
        for log in own:
            event = self._abi.decode_event(list(log.topics), log.data)
            if event is not None:
                yield LocatedEvent(self._position(log), event)

    def _logs(self, from_block: int, to_block: int) -> tuple[answers.Log, ...]:
        query = {"address": str(self._contract_address), "fromBlock": hex(from_block), "toBlock": hex(to_block)}
        logs = answers.logs(self._endpoint.call("eth_getLogs", query))
        if any(not from_block <= log.block_number <= to_block for log in logs):
            raise LedgerUnavailableError("the RPC endpoint answers eth_getLogs with other blocks than it was asked for")
        return logs

    def _learn_times(self, logs: list[answers.Log]) -> None:
        if len(self._times) > _MAX_CACHED_TIMES:
            self._times.clear()
        missing: set[BlockHash] = set()
        for log in logs:
            if log.block_timestamp is not None:
                self._times[log.block_hash] = log.block_timestamp
            elif log.block_hash not in self._times:
                missing.add(log.block_hash)
        self._fetch_times(sorted(missing))

    def _fetch_times(self, block_hashes: list[BlockHash]) -> None:
        found = self._endpoint.batch("eth_getBlockByHash", [(str(block_hash), False) for block_hash in block_hashes])
        for block_hash, answer in zip(block_hashes, found, strict=True):
            block = answers.block(answer)
            if block is None or block.block_hash != block_hash:
                raise LedgerUnavailableError(f"block {block_hash} is gone", hint="the chain reorganised: read again")
            self._times[block_hash] = block.timestamp

    def _position(self, log: answers.Log) -> Position:
        return Position(
            block_number=log.block_number,
            log_index=log.log_index,
            block_hash=log.block_hash,
            tx_hash=log.tx_hash,
            timestamp=self._times[log.block_hash],
        )
