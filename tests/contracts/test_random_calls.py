"""Random calls, right and wrong, on the contract and on its twin in memory: every answer must be the same.

After each step the invariants hold on the chain itself: a round never goes back, the head moves exactly when a round
is finalised, and registered = accepted + refused.
"""

from __future__ import annotations

import random
from dataclasses import fields
from typing import Any

import pytest

from protocol import ledger_events as events
from protocol.identifiers import CID, AccountAddress, Digest, aggregator_id_of, lineage_id_of, site_id_of
from protocol.ledger_calls import (
    AbortRound,
    AdmitAggregator,
    AdmitSite,
    LeaveNetwork,
    LedgerCall,
    OpenRound,
    RegisterUpdate,
    ReinstateSite,
    RevokeUpdate,
    RotateSiteAccount,
    SetAggregators,
    SuspendSite,
    WithdrawConsents,
)
from protocol.ports import Ledger
from protocol.reverts import ContractError
from protocol.round import MAX_ROUND_SECONDS
from protocol.standing import RoundState, SiteStatus
from tests.contracts.setting import attest_call, cid, consent_call, digest, failed_call, lineage_call
from tests.fakes.ledger_records import Round
from tests.fakes.ledger_rules import ContractRules
from tests.fixtures_chain import ContractWorld

pytestmark = pytest.mark.chain

STEPS = 200
NAMES = [f"site-{number}" for number in range(5)]
CHAIRS = [f"aggregator-{number}" for number in range(3)]
LINES = [lineage_id_of("one"), lineage_id_of("two")]
RANK = {RoundState.NONE: 0, RoundState.OPEN: 1, RoundState.CLOSED: 2} | dict.fromkeys(
    (RoundState.FINALIZED, RoundState.FAILED, RoundState.ABORTED), 3
)


class Player:
    """Draws calls that are likely, not certain, to be taken."""

    def __init__(self, random_: random.Random, rules: ContractRules) -> None:
        self.random = random_
        self.rules = rules
        self.serial = 0

    def draw(self, now: int) -> tuple[AccountAddress | None, LedgerCall]:
        moves = [self.open] * 4 + [self.register] * 16 + [self.attest] * 7 + [self.consent] * 2 + [self.abort]
        return self.random.choice([*moves, self.withdraw, self.revoke, self.govern, self.chair])(now)

    def site_account(self) -> AccountAddress | None:
        site = self.rules.sites.get(site_id_of(self.random.choice(NAMES)))
        return site.account if site and self.random.random() < 0.97 else None

    def chair_account(self) -> AccountAddress | None:
        return self.rules.aggregators.get(aggregator_id_of(self.random.choice(CHAIRS)))

    def live(self) -> tuple[Any, int, Round | None]:
        line = self.random.choice(LINES)
        number = self.rules.lineages[line].last_round + self.random.choice([0] * 9 + [1])
        return line, number, self.rules.rounds.get((line, number))

    def fresh(self) -> Digest:
        self.serial += 1
        return digest(f"serial {self.serial if self.random.random() < 0.95 else 1}")

    def open(self, now: int) -> tuple[AccountAddress | None, LedgerCall]:
        line = self.random.choice(LINES)
        lineage = self.rules.lineages[line]
        deadline = now + self.random.randrange(1, 60)
        parent = lineage.head_digest if self.random.random() < 0.9 else digest("other parent")
        return self.chair_account(), OpenRound(
            lineage_id=line,
            round=lineage.last_round + 1,
            parent_digest=parent,
            plan_digest=digest("plan"),
            plan_cid=cid("plan"),
            recipients_digest=digest("recipients"),
            deadline=deadline,
            attest_by=deadline + self.random.choice([0] * 19 + [MAX_ROUND_SECONDS]) + self.random.randrange(0, 40),
            min_accepted=3,
            selected=(self.random.choice([0b11111, 0b1111, 0b10111, 0b111, 0b11, 0b111111]),),
        )

    def register(self, now: int) -> tuple[AccountAddress | None, LedgerCall]:
        line, number, _ = self.live()
        account = self.site_account()
        site = next((site for site in self.rules.sites.values() if site.account == account), None)
        version = site.consent_version if site else 1
        return account, RegisterUpdate(
            lineage_id=line,
            round=number,
            envelope_digest=self.fresh(),
            envelope_cid=cid("envelope"),
            parameters_commitment=digest("commitment"),
            weight=self.random.choice([1, 1, 1, 64, 0]),
            dataset_root=digest("dataset"),
            consent_version=max(0, version - (self.random.random() < 0.2)),
        )

    def attest(self, now: int) -> tuple[AccountAddress | None, LedgerCall]:
        line, number, round_ = self.live()
        submitted = len(round_.index_of) if round_ else 0
        revoked = round_.revoked if round_ else 0
        refused = self.random.randrange(1, 4) if self.random.random() < 0.2 else 0
        codes = bytes(1 if revoked >> i & 1 else 90 * (i < refused) for i in range(submitted))
        build = attest_call if codes.count(0) >= 3 else failed_call
        call = build(number, codes, lineage_id=line)
        if self.random.random() < 0.05:
            call = attest_call(number, codes + b"\0", lineage_id=line)
        if self.random.random() < 0.05:
            call = attest_call(number, codes, lineage_id=line, model_cid=CID.zero())
        return self.chair_account(), call

    def abort(self, now: int) -> tuple[AccountAddress | None, LedgerCall]:
        line, number, _ = self.live()
        return None, AbortRound(line, number)

    def consent(self, now: int) -> tuple[AccountAddress | None, LedgerCall]:
        expiry, patients = now + self.random.randrange(0, 120), self.random.randrange(0, 5)
        return self.site_account(), consent_call(digest("root"), expiry, patients=patients)

    def withdraw(self, now: int) -> tuple[AccountAddress | None, LedgerCall]:
        return self.site_account(), WithdrawConsents()

    def revoke(self, now: int) -> tuple[AccountAddress | None, LedgerCall]:
        line, number, _ = self.live()
        return self.site_account(), RevokeUpdate(line, number)

    def govern(self, now: int) -> tuple[AccountAddress | None, LedgerCall]:
        suspended = [site_id for site_id, site in self.rules.sites.items() if site.status is SiteStatus.SUSPENDED]
        site_id = (suspended or [site_id_of(self.random.choice(NAMES))])[0]
        self.serial += 1
        account = AccountAddress(digest(f"rotated {self.serial}")[:20])
        spent = self.random.choice(list(self.rules.identity_of))
        calls: list[LedgerCall] = [
            SuspendSite(site_id),
            ReinstateSite(site_id),
            ReinstateSite(site_id),
            RotateSiteAccount(site_id, account, digest("key")),
            RotateSiteAccount(site_id, spent, digest("key")),
            SetAggregators(tuple(aggregator_id_of(name) for name in CHAIRS), self.random.randrange(0, 4)),
            SetAggregators((aggregator_id_of(CHAIRS[0]),), 1),
        ]
        return self.rules.governor, self.random.choice(calls)

    def chair(self, now: int) -> tuple[AccountAddress | None, LedgerCall]:
        self.serial += 1
        account = AccountAddress(digest(f"chair {self.serial}")[:20])
        if self.random.random() < 0.05:
            return self.site_account(), LeaveNetwork()
        return self.rules.governor, AdmitAggregator(aggregator_id_of(CHAIRS[2]), account, digest("key"))


