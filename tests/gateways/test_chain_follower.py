"""The history that a daemon keeps in step with the chain."""

from __future__ import annotations

import pytest

from gateways.chain_follower import ChainFollower
from protocol.errors import LedgerUnavailableError, WrongChainError
from protocol.identifiers import BlockHash, Digest, site_id_of
from protocol.ledger_calls import AdmitSite
from protocol.ports import BlockHeader
from tests.fakes.ledger import FakeLedger
from tests.fakes.ledger_world import FakeWorld


def admit(world: FakeWorld, slug: str) -> None:
    world.governor.send(AdmitSite(site_id_of(slug), world.fresh_account(), Digest(slug.encode().ljust(32, b"."))))


def test_new_events_reach_the_history_once() -> None:
    world = FakeWorld()
    follower = ChainFollower(world.fresh_ledger(), keep_events=True)
    admit(world, "one")
    follower.sync()
    admit(world, "two")
    history = follower.sync()
    assert set(history.sites) == {site_id_of("one"), site_id_of("two")}
    assert len(follower.events) == len(set(follower.events)) == 3


def test_a_chain_that_lost_blocks_is_read_anew() -> None:
    world = FakeWorld()
    follower = ChainFollower(world.fresh_ledger())
    admit(world, "kept")
    admit(world, "lost")
    follower.sync()
    world.chain.reorganize(1)
    assert set(follower.sync().sites) == {site_id_of("kept")}


def test_a_reorganisation_that_ends_higher_than_before_is_noticed() -> None:
    world = FakeWorld()
    follower = ChainFollower(world.fresh_ledger())
    admit(world, "kept")
    admit(world, "lost")
    follower.sync()
    world.chain.reorganize(1)
    for _ in range(3):
        world.advance(1)
    assert set(follower.sync().sites) == {site_id_of("kept")}


@pytest.mark.parametrize("blocks", [0, 1, 10])
def test_a_chain_that_was_replaced_is_another_chain_however_long_it_is(blocks: int) -> None:
    world = FakeWorld()
    follower = ChainFollower(world.fresh_ledger())
    admit(world, "one")
    follower.sync()
    world.chain.begin_anew()
    for _ in range(blocks):
        world.advance(1)
    for _ in range(2):
        with pytest.raises(WrongChainError):
            follower.sync()


def test_an_endpoint_that_lags_behind_the_deployment_is_waited_for() -> None:
    world = FakeWorld()

    class Resyncing(FakeLedger):
        newest = 1_000

        def head(self) -> BlockHeader:
            head = super().head()
            found = super().block_hash(min(head.number, self.newest))
            assert found is not None
            return BlockHeader(min(head.number, self.newest), found, head.timestamp)

        def block_hash(self, number: int) -> BlockHash | None:
            return super().block_hash(number) if number <= self.newest else None

    ledger = Resyncing(world.chain, world.fresh_account())
    follower = ChainFollower(ledger)
    admit(world, "one")
    follower.sync()
    ledger.newest = 0
    with pytest.raises(LedgerUnavailableError):
        follower.sync()
    assert set(follower.history.sites) == {site_id_of("one")}
    ledger.newest = 1_000
    admit(world, "two")
    assert len(follower.sync().sites) == 2


def test_a_chain_that_does_not_answer_leaves_the_history_as_it_was() -> None:
    world = FakeWorld()
    follower = ChainFollower(world.fresh_ledger())
    admit(world, "one")
    follower.sync()
    world.chain.down = True
    with pytest.raises(LedgerUnavailableError):
        follower.sync()
    assert set(follower.history.sites) == {site_id_of("one")}


def test_the_head_is_not_known_before_the_first_sync() -> None:
    with pytest.raises(RuntimeError):
        _ = ChainFollower(FakeWorld().fresh_ledger()).head


def test_an_endpoint_that_lags_behind_for_a_moment_changes_nothing() -> None:
    world = FakeWorld()

    class Lagging(FakeLedger):
        behind = 0

        def head(self) -> BlockHeader:
            head = super().head()
            return BlockHeader(
                head.number - self.behind, self.chain.block_hash(head.number - self.behind), head.timestamp
            )

    ledger = Lagging(world.chain, world.fresh_account())
    follower = ChainFollower(ledger)
    admit(world, "one")
    admit(world, "two")
    follower.sync()
    ledger.behind = 2
    assert len(follower.sync().sites) == 2
    ledger.behind = 0
    admit(world, "three")
    assert len(follower.sync().sites) == 3
