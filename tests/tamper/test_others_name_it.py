"""The catalogue, run: what a site's node, a connecting process and a comparison with another endpoint must name."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine

from audit.index.checking import CheckedIndex, check_index
from audit.index.database import open_database
from audit.index.filling import fill
from protocol.errors import ConfigError
from tests.gateways.json_rpc_server import JSONRPCServer
from tests.protocol.builders import Network
from tests.tamper.catalogue import CONNECT, DIFF, INDEX, NODE, Mutation, mutations
from tests.tamper.detecting import (
    NAMES,
    Teller,
    changed_index,
    is_named,
    name_of,
    newest_of,
    parted,
    refused_by_a_node,
    refused_to_connect,
    replayed,
)
from tests.tamper.recording import copy_of, recorded


def open_round() -> Network:
    """A network whose site stands before a plan that was just opened."""
    network = copy_of(recorded().opening)
    network.open_round(selected=network.sites[:6])
    return network


def test_an_honest_plan_is_followed() -> None:
    assert refused_by_a_node(open_round()) == []


@pytest.mark.parametrize("mutation", mutations(NODE), ids=name_of)
def test_a_node_names(mutation: Mutation) -> None:
    network = open_round()
    honest = network.plan
    mutation.change(network)
    assert network.plan != honest, "it changes nothing"
    found = refused_by_a_node(network)
    assert is_named(found, mutation), found


@pytest.fixture
def endpoints() -> Iterator[tuple[JSONRPCServer, JSONRPCServer]]:
    with JSONRPCServer() as first, JSONRPCServer() as second:
        yield first, second


def test_an_honest_chain_is_believed(endpoints: tuple[JSONRPCServer, JSONRPCServer]) -> None:
    assert refused_to_connect(*endpoints) == []


@pytest.mark.parametrize("mutation", mutations(CONNECT), ids=name_of)
def test_a_connecting_process_names(mutation: Mutation, endpoints: tuple[JSONRPCServer, JSONRPCServer]) -> None:
    mutation.change(endpoints[0])
    found = refused_to_connect(*endpoints)
    assert is_named(found, mutation), found


def test_two_honest_endpoints_do_not_part() -> None:
    assert parted(recorded(), recorded().copy()) == []


@pytest.mark.parametrize("mutation", mutations(DIFF), ids=name_of)
def test_a_comparison_with_another_endpoint_names(mutation: Mutation) -> None:
    changed = recorded().copy()
    mutation.change(changed)
    assert changed.events != recorded().events, "it changes nothing"
    found = parted(recorded(), changed)
    assert is_named(found, mutation), found
    # It stands in this chapter because no rule sees it; once one does, it belongs to the replay's.
    assert replayed(changed) == []


@pytest.fixture
def endpoint() -> Teller:
    return Teller(recorded(), newest_of(recorded()))


@pytest.fixture
def index(tmp_path: Path, endpoint: Teller) -> Iterator[Engine]:
    engine = open_database(str(tmp_path / "trail.sqlite"))
    fill(engine, endpoint, page_blocks=30)
    yield engine
    engine.dispose()


def test_an_honest_index_holds_what_the_chain_holds(index: Engine, endpoint: Teller) -> None:
    assert check_index(index, endpoint, NAMES) == CheckedIndex(len(recorded().events), ())


def test_an_index_of_another_deployment_is_the_operators_mistake(tmp_path: Path, endpoint: Teller) -> None:
    engine = open_database(str(tmp_path / "empty.sqlite"))
    with pytest.raises(ConfigError, match="holds nothing of this deployment"):
        check_index(engine, endpoint, NAMES)
    engine.dispose()


@pytest.mark.parametrize("mutation", mutations(INDEX), ids=name_of)
def test_a_check_of_an_index_names(mutation: Mutation, index: Engine, endpoint: Teller) -> None:
    with index.begin() as connection:
        mutation.change(connection)
    found = changed_index(index, endpoint)
    assert is_named(found, mutation), found
