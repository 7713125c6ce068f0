"""An index that somebody wrote into is called damaged, with what to do, whatever stands in it."""

from __future__ import annotations

import pytest

from audit.index.database import open_database
from audit.index.filling import fill
from audit.index.searching import Search, search
from protocol.errors import MalformedError
from tests.audit.index.test_trail_index import admit
from tests.fakes.ledger_world import FakeWorld

DAMAGE = [
    "UPDATE events SET value = '{'",
    "UPDATE events SET value = '{}'",
    "UPDATE events SET kind = 'nonsense'",
    "UPDATE events SET tx_hash = x'01'",
    "UPDATE events SET block_hash = 'text'",
    "UPDATE events SET place = 'xx' WHERE kind = 'site-admitted'",
    "UPDATE pages SET last_block = 'xx'",
]


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_row_is_named_as_the_indexs_and_not_the_chains(damage: str) -> None:
    world = FakeWorld()
    admit(world, "north")
    engine = open_database("sqlite://")
    fill(engine, world.fresh_ledger())
    with engine.begin() as connection:
        connection.exec_driver_sql(damage)
    with pytest.raises(MalformedError, match="in the index is damaged") as refused:
        list(search(engine, fill(engine, world.fresh_ledger()), Search()))
    assert "delete the index" in refused.value.hint
