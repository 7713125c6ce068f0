"""The catalogue, run: what names an event that an endpoint leaves out."""

from __future__ import annotations

import pytest
from sqlalchemy import Engine, insert, select, update

from audit.index.tables import EventRow, PageRow
from audit.trail import kind_of
from protocol.ledger_events import LocatedEvent
from tests.tamper.catalogue import COMPARED, RULES, Mutation, mutations
from tests.tamper.detecting import is_named, name_of
from tests.tamper.recording import Recording
from tests.tamper.told_logs import alarmed, compared, on_paper, proven, told_over_http

LEFT_OUT = (*mutations(RULES), *mutations(COMPARED))


def changed_by(mutation: Mutation) -> tuple[Recording, LocatedEvent]:
    """What the endpoint tells, and the first event that it leaves out."""
    honest, changed = on_paper().honest, on_paper().honest.copy()
    mutation.change(changed)
    lost = next(located for located in honest.events if located not in changed.events)
    return changed, lost


def test_an_honest_endpoint_is_believed() -> None:
    honest = on_paper().honest
    assert alarmed(honest) == []
    assert proven(honest) == []
    with told_over_http(honest) as one, told_over_http(honest) as other:
        assert compared(one, other) == []


@pytest.mark.parametrize("column", ["timestamp", "site_id", "round", "value", "block_hash"])
def test_a_trusted_block_names_a_row_that_index_and_endpoint_tell_alike(column: str) -> None:
    def spoil(index: Engine) -> None:
        other = {"timestamp": 7, "site_id": b"\x07" * 32, "round": 77, "value": b"{}", "block_hash": b"\x07" * 32}
        with index.begin() as connection:
            registered = update(EventRow).where(EventRow.kind == "update-registered")
            connection.execute(registered.values({column: other[column]}))

    (found,) = proven(on_paper().honest, spoil)
    assert f"has another {column.replace('_', ' ')}" in found.sentence


def test_a_trusted_block_names_an_event_before_all_blocks_and_a_page() -> None:
    def invent(index: Engine) -> None:
        with index.begin() as connection:
            row = dict(connection.execute(select(EventRow.__table__).limit(1)).mappings().one())
            connection.execute(insert(EventRow).values(row | {"place": -1}))

    def turn(index: Engine) -> None:
        with index.begin() as connection:
            connection.execute(update(PageRow).values(block_hash=b"\x07" * 32))

    assert "the index holds an event that the chain does not" in proven(on_paper().honest, invent)[0].sentence
    assert "the index has another hash of block" in proven(on_paper().honest, turn)[0].sentence


@pytest.mark.parametrize("mutation", mutations(RULES), ids=name_of)
def test_the_rules_name(mutation: Mutation) -> None:
    found = alarmed(changed_by(mutation)[0])
    assert is_named(found, mutation), found


@pytest.mark.parametrize("mutation", mutations(COMPARED), ids=name_of)
def test_no_rule_names(mutation: Mutation) -> None:
    # Once one does, it belongs to the chapter before.
    assert alarmed(changed_by(mutation)[0]) == []


@pytest.mark.parametrize("mutation", LEFT_OUT, ids=name_of)
def test_a_trusted_block_names(mutation: Mutation) -> None:
    changed, lost = changed_by(mutation)
    (found,) = proven(changed)
    at = lost.position
    said = f"the index leaves out an event of the chain: {kind_of(lost.event)} in block {at.block_number}, log"
    assert found.kind == "left out"
    assert said in found.sentence
    if mutation.command == COMPARED:
        assert is_named([found], mutation)


@pytest.mark.parametrize("mutation", LEFT_OUT, ids=name_of)
def test_a_second_endpoint_names(mutation: Mutation) -> None:
    changed, lost = changed_by(mutation)
    at = lost.position
    with told_over_http(changed) as liar, told_over_http(on_paper().honest) as honest:
        (found,) = compared(liar, honest)
        where = f"{type(lost.event).__name__} in block {at.block_number}, log {at.log_index}"
        assert f"{honest.url} tells {where}, and the RPC endpoint {liar.url} does not" in found.sentence
        (found,) = compared(honest, liar)
        assert f"{honest.url} tells {where}, and the RPC endpoint {liar.url} does not" in found.sentence
