"""A site without words, whose account's key the test has."""

from __future__ import annotations

from pathlib import Path

import pytest

from protocol.account_signatures import account_of
from tests.node.checkpoints.signing_site import KEY
from tests.node.site_world import SiteWorld


@pytest.fixture
def world(tmp_path: Path) -> SiteWorld:
    return SiteWorld(tmp_path / "node", words=False, account=account_of(KEY))
