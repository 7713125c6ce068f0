"""What is slow to load is loaded by those who need it."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.gateways.json_rpc_server import JSONRPCServer

SIGNING = {"eth_account", "web3", "py_ecc"}
READS = """
from gateways.ledger.web3_ledger import Web3Ledger
from tests.gateways.json_rpc_server import DEPLOYMENT
ledger = Web3Ledger.connect({url!r}, DEPLOYMENT)
assert len(list(ledger.events(0, ledger.head().number))) == 1
"""


def loaded(code: str) -> set[str]:
    code += "\nimport sys; print(*sys.modules)"
    return set(subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.split())


@pytest.mark.parametrize(
    "room",
    [
        "node.commands",
        "node.status",
        "tests.audit.auditor_app",
        "aggregator.commands",
        "fedrx.governor_commands",
    ],
)
def test_commands_load_nothing_that_connects_or_signs(room: str) -> None:
    assert not loaded(f"import {room}") & (SIGNING | {"eth_abi", "gateways.ledger.web3_ledger"})


def test_reading_the_chain_loads_nothing_that_signs() -> None:
    with JSONRPCServer() as server:
        assert not loaded(READS.format(url=server.url)) & SIGNING
