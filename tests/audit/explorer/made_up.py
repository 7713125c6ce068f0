"""A network of any size as event logs, the same at every run, and a chain that tells them."""

from __future__ import annotations

import dataclasses
import threading
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from fastapi import FastAPI

from audit.accuracy import NO_SCORES, Accuracy
from audit.explorer.app import build_app
from audit.explorer.chronicle import Chronicle
from audit.index.costs import TxCost
from audit.index.database import open_database
from audit.names import Names
from gateways.ledger.result_digest import result_digest_of
from gateways.ledger.rpc import RPCEndpoint
from protocol import ledger_events as ev
from protocol.errors import LedgerUnavailableError
from protocol.identifiers import (
    CID,
    AccountAddress,
    BlockHash,
    Digest,
    LineageId,
    SiteId,
    TxHash,
    aggregator_id_of,
    digest_of,
    lineage_id_of,
    site_id_of,
)
from protocol.ledger_calls import AttestResult
from protocol.ports import BlockHeader, ChainIdentity
from protocol.verdicts import VerdictCode

START, A_ROUND, VALID = 1_700_000_000, 3_600, 10**9
LINEAGE = "last-conv"
AGGREGATOR = aggregator_id_of("aggregator")
NOWHERE = "http://127.0.0.1:1"
REFUSALS = (VerdictCode.NOT_FETCHED, VerdictCode.NORM_TOO_LARGE, VerdictCode.DUPLICATE_NEAR)
FAILED, ABORTED = 7, 11
"""Every so-many-th round."""


def slug(site: int) -> str:
    return f"site-{site:02d}"


def digest(*parts: object) -> Digest:
    return digest_of("made-up", repr(parts).encode())


def account(name: str) -> AccountAddress:
    return AccountAddress(digest(name)[:20])


