"""What the dear calls cost, against their bars; the table in benchmarks/gas.md is written from here."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import pytest

from gateways.ledger import answers
from gateways.ledger.contract_abi import contract_abi
from gateways.ledger.rpc import RPCEndpoint
from protocol.identifiers import AccountAddress, lineage_id_of, site_id_of
from protocol.ledger_calls import (
    AdmitSite,
    AnnounceRoundKey,
    AttestResult,
    LedgerCall,
    RevokeUpdate,
    WithdrawConsents,
)
from tests.contracts.setting import (
    DAY,
    attest_call,
    bitmap,
    cid,
    consent_call,
    digest,
    failed_call,
    lineage_call,
    register_call,
    set_up,
)
from tests.fixtures_chain import PLENTY_WEI, ContractWorld

pytestmark = pytest.mark.chain

REPORT = Path(__file__).resolve().parents[2] / "benchmarks" / "gas.md"
SIZES = (3, 16, 64, 256)
REGISTER_BAR = 90_000
ATTEST_BAR = 120_000
CONSENT_BAR = 70_000
PER_SITE_BAR = 30
FAR = 0xF1F2F3F4
"""A time without zero bytes, in the year 2098: the figures must not depend on the day."""
START = FAR - 60 * DAY
"""The chain's clock is set to this: a round ends within 90 days from its opening."""
RECEIPTS = {"patients": 0x01F1F2, "guardians": 0x01F3, "waivers": 0x01F4}
"""More than a site will ever have; small numbers are cheaper by 12 a zero byte."""


@dataclass
class Meter:
    """Sends in batches, because 256 sites are many, and reads what each transaction used."""

    world: ContractWorld

    def __post_init__(self) -> None:
        self.endpoint = RPCEndpoint(self.world.chain.url, timeout_seconds=60)
        self.contract = str(self.world.deployment.contract_address)

    def accounts(self, count: int) -> list[AccountAddress]:
        made = [self.world.fresh_account() for _ in range(count)]
        self.endpoint.batch("hardhat_impersonateAccount", [[str(account)] for account in made])
        self.endpoint.batch("hardhat_setBalance", [[str(account), hex(PLENTY_WEI)] for account in made])
        return made

    def send(self, calls: list[tuple[AccountAddress, LedgerCall]]) -> list[int]:
        requests = [
            [
                {
                    "from": str(account),
                    "to": self.contract,
                    "data": "0x" + contract_abi().encode_call(call).hex(),
                    "gas": hex(1_000_000),
                }
            ]
            for account, call in calls
        ]
        hashes = self.endpoint.batch("eth_sendTransaction", requests)
        receipts = self.endpoint.batch("eth_getTransactionReceipt", [[tx_hash] for tx_hash in hashes])
        assert all(answers.count(receipt["status"]) == 1 for receipt in receipts)
        return [answers.count(receipt["gasUsed"]) for receipt in receipts]

    def undone(self, account: AccountAddress, call: LedgerCall) -> int:
        """What a call would use now."""
        snapshot = self.world.chain.rpc("evm_snapshot")
        (used,) = self.send([(account, call)])
        assert self.world.chain.rpc("evm_revert", snapshot)
        return used


@dataclass
class Figures:
    register_first: list[int]
    register_later: list[int]
    publish: list[int]
    withdraw: int
    revoke: int
    announce: int
    opening: dict[int, int]
    attest: dict[tuple[str, int], int]


def test_the_dear_calls_stay_below_their_bars(contract: ContractWorld) -> None:
    figures = measure(contract)
    assert max(figures.register_first + figures.register_later) <= REGISTER_BAR
    assert max(figures.publish) <= CONSENT_BAR
    assert max(figures.attest.values()) <= ATTEST_BAR
    for case in {case for case, _ in figures.attest}:
        for few, many in pairwise(SIZES):
            per_site = (figures.attest[case, many] - figures.attest[case, few]) / (many - few)
            assert per_site <= PER_SITE_BAR, (case, few, many)
    text = report(figures)
    if not REPORT.is_file() or REPORT.read_text(encoding="utf-8") != text:
        REPORT.write_text(text, encoding="utf-8")
        pytest.fail("the figures changed: benchmarks/gas.md was written anew, commit it")


def measure(world: ContractWorld) -> Figures:
    world.next_block_at(START)
    meter = Meter(world)
    network = set_up(world, sites=0, aggregators=3, threshold=2)
    chairs = [party.account for party in network.aggregators]
    names = [f"gas-{number}" for number in range(max(SIZES))]
    accounts = meter.accounts(len(names))
    governor = world.governor.account
    assert governor is not None
    # One after the other: the chain may run a batch in any order, and ordinals follow the order of admission.
    for name, account in zip(names, accounts, strict=True):
        meter.send([(governor, AdmitSite(site_id_of(name), account, digest("key")))])
    roots = [(account, consent_call(digest(f"root {account}"), FAR, **RECEIPTS)) for account in accounts]
    publish = meter.send([*roots, (accounts[0], consent_call(digest("root 2"), FAR, **RECEIPTS))])
    figures = Figures([], [], publish, 0, 0, 0, {}, {})
    for size in SIZES:
        line = lineage_id_of(f"gas-{size}")
        meter.send([(governor, lineage_call(line))])
        times = {"deadline": FAR, "attest_by": FAR + 1, "selected": bitmap(range(size)), "min_accepted": 3}
        figures.announce = meter.undone(chairs[0], AnnounceRoundKey(line, 1, digest("key"), cid("key")))
        (figures.opening[size],) = meter.send([(chairs[0], network.open_call(lineage_id=line, **times))])
        updates = [
            (account, register_call(name, lineage_id=line, envelope_digest=digest(f"{name} {size}"), weight=64))
            for name, account in zip(names[:size], accounts, strict=False)
        ]
        first = meter.send(updates[:1])
        if size == SIZES[0]:
            figures.revoke = meter.undone(accounts[0], RevokeUpdate(line, 1))
            figures.withdraw = meter.undone(accounts[0], WithdrawConsents())
        figures.register_first += first + meter.send(updates[1:])
        measure_votes(meter, figures, chairs, line, size)
    # The smallest lineage goes on: a later registration of the same sites.
    line = lineage_id_of(f"gas-{SIZES[0]}")
    meter.send([(chairs[0], attest_call(codes=bytes(SIZES[0]), lineage_id=line))])
    meter.send([(chairs[1], attest_call(codes=bytes(SIZES[0]), lineage_id=line))])
    later = network.open_call(
        2, lineage_id=line, parent_digest=digest("model 1"), deadline=FAR, attest_by=FAR + 1, selected=(0b111,)
    )
    meter.send([(chairs[0], later)])
    figures.register_later = meter.send(
        [
            (account, register_call(name, 2, lineage_id=line, weight=2**20))
            for name, account in zip(names[:3], accounts, strict=False)
        ]
    )
    return figures


