"""node/rounds/loop.py and node/daemon.py: kill it anywhere, start it again, and nothing is lost or sent twice."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from gateways.repeating import repeat
from node.daemon import WAITS_FOR, training_device, watching
from node.rounds.records import Stage
from node.settings import IntakeSettings, TrainingLimits
from protocol import ledger_calls as calls
from protocol import ledger_events as ev
from protocol.errors import (
    BlockStoreUnavailableError,
    ConfigError,
    LedgerError,
    LedgerUnavailableError,
    StoreError,
)
from protocol.identifiers import digest_of
from protocol.reverts import RoundNotOpenError
from protocol.round import RoundState
from tests.node.data.hospital import Hospital, page_file
from tests.node.network_around import KEY_DIGEST
from tests.node.site_world import NAMES, SITE_ID, SiteWorld

CALLS = {
    "ledger": {"head", "send"},
    "block_store": {"add", "fetch", "pin"},
    "journal": {"record", "append", "forget"},
    "store": {"write"},
}


STRIDE = 12


class Killed(BaseException):
    """kill -9."""


class Deaths:
    """Counts what the process does to the world outside, before and after each call, and dies at the k-th point."""

    def __init__(self, dies_at: int) -> None:
        self.points = 0
        self.dies_at = dies_at

    def point(self) -> None:
        self.points += 1
        if self.points == self.dies_at:
            raise Killed

    def in_training(self, _round: object, _progress: object) -> None:
        self.point()

    def wrap(self, name: str, port: Any) -> Any:
        return Mortal(port, CALLS[name], self.point)


class Mortal:
    """A port whose named calls are points of death."""

    def __init__(self, port: Any, calls: set[str], point: Callable[[], None]) -> None:
        self._port = port
        self._calls = calls
        self._point = point

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._port, name)
        if name not in self._calls:
            return found
        if name == "write":
            return self._write

        def call(*args: Any, **options: Any) -> Any:
            self._point()
            result = found(*args, **options)
            self._point()
            return result

        return call

    @contextmanager
    def _write(self) -> Iterator[Any]:
        self._point()
        with self._port.write() as transaction:
            yield transaction
        self._point()


def lives(world: SiteWorld, counter: Deaths) -> None:
    """Lets the node come to rest, starting it again when it is killed."""
    try:
        world.settle()
    except Killed:
        world.start(counter.in_training, wrap=counter.wrap)
        world.settle()


def two_rounds(folder: Path, dies_at: int) -> tuple[SiteWorld, Deaths]:
    """Round 1, a withdrawal while it is open, its end, round 2 with the patient's words left out, and its end."""
    world, counter = SiteWorld(folder), Deaths(dies_at)
    world.start(counter.in_training, wrap=counter.wrap)
    lives(world, counter)
    world.open_round()
    lives(world, counter)
    world.withdraw("P-002")
    lives(world, counter)
    world.others_register()
    world.finish()
    lives(world, counter)
    world.open_round()
    lives(world, counter)
    world.others_register()
    world.finish()
    lives(world, counter)
    return world, counter


def check_two_rounds(world: SiteWorld) -> None:
    for number in (1, 2):
        mine = world.view(number).registration_of(SITE_ID)
        assert mine is not None
        record = world.running.rounds.get(world.view(number).round_id)
        assert record.stage is Stage.PINNED
        assert record.sealed is not None
        assert record.sealed.envelope_digest == mine.event.envelope_digest
        assert record.sealed.dataset_root == mine.event.dataset_root
        assert digest_of("envelope", world.envelope(number)) == mine.event.envelope_digest
    assert world.view(1).revoked == {0}
    assert world.view(2).revoked == set()
    assert isinstance(world.view(2).outcome, ev.RoundFinalized)
    # Two roots and one withdrawal: nothing is sent twice, wherever the node died.
    assert len(world.ours(ev.ConsentRootPublished)) == 2
    assert len(world.ours(ev.ConsentWithdrawn)) == 1
    assert len(world.ours(ev.UpdateRegistered)) == 2
    assert len(world.ours(ev.UpdateRevoked)) == 1
    whats = Counter(item.what for item in world.running.sent.items())
    assert whats == {
        "consent root": 2,
        "consent withdrawal": 1,
        "update registration": 2,
        "sealed update": 2,
        "update revocation": 1,
    }
    assert [record.round for record in world.running.models.records(world.lineage_id)] == [0, 2]
    # Started once more, it finds nothing left to do.
    assert world.start().step() is False


def test_an_undisturbed_site_goes_through_two_rounds_and_a_withdrawal(tmp_path: Path) -> None:
    world, _ = two_rounds(tmp_path / "node", dies_at=0)
    check_two_rounds(world)


@pytest.mark.parametrize("first", [1, *(pytest.param(first, marks=pytest.mark.slow) for first in range(2, STRIDE + 1))])
def test_a_site_that_is_killed_at_any_point_ends_as_if_it_had_not_been(tmp_path: Path, first: int) -> None:
    """Every twelfth point in the default tier, all of them in the slow one."""
    for dies_at in itertools.count(first, STRIDE):
        world, counter = two_rounds(tmp_path / str(dies_at), dies_at)
        check_two_rounds(world)
        if counter.points < dies_at:
            break
    assert dies_at > 100


