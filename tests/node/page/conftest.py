"""A site page for each test."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.node.page.page_world import PageWorld


@pytest.fixture
def page(tmp_path: Path) -> PageWorld:
    return PageWorld(tmp_path / "data")
