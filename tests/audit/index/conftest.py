"""Both databases that hold an index: an SQLite file, and a PostgreSQL that is started on first use."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine

from audit.index.database import open_database
from tests.audit.index.postgresql_cluster import PostgreSQLCluster


@pytest.fixture(scope="session")
def postgresql() -> Iterator[PostgreSQLCluster]:
    with PostgreSQLCluster() as cluster:
        yield cluster


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where an index may be that is not there yet."""
    if request.param == "sqlite":
        return str(tmp_path / "trail.sqlite")
    cluster: PostgreSQLCluster = request.getfixturevalue("postgresql")
    return cluster.url(cluster.new_database())


@pytest.fixture
def index(place: str) -> Iterator[Engine]:
    engine = open_database(place)
    yield engine
    engine.dispose()