def test_many_kills_in_a_row_do_not_matter(tmp_path: Path) -> None:
    world = SiteWorld(tmp_path / "node")
    world.open_round()
    deaths = 0
    for dies_at in itertools.count(1):
        counter = Deaths(dies_at)
        world.start(wrap=counter.wrap)
        try:
            world.settle()
        except Killed:
            deaths += 1
            continue
        break
    assert deaths >= 5
    assert len(world.ours(ev.UpdateRegistered)) == 1
    assert world.running.rounds.get(world.view(1).round_id).stage is Stage.PINNED


def test_content_that_nobody_delivers_holds_up_neither_withdrawal_nor_registration(tmp_path: Path) -> None:
    world = SiteWorld(tmp_path / "node")
    world.start()
    world.settle()
    world.open_round()
    assert world.loop.step()
    world.store.is_down = True
    while world.view(1).registration_of(SITE_ID) is None:
        assert world.loop.step()
    with pytest.raises(BlockStoreUnavailableError):
        world.loop.step()
    world.withdraw("P-001")
    assert world.loop.step()
    assert len(world.ours(ev.ConsentWithdrawn)) == 1


def test_a_withdrawn_patients_features_are_forgotten_before_the_chain_answers(tmp_path: Path) -> None:
    world = SiteWorld(tmp_path / "node")
    world.open_round()
    world.start()
    world.settle()
    features = tmp_path / "node" / "features"
    before = {path.name for path in features.rglob("*") if path.is_file()}
    world.withdraw("P-001")
    world.world.chain.down = True
    with pytest.raises(LedgerUnavailableError):
        world.loop.step()
    world.world.chain.down = False
    world.loop.step()
    after = {path.name for path in features.rglob("*") if path.is_file()}
    assert after < before
    assert len(after) == len(NAMES)


def test_pages_of_the_watched_folder_come_in_while_the_chain_is_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hospital, folder = Hospital(tmp_path / "site"), tmp_path / "watched"
    (folder / "P001").mkdir(parents=True)
    page_file(folder / "P001" / "a.png", 1)
    monkeypatch.setattr("node.data.intake_parts.intake_parts", lambda _site: hospital.parts)
    settings = IntakeSettings(watch_folder=folder, settle_seconds=0)
    site: Any = SimpleNamespace(settings=SimpleNamespace(intake=settings))

    def away() -> bool:
        raise LedgerUnavailableError("no chain")

    step = watching(site, away)
    for _ in range(2):
        with pytest.raises(LedgerUnavailableError):
            step()
    assert {word.patient for word in hospital.words()} == {"P001"}
    assert not (folder / "P001" / "a.png").exists()


def test_a_site_whose_account_was_rotated_sends_nothing(tmp_path: Path) -> None:
    world = SiteWorld(tmp_path / "node")
    world.governor.send(calls.RotateSiteAccount(SITE_ID, world.world.fresh_account(), KEY_DIGEST))
    world.open_round()
    world.start()
    assert not world.loop.step()
    assert world.ours(ev.ConsentRootPublished) == []


def test_a_paused_site_finishes_what_it_registered_and_begins_nothing(tmp_path: Path) -> None:
    world = SiteWorld(tmp_path / "node")
    world.start()
    world.settle()
    world.open_round()
    world.store.is_down = True
    while world.view(1).registration_of(SITE_ID) is None:
        try:
            world.loop.step()
        except BlockStoreUnavailableError:
            world.store.is_down = False
    world.journal.record("paused", value=True)
    world.store.is_down = False
    world.settle()
    assert world.running.rounds.get(world.view(1).round_id).stage is Stage.PINNED
    world.others_register()
    world.finish()
    world.open_round()
    world.settle()
    assert world.view(2).registrations == []


class TestRepeat:
    def test_failures_that_pass_are_waited_for_longer_and_longer(self) -> None:
        failures: list[Any] = [
            LedgerUnavailableError("no chain"),
            BlockStoreUnavailableError("no IPFS"),
            StoreError("the disk is full"),
            LedgerError("the account cannot pay"),
            RoundNotOpenError(b"l", 1, RoundState.CLOSED),
            True,
            False,
            LedgerUnavailableError("no chain"),
            ConfigError("stop"),
        ]
        slept: list[float] = []

        def step() -> bool:
            found = failures.pop(0)
            if isinstance(found, Exception):
                raise found
            return found

        with pytest.raises(ConfigError):
            repeat(step, waits_for=WAITS_FOR, poll_seconds=1, max_backoff_seconds=6, sleep=slept.append)
        assert slept == [1, 2, 4, 6, 6, 1, 1]


def test_the_modules_of_a_command_that_only_looks_load_no_torch() -> None:
    code = "import sys, node.commands, node.status, node.sent; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_operator_decides_about_cores_and_accelerator(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(4)))
    monkeypatch.setattr(torch.accelerator, "current_accelerator", lambda **_: torch.device("cuda"))
    chosen = [
        training_device(TrainingLimits.model_validate(values))
        for values in ({}, {"shares_cores": False}, {"shares_cores": False, "threads": 2}, {"use_accelerator": True})
    ]
    assert [(device.threads, device.torch_device) for device in chosen] == [
        (1, "cpu"),
        (4, "cpu"),
        (2, "cpu"),
        (1, "cuda"),
    ]
