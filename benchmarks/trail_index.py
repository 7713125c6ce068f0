"""How fast the auditor's index is filled from a chain, and searched.

    nice python -m benchmarks.trail_index --events 10000 --stored 1000000 --out benchmarks/trail_index.md
    nice python -m benchmarks.trail_index --stored 1000000 --index postgresql+psycopg:///fedrx

Part one admits sites on a local chain, ten a block, and fills an SQLite index from its JSON-RPC; beside it, in the same
run, the time that web3's own log decoder takes for the same logs. Part two fills an index with made-up events of the
shape of a large network (200 sites, 20 lineages) and searches it. With --index only part two runs, in a file or
database that is empty before and stays filled.
"""

from __future__ import annotations

import argparse
import hashlib
import platform
import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from sqlalchemy import Engine, text
from web3 import HTTPProvider, Web3

from audit.index.database import open_database
from audit.index.filling import fill
from audit.index.searching import Search, search
from gateways.ledger.contract_abi import contract_abi, load_artifact
from gateways.ledger.deploying import deploy, unlocked_accounts
from gateways.ledger.signers import UnlockedAccount
from gateways.ledger.web3_ledger import Web3Ledger
from protocol import ledger_events as ev
from protocol.identifiers import CID, AccountAddress, BlockHash, Digest, LineageId, SiteId, TxHash
from protocol.ledger_calls import AdmitSite
from protocol.ports import BlockHeader, ChainIdentity
from scripts.local_chain import LocalChain

SITES, LINEAGES, A_BLOCK = 200, 20, 10
REPEATS = 20


def digest(*parts: object) -> bytes:
    return hashlib.sha256(repr(parts).encode()).digest()


class MadeUpChain:
    """Events of a large network, the same ones at every reading: a round has one opening, its updates and an end."""

    def __init__(self, count: int) -> None:
        self._blocks = count // A_BLOCK
        first = self.block_hash(0)
        self.identity = ChainIdentity(1, AccountAddress(digest("contract")[:20]), first, 0, first)

    def head(self) -> BlockHeader:
        return BlockHeader(self._blocks - 1, self.block_hash(self._blocks - 1), 1_700_000_000 + self._blocks)

    def block_hash(self, number: int) -> BlockHash:
        return BlockHash(digest("block", number))

    def events(self, from_block: int, to_block: int) -> Iterator[ev.LocatedEvent]:
        for block in range(from_block, to_block + 1):
            for log in range(A_BLOCK):
                tx = TxHash(digest("tx", block, log))
                position = ev.Position(block, log, self.block_hash(block), tx, 1_700_000_000 + block)
                yield ev.LocatedEvent(position, self._event(block * A_BLOCK + log))

    def _event(self, place: int) -> ev.LedgerEvent:
        in_round, number = place % (SITES + 2), place // (SITES + 2)
        lineage, round_number = LineageId(digest("lineage", number % LINEAGES)), 1 + number // LINEAGES
        if in_round == 0:
            return ev.RoundOpened(
                lineage, round_number, ev.AggregatorId(digest("aggregator")),
                Digest(digest("model", number - LINEAGES)), Digest(digest("plan", number)),
                CID(digest("plan-cid", number)), Digest(digest("recipients")),
                1, 2, 3, 1, (2**SITES - 1,),
            )  # fmt: skip
        if in_round == SITES + 1:
            return ev.RoundFinalized(
                lineage, round_number, Digest(digest("model", number)), CID(digest("model-cid", number)),
                Digest(digest("state")), Digest(digest("verdicts", number)), CID(digest("verdicts-cid", number)),
                2**SITES - 1, bytes(SITES),
            )  # fmt: skip
        site = SiteId(digest("site", in_round))
        return ev.UpdateRegistered(
            lineage, round_number, site, in_round - 1, Digest(digest("envelope", place)), CID(digest("cid", place)),
            Digest(digest("commitment", place)), 100, Digest(digest("dataset", in_round)), 1, 1,
        )  # fmt: skip


def admit_sites(chain: LocalChain, count: int) -> Web3Ledger:
    governor = unlocked_accounts(chain.url)[0]
    deployment = deploy(chain.url, UnlockedAccount(governor), governor=governor)
    chain.rpc("evm_setAutomine", False)
    for first in range(0, count, A_BLOCK):
        for number in range(first, min(first + A_BLOCK, count)):
            call = AdmitSite(SiteId(digest("site", number)), AccountAddress(digest("account", number)[:20]),
                             Digest(digest("keys", number)))  # fmt: skip
            data = "0x" + contract_abi().encode_call(call).hex()
            address = str(deployment.contract_address)
            chain.rpc("eth_sendTransaction", {"from": str(governor), "to": address, "data": data, "gas": hex(200_000)})
        chain.rpc("evm_mine")
    return Web3Ledger.connect(chain.url, deployment)


def time_web3(chain: LocalChain, ledger: Web3Ledger) -> tuple[float, int]:
    """Seconds of web3's own way, blocks' times left out, and how many logs it read."""
    web3 = Web3(HTTPProvider(chain.url, request_kwargs={"timeout": 120}))
    address = web3.to_checksum_address(str(ledger.identity.contract_address))
    contract = web3.eth.contract(address=address, abi=load_artifact().abi)
    started = time.perf_counter()
    found = contract.events.SiteAdmitted().get_logs(from_block=0)
    return time.perf_counter() - started, len(found)


