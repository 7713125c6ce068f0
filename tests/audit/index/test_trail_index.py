"""The index holds what the chain holds, whatever happens while it is filled, and finds it again."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine, select, update

from audit.index.event_codec import EVENT_TYPES, encode_event, parse_event
from audit.index.filling import fill, row_of
from audit.index.searching import Search, search
from audit.index.tables import EventRow, PageRow, block_and_log, place_of
from audit.trail import kind_of
from protocol import ledger_events as ev
from protocol.errors import LedgerUnavailableError, MalformedError
from protocol.identifiers import BlockHash, Digest, lineage_id_of, site_id_of
from protocol.ledger_calls import AdmitSite
from protocol.ports import BlockHeader
from tests.audit.stage import honest_network, logs_of
from tests.audit.test_trail import sample
from tests.fakes.ledger import FakeLedger
from tests.fakes.ledger_world import FakeWorld


class Scripted(FakeLedger):
    """A chain that tells the events of a built network."""

    def __init__(self, world: FakeWorld, events: list[ev.LocatedEvent]) -> None:
        super().__init__(world.chain, None)
        self.told = events

    def head(self) -> BlockHeader:
        last = self.told[-1].position
        return BlockHeader(last.block_number, last.block_hash, last.timestamp)

    def block_hash(self, number: int) -> BlockHash | None:
        of_events = {located.position.block_number: located.position.block_hash for located in self.told}
        return of_events.get(number, BlockHash(number.to_bytes(32, "big")))

    def events(self, from_block: int, to_block: int) -> Iterator[ev.LocatedEvent]:
        return (e for e in self.told if from_block <= e.position.block_number <= to_block)


def admit(world: FakeWorld, slug: str) -> None:
    world.governor.send(AdmitSite(site_id_of(slug), world.fresh_account(), Digest(slug.encode().ljust(32, b"."))))


def found(index: Engine, number: int, **wanted: object) -> list[ev.LocatedEvent]:
    return list(search(index, number, Search(**wanted)))


@pytest.fixture(scope="module")
def told() -> list[ev.LocatedEvent]:
    return logs_of(honest_network(rounds=2, sites=4))


@pytest.fixture
def filled(index: Engine, told: list[ev.LocatedEvent]) -> tuple[Engine, int]:
    return index, fill(index, Scripted(FakeWorld(), told), page_blocks=7)


def test_what_is_found_is_what_was_read(filled: tuple[Engine, int], told: list[ev.LocatedEvent]) -> None:
    assert found(*filled) == told


def test_a_row_has_the_columns_that_were_written(filled: tuple[Engine, int], told: list[ev.LocatedEvent]) -> None:
    engine, number = filled
    with engine.connect() as connection:
        rows = connection.execute(select(EventRow.__table__).order_by(EventRow.place)).mappings().all()
    assert [dict(row) for row in rows] == [row_of(number, located) for located in told]


def test_a_filter_finds_what_going_through_all_events_finds(
    filled: tuple[Engine, int], told: list[ev.LocatedEvent]
) -> None:
    site = next(e.event.site_id for e in told if isinstance(e.event, ev.UpdateRegistered))
    lineage = next(e.event.lineage_id for e in told if isinstance(e.event, ev.RoundOpened))
    assert found(*filled, site_id=site) == [e for e in told if getattr(e.event, "site_id", None) == site]
    assert found(*filled, lineage_id=lineage) == [e for e in told if getattr(e.event, "lineage_id", None) == lineage]
    assert found(*filled, round_number=2) == [e for e in told if getattr(e.event, "round", None) == 2]
    opened = [e for e in told if isinstance(e.event, ev.RoundOpened | ev.SiteAdmitted)]
    assert found(*filled, kinds=frozenset({"round-opened", "site-admitted"})) == opened
    (mine,) = found(*filled, site_id=site, round_number=1, kinds=frozenset({"update-registered"}))
    assert (mine.event.site_id, mine.event.round) == (site, 1)
    assert found(*filled, lineage_id=lineage_id_of("nobody")) == []


def test_a_model_is_found_where_it_is_made_and_where_it_is_the_parent(
    filled: tuple[Engine, int], told: list[ev.LocatedEvent]
) -> None:
    first = next(e.event for e in told if isinstance(e.event, ev.RoundFinalized))
    kinds = [kind_of(e.event) for e in found(*filled, model_digest=first.model_digest)]
    assert kinds == ["round-finalized", "round-opened"]


def test_a_consent_root_is_found_with_the_updates_that_name_it(
    filled: tuple[Engine, int], told: list[ev.LocatedEvent]
) -> None:
    root = next(e.event for e in told if isinstance(e.event, ev.ConsentRootPublished))
    touched = [e.event for e in found(*filled, consent_root=root.root)]
    assert touched[0] == root
    updates = [e for e in told if isinstance(e.event, ev.UpdateRegistered) and e.event.site_id == root.site_id]
    assert touched[1:] == [e.event for e in updates if e.event.consent_version == root.version]
    assert len(touched) > 1


def test_time_transaction_and_number_narrow_a_search(filled: tuple[Engine, int], told: list[ev.LocatedEvent]) -> None:
    middle = told[len(told) // 2].position
    assert found(*filled, since=middle.timestamp) == [e for e in told if e.position.timestamp >= middle.timestamp]
    assert found(*filled, until=middle.timestamp) == [e for e in told if e.position.timestamp < middle.timestamp]
    assert found(*filled, tx_hash=middle.tx_hash) == [e for e in told if e.position.tx_hash == middle.tx_hash]
    assert found(*filled, newest=3) == told[-3:]


def test_filling_goes_on_where_it_ended(index: Engine) -> None:
    world = FakeWorld()
    ledger = world.fresh_ledger()
    admit(world, "one")
    number = fill(index, ledger)
    admit(world, "two")
    assert fill(index, ledger) == number
    fill(index, ledger)
    assert [kind_of(e.event) for e in found(index, number)] == ["governor-changed", "site-admitted", "site-admitted"]


def test_blocks_that_left_the_chain_leave_the_index(index: Engine) -> None:
    world = FakeWorld()
    ledger = world.fresh_ledger()
    admit(world, "kept")
    number = fill(index, ledger)
    admit(world, "lost")
    fill(index, ledger)
    world.chain.reorganize(1)
    for _ in range(3):
        world.advance(1)
    fill(index, ledger)
    admitted = [e.event.site_id for e in found(index, number, kinds=frozenset({"site-admitted"}))]
    assert admitted == [site_id_of("kept")]


def test_a_chain_that_turns_over_while_it_is_read_is_noticed(index: Engine) -> None:
    world = FakeWorld()
    admit(world, "one")

    class Turning(FakeLedger):
        def events(self, from_block: int, to_block: int) -> Iterator[ev.LocatedEvent]:
            yield from super().events(from_block, to_block)
            world.chain.reorganize(1)
            world.advance(1)

    with pytest.raises(LedgerUnavailableError, match="reorganised"):
        fill(index, Turning(world.chain, None))
    number = fill(index, world.fresh_ledger())
    assert [kind_of(e.event) for e in found(index, number)] == ["governor-changed"]


def test_filling_that_ends_in_the_middle_keeps_whole_pages(index: Engine, told: list[ev.LocatedEvent]) -> None:
    world = FakeWorld()

    class Ending(Scripted):
        asked = 0

        def events(self, from_block: int, to_block: int) -> Iterator[ev.LocatedEvent]:
            self.asked += 1
            if self.asked == 3:
                yield from list(super().events(from_block, to_block))[:1]
                raise LedgerUnavailableError("no answer")
            yield from super().events(from_block, to_block)

    with pytest.raises(LedgerUnavailableError, match="no answer"):
        fill(index, Ending(world, told), page_blocks=4)
    end_of_second_page = world.chain.identity.deployment_block_number + 7
    assert found(index, 1) == [e for e in told if e.position.block_number <= end_of_second_page]
    assert found(index, fill(index, Scripted(world, told), page_blocks=4)) == told


def test_the_same_address_on_a_chain_that_began_anew_is_another_deployment(index: Engine) -> None:
    one, other = FakeWorld(), FakeWorld()
    admit(one, "one")
    other.chain.identity = dataclasses.replace(one.chain.identity, genesis_block_hash=other.chain.head().block_hash)
    numbers = fill(index, one.fresh_ledger()), fill(index, other.fresh_ledger())
    assert numbers[0] != numbers[1]
    assert len(found(index, numbers[0])) == 2
    assert len(found(index, numbers[1])) == 1


def test_only_the_newest_page_hashes_are_kept(index: Engine) -> None:
    world = FakeWorld()
    ledger = world.fresh_ledger()
    for _ in range(80):
        world.advance(1)
        fill(index, ledger)
    with index.connect() as connection:
        assert len(connection.execute(select(PageRow.last_block)).all()) <= 65


def test_a_row_that_was_changed_in_the_database_is_malformed(filled: tuple[Engine, int]) -> None:
    engine, number = filled
    with engine.begin() as connection:
        connection.execute(update(EventRow).where(EventRow.kind == "round-opened").values(value=b"{}"))
    with pytest.raises(MalformedError):
        found(engine, number)


@pytest.mark.parametrize("changed", [{"round": 2**63}, {"consent_version": 2**64 - 1}])
def test_a_number_that_no_database_holds_is_malformed(
    index: Engine, told: list[ev.LocatedEvent], changed: dict[str, int]
) -> None:
    odd = ev.LocatedEvent(told[-1].position, dataclasses.replace(sample(ev.UpdateRegistered), **changed))
    events = [*told, odd]
    with pytest.raises(MalformedError, match=f"has the {next(iter(changed))} "):
        fill(index, Scripted(FakeWorld(), events))
    assert found(index, 1) == []


def test_a_place_that_no_chain_has_is_malformed(index: Engine, told: list[ev.LocatedEvent]) -> None:
    odd = dataclasses.replace(told[0], position=dataclasses.replace(told[0].position, log_index=2**24))
    with pytest.raises(MalformedError, match="place that no chain has"):
        fill(index, Scripted(FakeWorld(), [odd, *told[1:]]))


def test_a_search_for_more_than_a_database_counts_finds_what_there_is(
    filled: tuple[Engine, int], told: list[ev.LocatedEvent]
) -> None:
    assert found(*filled, round_number=10**30) == []
    assert found(*filled, newest=10**30) == told
    assert found(*filled, since=10**11) == []


@pytest.mark.parametrize("kind", sorted(EVENT_TYPES))
def test_every_kind_of_event_comes_back_whole(kind: str) -> None:
    event = sample(EVENT_TYPES[kind])
    assert parse_event(kind, encode_event(event)) == event


def test_a_whole_uint256_comes_back() -> None:
    event = dataclasses.replace(sample(ev.RoundFinalized), accepted=2**256 - 1)
    assert parse_event("round-finalized", encode_event(event)) == event


@given(st.integers(0, 2**39 - 1), st.integers(0, 2**24 - 1), st.integers(0, 2**39 - 1), st.integers(0, 2**24 - 1))
def test_places_sort_as_the_chain_does(block: int, log: int, other_block: int, other_log: int) -> None:
    assert block_and_log(place_of(block, log)) == (block, log)
    assert (place_of(block, log) < place_of(other_block, other_log)) == ((block, log) < (other_block, other_log))


@pytest.mark.parametrize(("block", "log"), [(2**39, 0), (0, 2**24), (-1, 0), (0, -1)])
def test_a_place_beyond_the_numbers_of_a_database_is_refused(block: int, log: int) -> None:
    with pytest.raises(OverflowError):
        place_of(block, log)
