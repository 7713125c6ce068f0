"""No proxy of the site stands between a machine and itself."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from gateways.ledger.rpc import RPCEndpoint
from gateways.ledger.web3_endpoint import Web3Endpoint
from tests.gateways.json_rpc_server import DEPLOYMENT, JSONRPCServer


@pytest.fixture
def server() -> Iterator[JSONRPCServer]:
    with JSONRPCServer() as server:
        yield server


@pytest.fixture(params=["HTTP_PROXY", "http_proxy", "ALL_PROXY"])
def proxy(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """A site's proxy, which nothing of this machine is reached through."""
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv(request.param, "http://127.0.0.1:9")


@pytest.mark.usefixtures("proxy")
@pytest.mark.parametrize("kind", [RPCEndpoint, Web3Endpoint])
@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_an_endpoint_on_this_machine_is_reached_past_the_proxy(
    server: JSONRPCServer, kind: type[RPCEndpoint], host: str
) -> None:
    endpoint = kind(server.url.replace("127.0.0.1", host), timeout_seconds=5)
    assert endpoint.call("eth_chainId") == hex(DEPLOYMENT.chain_id)


@pytest.mark.parametrize("kind", [RPCEndpoint, Web3Endpoint])
def test_an_endpoint_elsewhere_is_reached_through_the_proxy(
    server: JSONRPCServer, monkeypatch: pytest.MonkeyPatch, kind: type[RPCEndpoint]
) -> None:
    for name in ("NO_PROXY", "no_proxy", "http_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HTTP_PROXY", server.url)
    assert kind("http://chain.example:8545", timeout_seconds=5).call("eth_chainId") == hex(DEPLOYMENT.chain_id)