def time_searches(engine: Engine, number: int, stored: int) -> list[tuple[str, int, float, float]]:
    rounds = stored // (SITES + 2) // LINEAGES
    lineage, site = LineageId(digest("lineage", 7)), SiteId(digest("site", 77))
    middle = 1_700_000_000 + stored // A_BLOCK // 2
    asked = {
        "one round": Search(lineage_id=lineage, round_number=rounds // 2),
        "a site's newest 100": Search(site_id=site, newest=100),
        "a site in one lineage, newest 100": Search(site_id=site, lineage_id=lineage, newest=100),
        "final rounds, newest 100": Search(kinds=frozenset({"round-finalized"}), newest=100),
        "a model": Search(model_digest=Digest(digest("model", LINEAGES * (rounds // 2)))),
        "a transaction": Search(tx_hash=TxHash(digest("tx", stored // A_BLOCK // 2, 3))),
        "a minute": Search(since=middle, until=middle + 60),
        "a site in one day, newest 100": Search(site_id=site, since=middle, until=middle + 86_400, newest=100),
        "final rounds before a day, newest 100": Search(kinds=frozenset({"round-finalized"}), until=middle, newest=100),
    }
    rows = []
    for name, wanted in asked.items():
        seconds = []
        for _ in range(REPEATS):
            started = time.perf_counter()
            found = len(list(search(engine, number, wanted)))
            seconds.append(time.perf_counter() - started)
        rows.append((name, found, statistics.median(seconds), max(seconds)))
    return rows


HEAD = """\
# The auditor's index

    {command}

{machine}, Python {python}; one run.
"""

FILLING = """
## {rows:,} events from a local Hardhat chain, {a_block} a block

| way | seconds | events a second |
|---|---|---|
| index: read, decode, blocks' times, written to SQLite | {fill_seconds:.2f} | {fill_rate:,.0f} |
| web3's contract decoder: read and decode only | {web3_seconds:.2f} | {web3_rate:,.0f} |
"""

SEARCHES = """
## Searches among {stored:,} made-up events ({sites} sites, {lineages} lineages), {database}

Filled in {large_seconds:.0f} s; {mebibytes:,.0f} MiB with its indexes. Times are for finding, reading and decoding
all that is found; {repeats} times each, warm.

| asked for | found | median ms | longest ms |
|---|---|---|---|
{searches}
"""


def report_filling(events: int) -> str:
    with tempfile.TemporaryDirectory() as folder, LocalChain("hardhat") as chain:
        ledger = admit_sites(chain, events)
        engine = open_database(f"{folder}/real.sqlite")
        number, fill_seconds = timed_fill(engine, ledger)
        rows = sum(1 for _ in search(engine, number, Search()))
        web3_seconds, web3_rows = time_web3(chain, ledger)
    return FILLING.format(
        rows=rows,
        a_block=A_BLOCK,
        fill_seconds=fill_seconds,
        fill_rate=rows / fill_seconds,
        web3_seconds=web3_seconds,
        web3_rate=web3_rows / web3_seconds,
    )


def report_searches(stored: int, index: str) -> str:
    engine = open_database(index)
    number, large_seconds = timed_fill(engine, MadeUpChain(stored))
    found = time_searches(engine, number, stored)
    database, size = measure(engine)
    engine.dispose()
    return SEARCHES.format(
        stored=stored,
        sites=SITES,
        lineages=LINEAGES,
        database=database,
        large_seconds=large_seconds,
        mebibytes=size / 2**20,
        repeats=REPEATS,
        searches="\n".join(f"| {name} | {count} | {1000 * m:.1f} | {1000 * w:.1f} |" for name, count, m, w in found),
    )


def measure(engine: Engine) -> tuple[str, int]:
    """The database's name with its version, and its size in bytes."""
    version = ".".join(map(str, engine.dialect.server_version_info or ()))
    if engine.dialect.name == "sqlite":
        return f"SQLite {version}", Path(str(engine.url.database)).stat().st_size
    with engine.connect() as connection:
        size = connection.execute(text("SELECT pg_database_size(current_database())")).scalar_one()
    return f"PostgreSQL {version}", size


def report(events: int, stored: int, index: str | None) -> str:
    command = "nice python -m benchmarks.trail_index"
    command += f" --stored {stored} --index URL" if index else f" --events {events} --stored {stored}"
    machine = platform.processor() or platform.machine()
    head = HEAD.format(command=command, machine=machine, python=platform.python_version())
    if index:
        return head + report_searches(stored, index)
    with tempfile.TemporaryDirectory() as folder:
        return head + report_filling(events) + report_searches(stored, f"{folder}/large.sqlite")


def timed_fill(engine: Engine, ledger: Web3Ledger | MadeUpChain) -> tuple[int, float]:
    started = time.perf_counter()
    number = fill(engine, ledger)
    return number, time.perf_counter() - started


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=10_000)
    parser.add_argument("--stored", type=int, default=1_000_000)
    parser.add_argument("--index", help="a file, or a database's URL")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    told = report(options.events, options.stored, options.index)
    print(told)
    if options.out:
        options.out.write_text(told, encoding="utf-8")


if __name__ == "__main__":
    main()
