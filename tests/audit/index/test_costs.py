"""What transactions cost is summed the same in both databases."""

from __future__ import annotations

import pytest
from sqlalchemy import Engine

from audit.index.costs import CostSum, CostTable
from audit.index.filling import fill
from audit.index.tables import LAST_PLACE
from protocol import ledger_events as ev
from tests.audit.explorer.made_up import MadeUpNetwork, ToldChain, lineage_id

ROUNDS, SITES = 3, 5


@pytest.fixture(scope="module")
def told() -> list[ev.LocatedEvent]:
    return MadeUpNetwork(ROUNDS, SITES).events


@pytest.fixture
def costs(index: Engine, told: list[ev.LocatedEvent]) -> CostTable:
    return CostTable(index, fill(index, ToldChain(told)))


def test_costs_are_missing_newest_first_until_they_are_known(costs: CostTable, told: list[ev.LocatedEvent]) -> None:
    newest_first = list(dict.fromkeys(e.position.tx_hash for e in reversed(told)))
    missing, oldest = costs.missing(LAST_PLACE, 5)
    assert missing == newest_first[: len(missing)]
    costs.add(ToldChain(told).costs(missing))
    assert costs.missing(oldest, 10**6)[0] == costs.missing(LAST_PLACE, 10**6)[0] == newest_first[len(missing) :]
    costs.add(ToldChain(told).costs(newest_first))
    assert costs.missing(LAST_PLACE, 10**6) == ([], LAST_PLACE)
    assert costs.progress() == CostSum(len(newest_first), len(newest_first))


def test_a_sum_is_that_of_the_transactions_it_knows(costs: CostTable, told: list[ev.LocatedEvent]) -> None:
    of_round = sorted({e.position.tx_hash for e in told if getattr(e.event, "round", None) == 2})
    known = ToldChain(told).costs(of_round[1:])
    costs.add(known)
    gas, sent = sum(cost.gas_used for cost in known), sum(cost.call_bytes for cost in known)
    found = costs.of_rounds(lineage_id(), 1, ROUNDS)
    assert found[2] == CostSum(len(of_round), len(known), gas, sent)
    assert (found[1].known, found[1].gas_used, found[1].complete) == (0, 0, False)
    assert costs.of_transactions(of_round) == {cost.tx_hash: cost for cost in known}
