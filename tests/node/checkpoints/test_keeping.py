"""node/checkpoints: what a site signs and keeps, and what it does when the chain holds another history."""

from __future__ import annotations

import dataclasses
import itertools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from gateways.chain_follower import ChainFollower
from gateways.data_folder import DataFolder
from gateways.journal import Journal
from gateways.repeating import repeat
from node.checkpoints.keeper import CheckpointKeeper
from node.checkpoints.kept import KeptCheckpoints
from node.checkpoints.rewrites import noted_rewrite
from node.commands import app
from node.daemon import WAITS_FOR
from node.site import Site
from protocol.account_signatures import account_of
from protocol.cosigning import parse_cosigned_list, proven_cosignatures
from protocol.deployment import encode_deployment
from protocol.errors import ConfigError, LedgerUnavailableError, StoreError, WrongChainError
from protocol.identifiers import AccountAddress, BlockHash
from protocol.ledger_calls import LeaveNetwork, RotateSiteAccount, SuspendSite
from tests.fakes.ledger import FakeLedger
from tests.node.site_world import KEY_DIGEST, LINEAGE, SITE_ID, SiteWorld
from tests.node.test_joining import DEPLOYMENT

KEY = b"\x05" * 32


class SigningSite(Site):
    """A site whose chain is the world's and whose account's key is in no keystore."""

    def __init__(self, world: SiteWorld, key: bytes = KEY) -> None:
        super().__init__(world.node_settings())
        self._world, self._key = world, key

    ledger = property(lambda self: self._world.ledger)
    chain_reader = property(lambda self: self._world.world.fresh_ledger())
    identity = property(lambda self: self._world.ledger.identity)
    journal = property(lambda self: self._world.journal)
    account = property(lambda self: account_of(self._key))
    key_ring = property(lambda self: self)

    def get(self, _name: str) -> bytes:
        return self._key


class Daemon:
    """The keeper over a loop that only reads the chain."""

    def __init__(self, world: SiteWorld, *, key: bytes = KEY) -> None:
        self.passes = 0
        self.follower = ChainFollower(world.ledger)
        self.keeper = CheckpointKeeper(SigningSite(world, key), self.follower, self._read)

    def _read(self) -> bool:
        self.follower.sync()
        self.passes += 1
        return False

    def step(self, times: int = 2) -> None:
        """The second pass signs what the first has read."""
        for _ in range(times):
            self.keeper.step()


def store_of(world: SiteWorld) -> KeptCheckpoints:
    return KeptCheckpoints(DataFolder(world.folder), world.ledger.identity)


def folder_of(world: SiteWorld) -> Path:
    (folder,) = (world.folder / "checkpoints").iterdir()
    return folder


def kept(world: SiteWorld) -> dict[str, Any]:
    return {one.name: one.checkpoint for one in store_of(world).all()}


@pytest.fixture
def world(tmp_path: Path) -> SiteWorld:
    return SiteWorld(tmp_path / "node", words=False, account=account_of(KEY))


def end_round(world: SiteWorld) -> BlockHash:
    """One more round without this site; the block that holds its outcome."""
    world.open_round()
    world.others_register()
    world.finish()
    at = world.view(world.lineage.last_round).outcome_at
    assert at is not None
    return at.block_hash


def test_a_site_signs_the_newest_block_first_and_then_the_outcome_of_each_round(world: SiteWorld) -> None:
    end_round(world)
    daemon = Daemon(world)
    daemon.step()
    assert list(kept(world)) == ["first"]
    assert kept(world)["first"].block_hash == world.ledger.head().block_hash
    outcomes = []
    for _ in range(2):
        outcomes.append(end_round(world))
        world.world.advance(10)
        daemon.step()
    assert [one.block_hash for one in kept(world).values()][1:] == outcomes
    assert list(kept(world)) == ["first", f"{LINEAGE}.2", f"{LINEAGE}.3"]
    for one in store_of(world).all():
        (line,) = proven_cosignatures(one.note, {SITE_ID: {account_of(KEY)}})
        assert line.name == "dhaka-general"