def measure_votes(meter: Meter, figures: Figures, chairs: list[AccountAddress], line: object, size: int) -> None:
    """The first vote and the finalising vote of two, for a good and for the dearest result of that size."""
    for case, call in results(size, line).items():
        snapshot = meter.world.chain.rpc("evm_snapshot")
        figures.attest[f"2 of 3, first vote, {case}", size] = meter.send([(chairs[0], call)])[0]
        figures.attest[f"2 of 3, deciding vote, {case}", size] = meter.send([(chairs[2], call)])[0]
        assert meter.world.chain.rpc("evm_revert", snapshot)
    # A threshold of 1: the same round, its threshold byte lowered in storage, so that nobody registers again.
    snapshot = meter.world.chain.rpc("evm_snapshot")
    lower_threshold(meter, line)
    for case, call in results(size, line).items():
        figures.attest[f"1 of n, deciding vote, {case}", size] = meter.undone(chairs[0], call)
    assert meter.world.chain.rpc("evm_revert", snapshot)


def results(size: int, line: object) -> dict[str, AttestResult]:
    worst = bytes(3) + bytes([120]) * (size - 3)
    return {
        "all accepted": attest_call(codes=bytes(size), lineage_id=line, state_digest=digest("state")),
        "all but 3 refused": attest_call(codes=worst, lineage_id=line, state_digest=digest("state")),
        "failed": failed_call(codes=b"\0\0" + bytes([120]) * (size - 2), lineage_id=line),
    }


def lower_threshold(meter: Meter, line: object) -> None:
    slot = next(
        slot
        for slot in round_slots(line)
        if int(meter.world.chain.rpc("eth_getStorageAt", meter.contract, slot, "latest"), 16) >> 128
    )
    value = int(meter.world.chain.rpc("eth_getStorageAt", meter.contract, slot, "latest"), 16)
    shift = 64 + 64 + 32 + 32 + 16 + 16 + 16
    assert value >> shift & 0xFF == 2
    meter.world.chain.rpc("hardhat_setStorageAt", meter.contract, slot, f"0x{value - (1 << shift):064x}")


def round_slots(line: object) -> list[str]:
    """Where round 1 of a lineage may lie: `_rounds` is one of the first state variables."""
    from eth_abi.abi import encode  # noqa: PLC0415
    from eth_utils.crypto import keccak  # noqa: PLC0415

    outer = [keccak(encode(["bytes32", "uint256"], [line, base])) for base in range(8, 16)]
    return ["0x" + keccak(encode(["uint64", "bytes32"], [1, slot])).hex() for slot in outer]


def report(figures: Figures) -> str:
    first = f"registerUpdate, first of a site in a lineage, dearest of {len(figures.register_first)}"
    lines = [
        "# Gas",
        "",
        "Written by `pytest tests/contracts/test_gas.py` on the local Hardhat chain, which fails when a figure moves.",
        "Gas used by the whole transaction, 21,000 included. Digests are random: a zero byte in one saves 12.",
        "",
        "| call | gas | bar |",
        "|---|---:|---:|",
        f"| {first} | {max(figures.register_first):,} | {REGISTER_BAR:,} |",
        f"| registerUpdate, later round, greatest weight | {max(figures.register_later):,} | {REGISTER_BAR:,} |",
        f"| publishConsentRoot, dearest of {len(figures.publish)} | {max(figures.publish):,} | {CONSENT_BAR:,} |",
        f"| withdrawConsents | {figures.withdraw:,} | |",
        f"| revokeUpdate | {figures.revoke:,} | |",
        f"| announceRoundKey | {figures.announce:,} | |",
        *(f"| openRound, {size} sites selected | {gas:,} | |" for size, gas in figures.opening.items()),
        "",
        f"attestResult; bar {ATTEST_BAR:,} and {PER_SITE_BAR} more a registered site.",
        "",
        "| vote | " + " | ".join(f"{size} sites" for size in SIZES) + " | more a site, 3 to 256 |",
        "|---|" + "---:|" * (len(SIZES) + 1),
    ]
    for case in sorted({case for case, _ in figures.attest}):
        row = [figures.attest[case, size] for size in SIZES]
        per_site = (row[-1] - row[0]) / (SIZES[-1] - SIZES[0])
        lines.append(f"| {case} | " + " | ".join(f"{gas:,}" for gas in row) + f" | {per_site:.1f} |")
    return "\n".join(lines) + "\n"
