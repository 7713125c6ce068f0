"""A network with an open round for each test."""

from __future__ import annotations

import pytest

from tests.protocol.builders import Network


@pytest.fixture
def network() -> Network:
    network = Network()
    network.open_round()
    return network