def test_rounds_that_ended_while_the_daemon_was_away_are_signed_when_it_is_back(world: SiteWorld) -> None:
    Daemon(world).step()
    end_round(world)
    end_round(world)
    Daemon(world).step()
    assert list(kept(world)) == ["first", f"{LINEAGE}.1", f"{LINEAGE}.2"]


def test_what_is_kept_stays_as_it_is(world: SiteWorld) -> None:
    daemon = Daemon(world)
    daemon.step()
    end_round(world)
    daemon.step()
    files = {path: (path.stat().st_ino, path.read_bytes()) for path in folder_of(world).iterdir()}
    daemon.step(3)
    Daemon(world).step()
    assert files == {path: (path.stat().st_ino, path.read_bytes()) for path in files}
    store = store_of(world)
    first = store.get("first")
    assert first is not None
    with pytest.raises(StoreError, match="a checkpoint first already"):
        store.keep("first", first.note)


def test_a_chain_that_was_rewritten_stops_the_daemon_which_names_block_and_round(world: SiteWorld) -> None:
    daemon = Daemon(world)
    daemon.step()
    end_round(world)
    world.world.advance(5)
    daemon.step()
    passes, signed = daemon.passes, kept(world)[f"{LINEAGE}.1"]
    depth = world.ledger.head().number - signed.number + 1
    world.world.chain.reorganize(depth)
    for _ in range(depth + 3):
        world.world.advance(7)
    with pytest.raises(WrongChainError, match=f"block {signed.number}, .*round 1 of {LINEAGE} as {signed.block_hash}"):
        repeat(daemon.keeper.step, waits_for=WAITS_FOR, poll_seconds=0, max_backoff_seconds=0)
    assert daemon.passes == passes


def test_the_oldest_block_that_differs_is_named_and_the_daemon_never_begins_again(world: SiteWorld) -> None:
    daemon = Daemon(world)
    daemon.step()
    numbers = []
    for _ in range(3):
        end_round(world)
        daemon.step()
        numbers.append(kept(world)[f"{LINEAGE}.{len(numbers) + 1}"].number)
    depth = world.ledger.head().number - numbers[1] + 1
    held = list(world.world.chain._blocks), list(world.world.chain._events)
    world.world.chain.reorganize(depth)
    for _ in range(depth + 1):
        world.world.advance(7)
    again = Daemon(world)
    with pytest.raises(WrongChainError, match=f"block {numbers[1]}, "):
        again.step()
    # The operator shows the old history again: what was found stays found.
    world.world.chain._blocks[:], world.world.chain._events[:] = held
    for other in (daemon, again, Daemon(world)):
        with pytest.raises(WrongChainError, match=f"block {numbers[1]}, "):
            other.step()
    assert again.passes == 0


def test_a_chain_that_is_too_short_is_waited_for(world: SiteWorld) -> None:
    daemon = Daemon(world)
    world.world.advance(5)
    daemon.step()
    held = list(world.world.chain._blocks)
    del world.world.chain._blocks[-1]
    for late in (daemon, Daemon(world)):
        passes = late.passes
        with pytest.raises(LedgerUnavailableError, match="which this site signed for the site's first checkpoint"):
            late.step()
        assert late.passes == passes
    world.world.chain._blocks[:] = held
    daemon.step()
    assert noted_rewrite(world.journal) is None


def test_a_local_chain_that_began_anew_is_another_chain_and_no_rewrite(world: SiteWorld) -> None:
    daemon = Daemon(world)
    daemon.step()
    world.world.chain.begin_anew()
    for _ in range(30):
        world.world.advance(1)
    with pytest.raises(WrongChainError) as caught:
        daemon.step()
    assert "rewritten" not in str(caught.value)
    assert noted_rewrite(world.journal) is None


