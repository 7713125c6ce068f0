"""A network set up for tests: three sites with consent, an aggregator set, a lineage; and calls with good arguments."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

from protocol.identifiers import (
    CID,
    AccountAddress,
    AggregatorId,
    Digest,
    LineageId,
    SiteId,
    aggregator_id_of,
    lineage_id_of,
    site_id_of,
)
from protocol.ledger_calls import (
    AdmitAggregator,
    AdmitSite,
    AttestResult,
    CreateLineage,
    OpenRound,
    PublishConsentRoot,
    RegisterUpdate,
    SetAggregators,
)
from protocol.ports import Ledger

LINEAGE = lineage_id_of("english-g2-last-conv")
GENESIS = Digest(hashlib.sha256(b"genesis model").digest())
DAY = 86_400
ROUND_SECONDS = 3_600
ATTEST_SECONDS = 1_800


class World(Protocol):
    """What the chain world and the fake world have in common."""

    @property
    def governor(self) -> Ledger: ...
    def ledger(self, account: AccountAddress) -> Ledger: ...
    def fresh_account(self) -> AccountAddress: ...
    def fresh_ledger(self) -> Ledger: ...
    def now(self) -> int: ...
    def advance(self, seconds: int) -> None: ...


def digest(text: str) -> Digest:
    return Digest(hashlib.sha256(text.encode()).digest())


def cid(text: str) -> CID:
    return CID(hashlib.sha256(b"cid" + text.encode()).digest())


def bitmap(ordinals: Sequence[int]) -> tuple[int, ...]:
    words = [0] * (max(ordinals, default=0) // 256 + 1)
    for ordinal in ordinals:
        words[ordinal // 256] |= 1 << ordinal % 256
    return tuple(words)


@dataclass(frozen=True)
class Party:
    """A site or an aggregator and its door to the ledger."""

    name: str
    ledger: Ledger

    @property
    def site_id(self) -> SiteId:
        return site_id_of(self.name)

    @property
    def aggregator_id(self) -> AggregatorId:
        return aggregator_id_of(self.name)

    @property
    def account(self) -> AccountAddress:
        assert self.ledger.account is not None
        return self.ledger.account


@dataclass(frozen=True)
class Network:
    world: World
    sites: tuple[Party, ...]
    aggregators: tuple[Party, ...]

    @property
    def governor(self) -> Ledger:
        return self.world.governor

    def open_call(self, round_number: int = 1, **changes: Any) -> OpenRound:
        now = self.world.now()
        call = OpenRound(
            lineage_id=LINEAGE,
            round=round_number,
            parent_digest=GENESIS,
            plan_digest=digest("plan"),
            plan_cid=cid("plan"),
            recipients_digest=digest("recipients"),
            deadline=now + ROUND_SECONDS,
            attest_by=now + ROUND_SECONDS + ATTEST_SECONDS,
            min_accepted=3,
            selected=bitmap(range(len(self.sites))),
        )
        return replace(call, **changes)

    def open_round(self, round_number: int = 1, **changes: Any) -> OpenRound:
        call = self.open_call(round_number, **changes)
        self.aggregators[0].ledger.send(call)
        return call

    def register_all(self, round_number: int = 1) -> None:
        for site in self.sites:
            site.ledger.send(register_call(site.name, round_number))

    def closed_round(self, round_number: int = 1, **changes: Any) -> OpenRound:
        call = self.open_round(round_number, **changes)
        self.register_all(round_number)
        return call


def register_call(name: str, round_number: int = 1, **changes: Any) -> RegisterUpdate:
    call = RegisterUpdate(
        lineage_id=LINEAGE,
        round=round_number,
        envelope_digest=digest(f"envelope {name} {round_number}"),
        envelope_cid=cid(f"envelope {name} {round_number}"),
        parameters_commitment=digest(f"commitment {name} {round_number}"),
        weight=1,
        dataset_root=digest(f"dataset {name}"),
        consent_version=1,
    )
    return replace(call, **changes)


def attest_call(round_number: int = 1, codes: bytes = b"\x00\x00\x00", **changes: Any) -> AttestResult:
    call = AttestResult(
        lineage_id=LINEAGE,
        round=round_number,
        model_digest=digest(f"model {round_number}"),
        model_cid=cid(f"model {round_number}"),
        state_digest=Digest.zero(),
        verdicts_root=digest(f"verdicts {round_number}"),
        verdicts_cid=cid(f"verdicts {round_number}"),
        accepted=sum(1 << index for index, code in enumerate(codes) if code == 0),
        codes=codes,
    )
    return replace(call, **changes)


def failed_call(round_number: int = 1, codes: bytes = b"\x00\x00\x5a", **changes: Any) -> AttestResult:
    return attest_call(round_number, codes, **{"model_digest": Digest.zero(), "model_cid": CID.zero()} | changes)


def consent_call(
    root: Digest, valid_until: int, *, patients: int = 1, guardians: int = 0, waivers: int = 0
) -> PublishConsentRoot:
    return PublishConsentRoot(root, valid_until, patients, guardians, waivers)


def admit_site(world: World, name: str, *, consent: bool = True) -> Party:
    site = Party(name, world.fresh_ledger())
    world.governor.send(AdmitSite(site.site_id, site.account, digest(f"key {name}")))
    if consent:
        site.ledger.send(consent_call(digest(f"consents {name}"), world.now() + 30 * DAY))
    return site


def admit_aggregator(world: World, name: str) -> Party:
    aggregator = Party(name, world.fresh_ledger())
    world.governor.send(AdmitAggregator(aggregator.aggregator_id, aggregator.account, digest(f"key {name}")))
    return aggregator


def lineage_call(lineage_id: LineageId = LINEAGE, **changes: Any) -> CreateLineage:
    call = CreateLineage(
        lineage_id=lineage_id,
        genesis_round=0,
        model_digest=GENESIS,
        model_cid=cid("genesis model"),
        backbone_digest=digest("backbone"),
        plan_schema=digest("plan schema"),
    )
    return replace(call, **changes)


def set_up(world: World, *, sites: int = 3, aggregators: int = 1, threshold: int = 1) -> Network:
    """Admits sites with consent for thirty days, chooses the aggregators, creates the lineage."""
    site_parties = tuple(admit_site(world, f"site-{number}") for number in range(sites))
    aggregator_parties = tuple(admit_aggregator(world, f"aggregator-{number}") for number in range(aggregators))
    world.governor.send(SetAggregators(tuple(party.aggregator_id for party in aggregator_parties), threshold))
    world.governor.send(lineage_call())
    return Network(world, site_parties, aggregator_parties)
