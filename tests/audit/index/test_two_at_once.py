"""Several processes open, fill and search one index at the same time."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import pytest
from sqlalchemy import Engine, delete, func, select

from audit.index.costs import CostTable, TxCost
from audit.index.database import alone, deployment_number, open_database
from audit.index.filling import fill
from audit.index.searching import Search, search
from audit.index.tables import DeploymentRow, EventRow
from protocol import ledger_events as ev
from protocol.errors import LedgerUnavailableError, StoreError
from tests.audit.index.test_trail_index import Scripted, found
from tests.audit.stage import honest_network, logs_of
from tests.fakes.ledger_world import FakeWorld

T = TypeVar("T")
AT_ONCE = 4
A_WHILE = 60.0


@pytest.fixture(scope="module")
def told() -> list[ev.LocatedEvent]:
    return logs_of(honest_network(rounds=2, sites=4))


@pytest.fixture
def other(place: str, index: Engine) -> Iterator[Engine]:
    """Another process's way to the same index."""
    del index
    engine = open_database(place)
    yield engine
    engine.dispose()


class Interrupted(Scripted):
    """A chain at which something happens before it answers for the n-th page."""

    def __init__(self, world: FakeWorld, events: list[ev.LocatedEvent], happens: dict[int, Callable[[], None]]) -> None:
        super().__init__(world, events)
        self.happens = happens
        self.asked = 0

    def events(self, from_block: int, to_block: int) -> Iterator[ev.LocatedEvent]:
        self.asked += 1
        self.happens.get(self.asked, lambda: None)()
        return super().events(from_block, to_block)


def all_at_once(work: Callable[[], T]) -> list[T]:
    together = threading.Barrier(AT_ONCE)

    def begin() -> T:
        together.wait(A_WHILE)
        return work()

    with ThreadPoolExecutor(AT_ONCE) as pool:
        return [done.result(A_WHILE) for done in [pool.submit(begin) for _ in range(AT_ONCE)]]


def test_an_index_that_several_make_at_once_is_made_once(place: str) -> None:
    identity = FakeWorld().chain.identity

    def make() -> int:
        engine = open_database(place)
        number = deployment_number(engine, identity)
        CostTable(engine, number)
        engine.dispose()
        return number

    assert len(set(all_at_once(make))) == 1
    engine = open_database(place)
    with engine.connect() as connection:
        assert connection.execute(select(func.count()).select_from(DeploymentRow)).scalar_one() == 1
    engine.dispose()


def test_who_is_overtaken_goes_on_from_where_the_other_is(
    index: Engine, other: Engine, told: list[ev.LocatedEvent]
) -> None:
    world = FakeWorld()
    slow = Interrupted(world, told, {2: lambda: fill(other, Scripted(world, told), page_blocks=3)})
    pages: list[int] = []
    number = fill(index, slow, lambda block, _head: pages.append(block), page_blocks=4)
    assert slow.asked == 2
    assert len(pages) == 1
    assert found(index, number) == told


def test_who_is_slow_takes_no_pages_away_from_who_is_ahead(
    index: Engine, other: Engine, told: list[ev.LocatedEvent]
) -> None:
    world = FakeWorld()
    three_pages, slow_goes_on = threading.Event(), threading.Event()

    def let_the_slow_one_go_on() -> None:
        three_pages.set()
        assert slow_goes_on.wait(A_WHILE)

    def wait() -> None:
        assert three_pages.wait(A_WHILE)

    def stop() -> None:
        slow_goes_on.set()
        raise LedgerUnavailableError("killed")

    quick = Interrupted(world, told, {4: let_the_slow_one_go_on})
    slow = Interrupted(world, told, {1: wait, 2: stop})
    with ThreadPoolExecutor(1) as pool:
        killed = pool.submit(fill, other, slow, page_blocks=2)
        number = fill(index, quick, page_blocks=2)
        with pytest.raises(LedgerUnavailableError, match="killed"):
            killed.result(A_WHILE)
    assert found(index, number) == told


def test_many_fill_at_once_and_each_finds_everything(place: str, told: list[ev.LocatedEvent]) -> None:
    world = FakeWorld()

    def work() -> list[ev.LocatedEvent]:
        engine = open_database(place)
        number = fill(engine, Scripted(world, told), page_blocks=3)
        rows = list(search(engine, number, Search()))
        engine.dispose()
        return rows

    assert all_at_once(work) == [told] * AT_ONCE


def test_costs_that_several_learn_at_once_are_kept_once(index: Engine, told: list[ev.LocatedEvent]) -> None:
    number = fill(index, Scripted(FakeWorld(), told))
    positions = {e.position.tx_hash: e.position for e in told}
    costs = [TxCost(tx, at.block_hash, 21_000, 4) for tx, at in positions.items()]
    all_at_once(lambda: CostTable(index, number).add(costs))
    assert CostTable(index, number).progress().known == len(positions)


def test_who_waits_too_long_for_another_writer_is_told(place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("audit.index.database._PATIENCE_SECONDS", 0.1)
    one, other = open_database(place), open_database(place)
    identity = FakeWorld().chain.identity
    with alone(one), pytest.raises(StoreError, match="another process writes to it: try again"):
        deployment_number(other, identity)
    assert deployment_number(other, identity) == 1
    one.dispose()
    other.dispose()


def test_what_is_not_committed_is_seen_by_nobody_else(
    index: Engine, other: Engine, told: list[ev.LocatedEvent]
) -> None:
    number = fill(index, Scripted(FakeWorld(), told))

    def die_half_way() -> None:
        with alone(index) as connection:
            connection.execute(delete(EventRow))
            assert found(other, number) == told
            connection.exec_driver_sql("the process is killed")

    with pytest.raises(StoreError, match="syntax"):
        die_half_way()
    assert found(index, number) == found(other, number) == told
