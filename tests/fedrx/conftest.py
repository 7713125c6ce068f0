"""A governor with a contract on the real chain."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateways.key_ring import keystore
from gateways.key_ring.sealing import Argon2Cost
from scripts.local_chain import LocalChain
from tests.fedrx.governance import Governance


@pytest.fixture
def governance(hardhat_chain: LocalChain, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Governance:
    """Deployed, and nobody is admitted. Keystores are cheap to open: these tests open a dozen each."""
    monkeypatch.setattr(keystore, "Argon2Cost", lambda: Argon2Cost(iterations=1, lanes=1, memory_kib=512))
    made = Governance(tmp_path / "governor", hardhat_chain)
    made.deploy()
    return made