class Duel:
    """One call at a time on both sides."""

    def __init__(self, world: ContractWorld) -> None:
        self.world = world
        self.rules = ContractRules(world.governor.identity, world.governor.account)  # type: ignore[arg-type]
        self.ledgers: dict[AccountAddress, Ledger] = {self.rules.governor: world.governor}
        self.now = world.now()
        self.taken: list[str] = []
        self.refused: list[str] = []

    def play(self, account: AccountAddress, call: LedgerCall, *, after_seconds: int = 1) -> list[events.LedgerEvent]:
        self.now += after_seconds
        if account not in self.ledgers:
            self.ledgers[account] = self.world.ledger(account)
        self.world.next_block_at(self.now)
        expected = self._expected(account, call)
        if isinstance(expected, ContractError):
            with pytest.raises(ContractError) as caught:
                self.ledgers[account].send(call)
            assert _arguments(caught.value) == _arguments(expected), call
            self.refused.append(type(expected).__name__)
            return []
        receipt = self.ledgers[account].send(call)
        assert [located.event for located in receipt.events] == expected, call
        assert receipt.position.timestamp == self.now
        self.taken.append(type(call).__name__)
        return expected

    def _expected(self, account: AccountAddress, call: LedgerCall) -> list[events.LedgerEvent] | ContractError:
        try:
            return self.rules.apply(account, call, self.now)
        except ContractError as refusal:
            return refusal


def _arguments(error: ContractError) -> tuple[Any, ...]:
    return (type(error), *(getattr(error, field.name) for field in fields(error)))


def deal(world: ContractWorld) -> Duel:
    duel = Duel(world)
    for name in NAMES:
        account = world.fresh_account()
        duel.play(duel.rules.governor, AdmitSite(site_id_of(name), account, digest("key")))
        duel.play(account, consent_call(digest("root"), duel.now + 10_000))
    for name in CHAIRS:
        duel.play(duel.rules.governor, AdmitAggregator(aggregator_id_of(name), world.fresh_account(), digest("key")))
    duel.play(duel.rules.governor, SetAggregators(tuple(aggregator_id_of(name) for name in CHAIRS), 2))
    for line in LINES:
        duel.play(duel.rules.governor, lineage_call(line))
    return duel


@pytest.mark.parametrize("seed", range(3))
def test_the_contract_and_its_twin_answer_every_call_alike(contract: ContractWorld, seed: int) -> None:
    duel = deal(contract)
    generator = random.Random(seed)
    player = Player(generator, duel.rules)
    stranger = contract.fresh_account()
    ranks: dict[tuple[Any, int], int] = {}
    heads = {line: contract.view("lineage", line)[0] for line in LINES}
    for _ in range(STEPS):
        account, call = player.draw(duel.now + 1)
        emitted = duel.play(account or stranger, call, after_seconds=generator.choice([1, 1, 1, 1, 1, 1, 15]))
        for line in LINES:
            head, _, last_round, _, _ = contract.view("lineage", line)
            finalized = [e for e in emitted if isinstance(e, events.RoundFinalized) and e.lineage_id == line]
            assert head == (finalized[0].model_digest if finalized else heads[line])
            heads[line] = head
            state = RoundState(contract.view("state", line, last_round))
            assert RANK[state] >= ranks.get((line, last_round), 0)
            ranks[line, last_round] = RANK[state]
        for event in emitted:
            if isinstance(event, events.RoundFinalized | events.RoundFailed):
                refused = sum(code != 0 for code in event.codes)
                submitted = contract.view("roundOf", event.lineage_id, event.round)[4]
                assert event.accepted.bit_count() + refused == submitted
    assert {"OpenRound", "RegisterUpdate", "AttestResult"} <= set(duel.taken)
    assert len(set(duel.refused)) > 8
    assert all(site.status in SiteStatus for site in duel.rules.sites.values())
