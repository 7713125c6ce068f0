"""The fake keeps the ledger's promises."""

from __future__ import annotations

import pytest

from protocol.errors import LedgerUnavailableError
from protocol.ports import Ledger
from tests.fakes.ledger_world import FakeWorld
from tests.gateways.ledger_behavior import LedgerBehavior


class TestFakeLedger(LedgerBehavior):
    @pytest.fixture
    def world(self) -> FakeWorld:
        return FakeWorld()

    def reader(self, world: FakeWorld) -> Ledger:
        return world.chain.ledger()

    def test_a_chain_that_is_down_is_unavailable(self, world: FakeWorld) -> None:
        world.chain.down = True
        with pytest.raises(LedgerUnavailableError):
            world.governor.head()
