"""An endpoint that leaves out event logs is not believed: by the contract's rules, by another endpoint, by a block."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from audit.proofs.checkpoint import Checkpoint, checkpoint_at, encode_checkpoint
from audit.proofs.cosigners import Cosigners, SiteAccount, encode_cosigners
from protocol import ledger_events as ev
from protocol.account_signatures import account_of
from protocol.cosigning import CosignedCheckpoint, cosign, encode_cosigned
from protocol.deployment import encode_deployment
from protocol.errors import AuditError, ConfigError, LedgerError, MalformedError
from protocol.identifiers import BlockHash, site_id_of
from protocol.ledger_calls import WithdrawConsents
from tests.audit.test_commands import Answer, command
from tests.contracts.setting import attest_call, set_up
from tests.fixtures_chain import ContractWorld
from tests.gateways.leaving_out import LeavesOut, at, nothing

pytestmark = pytest.mark.chain
SITES = 4
KEY = b"\x07" * 32
"""Of the account with which site-0 signs checkpoints."""


@dataclasses.dataclass
class Stage:
    """A finished round, a withdrawal behind it, and an endpoint that leaves out what a test wants."""

    world: ContractWorld
    endpoint: LeavesOut
    events: list[ev.LocatedEvent]
    folder: Path

    @property
    def files(self) -> list[str]:
        return ["--deployment", str(self.folder / "deployment.json")]

    def run(self, name: str, *words: str, rpc: str | None = None) -> Answer:
        return command(name, *self.files, "--rpc", rpc or self.endpoint.url, *words)

    def leave_out(self, kind: type, nth: int = -1) -> ev.Position:
        position = [located.position for located in self.events if isinstance(located.event, kind)][nth]
        self.endpoint.hidden = at(position.block_number, position.log_index)
        return position

    def checkpoint(self, name: str = "checkpoint", **fields: Any) -> tuple[Checkpoint, list[str]]:
        trusted = dataclasses.replace(checkpoint_at(self.world.governor, None), **fields)
        (self.folder / name).write_bytes(encode_checkpoint(trusted))
        return trusted, ["--checkpoint", str(self.folder / name)]

    def fill(self) -> list[str]:
        """An index as this endpoint fills it."""
        index = ["--index", str(self.folder / "trail.sqlite")]
        assert self.run("trail", *index).code == 0
        return index


@pytest.fixture
def stage(contract: ContractWorld, tmp_path: Path) -> Iterator[Stage]:
    network = set_up(contract, sites=SITES)
    network.closed_round()
    network.aggregators[0].ledger.send(attest_call(codes=b"\x00\x5a\x00\x00"))
    network.sites[1].ledger.send(WithdrawConsents())
    ledger = contract.governor
    (tmp_path / "deployment.json").write_bytes(encode_deployment(contract.deployment))
    events = list(ledger.events(ledger.identity.deployment_block_number, ledger.head().number))
    with LeavesOut(contract.chain.url, nothing) as endpoint:
        yield Stage(contract, endpoint, events, tmp_path)


def test_an_honest_endpoint_gives_no_alarm(stage: Stage) -> None:
    for words in (["show", "--round", "1"], ["trail", "--json"], ["export", "-o", str(stage.folder / "t.csv")]):
        done = stage.run(*words)
        assert (done.code, done.stderr) == (0, ""), words


def test_the_answer_is_given_and_then_the_alarm(stage: Stage) -> None:
    stage.leave_out(ev.UpdateRegistered)
    broken = f"Round 1 of english-g2-last-conv: {SITES} verdict codes for {SITES - 1} updates"
    out = stage.folder / "trail.jsonl"
    for words in (["show", "--round", "1"], ["trail", "--json"], ["export", "-o", str(out)]):
        done = stage.run(*words, "--name", "english-g2-last-conv")
        assert done.code == AuditError.exit_code, words
        assert done.stdout, words
        assert broken in done.stderr.splitlines(), words
        assert "break the contract's rules" in done.stderr.splitlines()[-1]
        assert "fedrx audit replay says more" in done.stderr.splitlines()[-1]
    assert len(out.read_text(encoding="utf-8").splitlines()) == len(stage.events) - 1


def test_a_trail_says_where_its_logs_are_not_whole_and_shows_them_all_the_same(stage: Stage) -> None:
    stage.leave_out(ev.UpdateRegistered, nth=1)
    done = stage.run("trail", "--json")
    assert done.code == AuditError.exit_code
    assert len(done.stdout.splitlines()) == len(stage.events) - 1
    assert re.search(r"Block \d+: a registration is out of its place", done.stderr)
    done = stage.run("show", "--round", "1")
    assert (done.code, done.stdout) == (MalformedError.exit_code, "")
    assert "fedrx audit diff --other-rpc" in done.stderr


def test_an_alarm_is_said_beside_a_thing_that_is_not_found(stage: Stage) -> None:
    stage.leave_out(ev.SiteAdmitted, nth=2)
    for words in (["trail", "--site", "nobody"], ["show", "--round", "9"]):
        done = stage.run(*words)
        assert done.code == ConfigError.exit_code, words
        assert "a site was admitted with ordinal 3, not 2" in done.stderr


def test_a_second_endpoint_tells_what_the_first_leaves_out(stage: Stage) -> None:
    position = stage.leave_out(ev.ConsentWithdrawn)
    assert stage.run("trail").code == 0
    for first, second in ((stage.endpoint.url, stage.world.chain.url), (stage.world.chain.url, stage.endpoint.url)):
        for words in (["trail"], ["show", "--round", "1"], ["check-index", *stage.fill()]):
            done = stage.run(*words, "--compare-rpc", second, rpc=first)
            assert done.code == LedgerError.exit_code, words
            assert f"tells ConsentWithdrawn in block {position.block_number}, log {position.log_index}" in done.stderr


def test_an_index_that_lacks_an_event_is_found_by_a_trusted_block_alone(stage: Stage) -> None:
    position = stage.leave_out(ev.ConsentWithdrawn)
    index = stage.fill()
    assert stage.run("check-index", *index).code == 0
    _, words = stage.checkpoint()
    done = stage.run("check-index", *index, *words)
    assert done.code == AuditError.exit_code
    lost = f"consent-withdrawn in block {position.block_number}, log {position.log_index}"
    assert f"the index leaves out an event of the chain: {lost}" in done.stderr
    stage.endpoint.hidden = nothing
    stage.endpoint.behind = stage.world.chain.url
    Path(index[1]).unlink()
    stage.fill()
    done = stage.run("check-index", *index, *words)
    assert (done.code, done.stderr) == (0, "")
    blocks = stage.events[-1].position.block_number - stage.events[0].position.block_number + 1
    events, last = len(stage.events), stage.events[-1].position.block_number
    assert done.stdout.splitlines() == [
        f"the index holds the chain's {events} events",
        f"and every event up to block {last}: {events}, by all receipts of {blocks} blocks",
    ]


def test_an_index_that_breaks_a_rule_is_an_alarm_without_a_trusted_block(stage: Stage) -> None:
    stage.leave_out(ev.UpdateRegistered)
    done = stage.run("check-index", *stage.fill())
    assert done.code == AuditError.exit_code
    assert f"{SITES} verdict codes for {SITES - 1} updates" in done.stderr


def test_a_checkpoint_is_of_this_chain_and_within_the_index(stage: Stage) -> None:
    index = stage.fill()
    for code, said, fields in (
        (ConfigError.exit_code, "another network's", {"chain_id": 1}),
        (AuditError.exit_code, "is another", {"block_hash": BlockHash(b"\x07" * 32)}),
        (ConfigError.exit_code, "before the contract's deployment", {"number": 0}),
    ):
        done = stage.run("check-index", *index, *stage.checkpoint(**fields)[1])
        assert (done.code, said in done.stderr) == (code, True), done.stderr
    stage.world.advance(1)
    done = stage.run("check-index", *index, *stage.checkpoint()[1])
    assert (done.code, "the index ends at block" in done.stderr) == (ConfigError.exit_code, True)


def test_a_checkpoint_may_be_asked_for_the_signatures_of_sites(stage: Stage) -> None:
    index = stage.fill()
    trusted, words = stage.checkpoint()
    cosigners = Cosigners(trusted, (SiteAccount(site_id_of("site-0"), account_of(KEY), None),))
    (stage.folder / "accounts").write_bytes(encode_cosigners(cosigners))
    note = CosignedCheckpoint(trusted, (cosign(trusted, "site-0", KEY),))
    (stage.folder / "note").write_bytes(encode_cosigned(note))
    signed = ["--checkpoint", str(stage.folder / "note"), "--accounts", str(stage.folder / "accounts")]
    done = stage.run("check-index", *index, *signed, "--require", "1")
    assert (done.code, done.stdout.splitlines()[-1]) == (0, f"block {trusted.number} is signed by site-0")
    done = stage.run("check-index", *index, *signed, "--require", "2")
    assert (done.code, "1 of 2 sites signed" in done.stderr) == (AuditError.exit_code, True)
    assert stage.run("check-index", *index, *words, "--require", "1").code == ConfigError.exit_code
    assert stage.run("check-index", *index, "--require", "1").code == ConfigError.exit_code


def test_json_lines_stay_json_lines_beside_an_alarm(stage: Stage) -> None:
    stage.leave_out(ev.RoundFinalized)
    done = stage.run("trail", "--json")
    assert done.code == AuditError.exit_code
    assert all(json.loads(line) for line in done.stdout.splitlines())
    assert "its result is not there" in done.stderr