def test_another_deployment_begins_with_checkpoints_of_its_own(world: SiteWorld) -> None:
    Daemon(world).step()
    later = dataclasses.replace(world.ledger.identity, contract_address=AccountAddress(b"\x08" * 20))
    assert KeptCheckpoints(DataFolder(world.folder), later).all() == ()


def test_a_chain_that_changes_between_reading_and_signing_is_not_signed(world: SiteWorld) -> None:
    daemon = Daemon(world)
    world.world.advance(1)
    daemon.step(1)
    world.world.chain.reorganize(1)
    world.world.advance(3)
    daemon.step(1)
    assert kept(world) == {}
    daemon.step(1)
    assert kept(world)["first"].block_hash == world.ledger.head().block_hash


@pytest.mark.parametrize(
    "act",
    [
        lambda world: world.ledger.send(LeaveNetwork()),
        lambda world: world.governor.send(RotateSiteAccount(SITE_ID, AccountAddress(b"\x07" * 20), KEY_DIGEST)),
    ],
)
def test_a_site_that_left_or_whose_account_is_another_signs_nothing(
    world: SiteWorld, act: Callable[[SiteWorld], object]
) -> None:
    act(world)
    Daemon(world).step()
    assert kept(world) == {}


def test_a_site_that_nobody_admitted_signs_nothing(tmp_path: Path) -> None:
    world = SiteWorld(tmp_path / "node", words=False)
    Daemon(world).step()
    assert kept(world) == {}


def test_a_suspended_site_goes_on_signing(world: SiteWorld) -> None:
    world.governor.send(SuspendSite(SITE_ID))
    Daemon(world).step()
    assert list(kept(world)) == ["first"]


def test_a_damaged_checkpoint_holds_the_daemon_up(world: SiteWorld) -> None:
    Daemon(world).step()
    path = folder_of(world) / "first.note"
    path.write_bytes(path.read_bytes()[:-20])
    daemon = Daemon(world)
    with pytest.raises(StoreError, match="is damaged"):
        daemon.step()
    assert daemon.passes == 0


def test_a_half_written_file_of_a_killed_daemon_is_no_checkpoint(world: SiteWorld) -> None:
    Daemon(world).step()
    (folder_of(world) / ".first.note.abc").write_bytes(b"fedrx/1")
    (folder_of(world) / f".{LINEAGE}.1.note.note").write_bytes(b"fedrx/1")
    assert list(kept(world)) == ["first"]


class Died(BaseException):
    """kill -9."""


@pytest.mark.parametrize("dies_at", range(1, 8))
def test_killed_while_a_rewrite_is_found_the_daemon_finds_it_again(
    world: SiteWorld, monkeypatch: pytest.MonkeyPatch, dies_at: int
) -> None:
    daemon = Daemon(world)
    world.world.advance(1)
    daemon.step()
    world.world.chain.reorganize(1)
    world.world.advance(9)
    calls = itertools.count(1)

    def mortal(method: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **options: Any) -> Any:
            if next(calls) == dies_at:
                raise Died
            return method(*arguments, **options)

        return call

    passes = daemon.passes
    with monkeypatch.context() as patched:
        patched.setattr(FakeLedger, "block_hash", mortal(FakeLedger.block_hash))
        patched.setattr(Journal, "record", mortal(Journal.record))
        patched.setattr(Journal, "get", mortal(Journal.get))
        with pytest.raises((Died, WrongChainError)):
            daemon.step()
    with pytest.raises(WrongChainError, match="history was rewritten"):
        Daemon(world).step()
    assert daemon.passes == passes


# the command