class MadeUpNetwork:
    """Events of sites that take part, stay away, are refused, take back, publish and withdraw consent.

    Args:
        rounds: The last one has no outcome yet.
        sites: How many.
    """

    def __init__(self, rounds: int, sites: int) -> None:
        self.events: list[ev.LocatedEvent] = []
        self.now = START
        self.sites = sites
        self.versions = dict.fromkeys(range(sites), 0)
        self.head = digest("genesis")
        self.lineage = lineage_id_of(LINEAGE)
        self._constitute()
        for number in range(1, rounds + 1):
            self.play(number, open_still=number == rounds)

    @property
    def names(self) -> Names:
        return Names([LINEAGE, "aggregator", *map(slug, range(self.sites))])

    def emit(self, event: ev.LedgerEvent, *, same_tx: bool = False) -> ev.Position:
        if same_tx:
            last = self.events[-1].position
            position = dataclasses.replace(last, log_index=last.log_index + 1)
        else:
            number = len(self.events) + 1
            self.now += 7
            block, tx = BlockHash(digest("block", number)), TxHash(digest("tx", number))
            position = ev.Position(number, 0, block, tx, self.now)
        self.events.append(ev.LocatedEvent(position, event))
        return position

    def publish(self, site: int) -> None:
        self.versions[site] += 1
        root, until = digest("root", site, self.versions[site]), self.now + VALID
        self.emit(ev.ConsentRootPublished(site_id_of(slug(site)), self.versions[site], root, until, 40 + site, 3, 1))

    def play(self, number: int, *, open_still: bool) -> None:
        for site in range(self.sites):
            if (number + 3 * site) % 40 == 0:
                self.emit(ev.ConsentWithdrawn(site_id_of(slug(site)), self.versions[site] + 1))
                self.publish(site)
        self.emit(ev.RoundKeyAnnounced(AGGREGATOR, self.lineage, number, digest("key"), CID(digest("key-cid"))))
        self.emit(
            ev.RoundOpened(
                self.lineage, number, AGGREGATOR, self.head, digest("plan", number), CID(digest("plan-cid", number)),
                digest("recipients"), self.now + A_ROUND, self.now + 2 * A_ROUND, 3, 1, (2**self.sites - 1,),
            )
        )  # fmt: skip
        came = [site for site in range(self.sites) if (7 * number + 5 * site) % 19]
        came = came[: self.sites // 2] if open_still else came
        for index, site in enumerate(came):
            self.emit(self.update(number, index, site))
        taken_back = [index for index in range(len(came)) if (number + index) % 61 == 0]
        for index in taken_back:
            self.emit(ev.UpdateRevoked(self.lineage, number, site_id_of(slug(came[index])), index))
        if not open_still:
            self.end(number, bytes(self.code(number, index, index in taken_back) for index in range(len(came))))

    def update(self, number: int, index: int, site: int) -> ev.UpdateRegistered:
        return ev.UpdateRegistered(
            self.lineage, number, site_id_of(slug(site)), index, digest("envelope", number, site),
            CID(digest("envelope-cid", number, site)), digest("commitment", number, site), 1 + (number + site) % 9,
            digest("dataset", site), self.versions[site], 1,
        )  # fmt: skip

    def code(self, number: int, index: int, taken_back: bool) -> VerdictCode:
        if taken_back:
            return VerdictCode.REVOKED
        if (3 * number + 11 * index) % 37 == 0 or number % FAILED == 0:
            return REFUSALS[(number + index) % len(REFUSALS)]
        return VerdictCode.ACCEPTED

    def end(self, number: int, codes: bytes) -> None:
        self.now += A_ROUND
        if number % ABORTED == 0:
            self.now += A_ROUND
            self.emit(ev.RoundAborted(self.lineage, number, account("anybody")))
            return
        accepted = sum(1 << index for index, code in enumerate(codes) if code == VerdictCode.ACCEPTED)
        verdicts = (digest("verdicts", number), CID(digest("verdicts-cid", number)), accepted, codes)
        if number % FAILED == 0:
            nothing = (Digest.zero(), CID.zero(), Digest.zero())
            self.vote(number, *nothing, *verdicts)
            self.emit(ev.RoundFailed(self.lineage, number, *verdicts), same_tx=True)
            return
        self.head = digest("model", number)
        model = (self.head, CID(digest("model-cid", number)), digest("state"))
        self.vote(number, *model, *verdicts)
        self.emit(ev.RoundFinalized(self.lineage, number, *model, *verdicts), same_tx=True)

    def vote(self, number: int, *result: Any) -> None:
        told = result_digest_of(identity_of(self.events), AttestResult(self.lineage, number, *result))
        self.emit(ev.ResultAttested(self.lineage, number, AGGREGATOR, told))

    def _constitute(self) -> None:
        self.emit(ev.GovernorChanged(AccountAddress.zero(), account("governor")))
        self.emit(ev.AggregatorAdmitted(AGGREGATOR, account("aggregator"), digest("keys")))
        self.emit(ev.AggregatorSetChanged(1, 1, (AGGREGATOR,)))
        for site in range(self.sites):
            self.emit(ev.SiteAdmitted(site_id_of(slug(site)), account(slug(site)), site, digest("keys", site)))
            self.publish(site)
        model = (self.head, CID(digest("genesis-cid")), digest("backbone"))
        self.emit(ev.LineageCreated(self.lineage, 0, *model, digest("schema"), 1))


def identity_of(events: Sequence[ev.LocatedEvent]) -> ChainIdentity:
    """The deployment whose first event is the first of these."""
    first = events[0].position
    return ChainIdentity(31337, account("contract"), first.block_hash, first.block_number, first.block_hash)


class ToldChain:
    """A chain that tells these events: the ledger port for a reader, and what transactions cost.

    Attributes:
        down: While true, nothing is answered.
        asked: How many transactions were asked for in each request.
    """

    def __init__(self, events: list[ev.LocatedEvent]) -> None:
        self.told = events
        self.down = False
        self.asked: list[int] = []
        self.identity = identity_of(events)
        self.account = None

    def head(self) -> BlockHeader:
        self.check_chain()
        last = self.told[-1].position
        return BlockHeader(last.block_number, last.block_hash, last.timestamp)

    def block_hash(self, number: int) -> BlockHash | None:
        place = bisect_left(self.told, number, key=lambda located: located.position.block_number)
        return self.told[place].position.block_hash if place < len(self.told) else None

    def check_chain(self) -> None:
        if self.down:
            raise LedgerUnavailableError("the chain is down")

    def events(self, from_block: int, to_block: int) -> Iterator[ev.LocatedEvent]:
        start = bisect_left(self.told, from_block, key=lambda located: located.position.block_number)
        end = bisect_right(self.told, to_block, key=lambda located: located.position.block_number)
        return iter(self.told[start:end])

    def costs(self, tx_hashes: Sequence[TxHash]) -> list[TxCost]:
        self.check_chain()
        self.asked.append(len(tx_hashes))
        block_of = {located.position.tx_hash: located.position.block_hash for located in self.told}
        return [TxCost(tx, block_of[tx], 60_000 + tx[0] * 100, 260 + tx[1]) for tx in tx_hashes]


def chronicle_of(chain: ToldChain, folder: Path) -> Chronicle:
    engine = open_database(str(folder / "index.sqlite"))
    return Chronicle(engine, chain, chain, Names([LINEAGE]), lambda _block, _head: None)  # type: ignore[arg-type]


def app_of(chronicle: Chronicle, names: Names, accuracy: Accuracy = NO_SCORES) -> FastAPI:
    """The explorer; nobody answers at its RPC endpoint."""
    return build_app(chronicle, RPCEndpoint(NOWHERE, timeout_seconds=1.0), names, accuracy)


def site(number: int) -> SiteId:
    return site_id_of(slug(number))


def lineage_id() -> LineageId:
    return lineage_id_of(LINEAGE)


def on_a_thread(target: object) -> threading.Thread:
    thread = threading.Thread(target=target)  # type: ignore[arg-type]
    thread.start()
    return thread
