"""node/checkpoints: what a site signs and keeps, and what it does when the chain holds another history."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gateways.data_folder import DataFolder
from gateways.journal import Journal
from gateways.repeating import repeat
from node.checkpoints.kept import KeptCheckpoints
from node.checkpoints.rewrites import noted_rewrite
from node.daemon import WAITS_FOR
from protocol.account_signatures import account_of
from protocol.cosigning import proven_cosignatures
from protocol.errors import LedgerUnavailableError, StoreError, WrongChainError
from protocol.identifiers import AccountAddress
from protocol.ledger_calls import LeaveNetwork, RotateSiteAccount, SuspendSite
from tests.fakes.ledger import FakeLedger
from tests.node.checkpoints.signing_site import KEY, Daemon, end_round, folder_of, kept, store_of
from tests.node.network_around import KEY_DIGEST
from tests.node.site_world import LINEAGE, SITE_ID, SiteWorld


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