@pytest.fixture
def commands(world: SiteWorld, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SiteWorld:
    """The command finds the world's chain behind its settings."""
    (tmp_path / "node.toml").write_text(
        'site = "dhaka-general"\ndata_folder = "node"\ndeployment = "node/deployment.json"\n'
        f'lineages = ["{LINEAGE}"]\n[chain]\nrpc_url = "http://127.0.0.1:1"\n'
    )
    (tmp_path / "node" / "deployment.json").write_bytes(encode_deployment(DEPLOYMENT))
    monkeypatch.setattr(Site, "chain_reader", property(lambda _self: world.world.fresh_ledger()))
    monkeypatch.setattr(Site, "identity", property(lambda _self: world.ledger.identity))
    return world


def run(world: SiteWorld, *arguments: str, answer: str = "") -> str:
    config = str(world.folder.parent / "node.toml")
    result = CliRunner().invoke(app, ["checkpoints", *arguments, "-c", config], input=answer, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


def rewritten(world: SiteWorld) -> None:
    """One round is signed, and gone from the chain."""
    daemon = Daemon(world)
    daemon.step()
    end_round(world)
    daemon.step()
    world.world.chain.reorganize(1)
    world.world.advance(9)
    with pytest.raises(WrongChainError):
        daemon.step()


def test_checkpoints_are_listed_and_exported_without_a_passphrase(commands: SiteWorld) -> None:
    file = commands.folder.parent / "dhaka.notes"
    with pytest.raises(ConfigError, match="signed no checkpoint yet"):
        run(commands, "--export", str(file))
    daemon = Daemon(commands)
    daemon.step()
    end_round(commands)
    daemon.step()
    assert f"{LINEAGE}.1" in run(commands)
    listed = json.loads(run(commands, "--json"))
    assert listed["rewrite"] is None
    assert [one["name"] for one in listed["checkpoints"]] == ["first", f"{LINEAGE}.1"]
    run(commands, "--export", str(file))
    assert [note.checkpoint for note in parse_cosigned_list(file.read_bytes())] == list(kept(commands).values())
    assert file.read_text() == "".join(one["note"] for one in listed["checkpoints"])


def test_a_rewrite_shows_in_list_and_status(commands: SiteWorld) -> None:
    rewritten(commands)
    said = noted_rewrite(commands.journal)
    assert said is not None
    assert said in run(commands)
    assert json.loads(run(commands, "--json"))["rewrite"] == said
    config = str(commands.folder.parent / "node.toml")
    status = CliRunner().invoke(app, ["status", "-c", config], catch_exceptions=False)
    assert "stopped     history was rewritten" in status.stdout


def test_an_operator_decides_to_go_on_and_the_evidence_stays(commands: SiteWorld) -> None:
    rewritten(commands)
    signed = (folder_of(commands) / f"{LINEAGE}.1.note").read_bytes()
    config = str(commands.folder.parent / "node.toml")
    refused = CliRunner().invoke(app, ["checkpoints", "--resume", "-c", config], input="n\n")
    assert refused.exit_code == 1
    assert list(kept(commands)) == ["first", f"{LINEAGE}.1"]
    assert f"block {kept(commands)[f'{LINEAGE}.1'].number}" in run(commands, "--resume", answer="y\n")
    (aside,) = (folder_of(commands) / "put-aside").iterdir()
    assert aside.read_bytes() == signed
    Daemon(commands).step()
    assert list(kept(commands)) == ["first"]


def test_there_is_nothing_to_decide_while_the_chain_stands(commands: SiteWorld) -> None:
    Daemon(commands).step()
    run(commands, "--resume")
    assert list(kept(commands)) == ["first"]


def test_a_chain_that_came_back_is_resumed_with_everything_kept(commands: SiteWorld) -> None:
    daemon = Daemon(commands)
    commands.world.advance(1)
    daemon.step()
    held = list(commands.world.chain._blocks)
    commands.world.chain.reorganize(1)
    commands.world.advance(9)
    with pytest.raises(WrongChainError):
        daemon.step()
    commands.world.chain._blocks[:] = held
    run(commands, "--resume", "--yes")
    assert noted_rewrite(commands.journal) is None
    Daemon(commands).step()
    assert list(kept(commands)) == ["first"]
