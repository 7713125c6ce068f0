"""A recording as two endpoints tell its logs, and as the blocks that hold them."""

from __future__ import annotations

import dataclasses
import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any

from sqlalchemy import Engine

from audit.broken_rules import CheckedHistory
from audit.bundle.chain import prove_chain, write_blocks
from audit.index.database import open_database
from audit.index.filling import fill
from audit.index.proving import prove_index
from gateways.ledger.block_bytes import parse_header
from gateways.ledger.web3_ledger import Web3Ledger
from protocol import ledger_events as ev
from protocol.errors import AuditError, LedgerUnavailableError
from protocol.identifiers import BlockHash
from tests.audit.paper_chain import PaperChain, log_of, paper_chain
from tests.gateways.json_rpc_server import CONTRACT, DEPLOYMENT, JSONRPCServer, block_hash
from tests.tamper.detecting import NAMES, Found, Teller, newest_of
from tests.tamper.recording import Recording, recorded


@dataclass(frozen=True)
class OnPaper:
    """The recording with the blocks that a chain would have held it in."""

    chain: PaperChain
    honest: Recording


@cache
def on_paper() -> OnPaper:
    """The whole story; take a copy of the recording."""
    chain = paper_chain(recorded().events, recorded().identity)
    headers, receipts = io.BytesIO(), io.BytesIO()
    write_blocks(iter(chain.blocks), headers, receipts, lambda _done: None)
    headers.seek(0)
    receipts.seek(0)
    events = prove_chain(headers, receipts, chain.deployment, chain.checkpoint).events
    honest = dataclasses.replace(recorded(), identity=chain.deployment.identity, events=list(events))
    return OnPaper(chain, honest)


class PaperTeller(Teller):
    """Tells the events of a recording, and the true hash of every block."""

    def block_hash(self, number: int) -> BlockHash | None:
        header = self._headers().get(number)
        return None if header is None else BlockHash(header)

    @staticmethod
    @cache
    def _headers() -> dict[int, bytes]:
        headers = (parse_header(block.header) for block in on_paper().chain.blocks)
        return {header.number: header.block_hash for header in headers}


def alarmed(recording: Recording) -> list[Found]:
    """What a trail, a show and the explorer say of the rules."""
    checked = CheckedHistory(recording.identity, NAMES)
    for located in recording.events:
        checked.take(located)
    return [Found("", "broken rule", sentence) for sentence in checked.broken()]


def proven(recording: Recording, spoil: Callable[[Engine], None] = lambda _engine: None) -> list[Found]:
    """What ``fedrx audit check-index --checkpoint`` finds in an index that an endpoint filled."""
    engine = open_database("sqlite://")
    fill(engine, PaperTeller(recording, newest_of(on_paper().honest)), page_blocks=30)
    spoil(engine)
    chain = on_paper().chain
    try:
        prove_index(engine, chain.deployment, chain.checkpoint, chain, None, lambda _done, _total: None)
    except AuditError as error:
        return [Found("", "left out" if "leaves out" in error.what else "other", str(error))]
    finally:
        engine.dispose()
    return []


@contextmanager
def told_over_http(recording: Recording) -> Iterator[JSONRPCServer]:
    """An endpoint with the recording's logs in blocks of its own."""
    logs = [_raw(located) for located in recording.events]

    def of_blocks(query: dict[str, str]) -> list[dict[str, Any]]:
        first, last = int(query["fromBlock"], 16), int(query["toBlock"], 16)
        return [log for log in logs if first <= int(log["blockNumber"], 16) <= last]

    with JSONRPCServer(newest=newest_of(recorded()).number) as server:
        server.answers["eth_getLogs"] = of_blocks
        yield server


def compared(one: JSONRPCServer, other: JSONRPCServer) -> list[Found]:
    """Why a reader with a second endpoint goes no further."""
    ledger = Web3Ledger.connect(one.url, DEPLOYMENT, compare_rpc_url=other.url)
    try:
        list(ledger.events(0, ledger.head().number))
    except LedgerUnavailableError as error:
        return [Found("", "left out", str(error))]
    return []


def _raw(located: ev.LocatedEvent) -> dict[str, Any]:
    at = located.position
    _, topics, data = log_of(located.event, dataclasses.replace(recorded().identity, contract_address=CONTRACT))
    return {
        "address": str(CONTRACT),
        "topics": ["0x" + topic.hex() for topic in topics],
        "data": "0x" + data.hex(),
        "blockNumber": hex(at.block_number),
        "blockHash": str(block_hash(at.block_number)),
        "blockTimestamp": hex(at.timestamp),
        "logIndex": hex(at.log_index),
        "transactionHash": str(at.tx_hash),
        "removed": False,
    }
