"""What an index may be kept in, and what is said when a database is not there or refuses."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine, insert, text

from audit.index.database import alone, open_database
from audit.index.filling import fill, row_of
from audit.index.searching import Search, search
from audit.index.tables import LAST_PLACE, EventRow
from gateways.database_errors import translated
from protocol import ledger_events as ev
from protocol.errors import ConfigError, StoreError
from tests.audit.index.postgresql_cluster import PASSWORD, ROLE, PostgreSQLCluster
from tests.audit.index.test_trail_index import Scripted, found
from tests.audit.stage import honest_network, logs_of
from tests.fakes.ledger_world import FakeWorld


@pytest.fixture(scope="module")
def told() -> list[ev.LocatedEvent]:
    return logs_of(honest_network(rounds=1, sites=2))


@pytest.fixture
def on_postgresql(postgresql: PostgreSQLCluster) -> Iterator[Engine]:
    engine = open_database(postgresql.url(postgresql.new_database()))
    yield engine
    engine.dispose()


def test_a_file_that_is_no_database_is_said(tmp_path: Path) -> None:
    (tmp_path / "notes").write_text("not a database, but long enough to be taken for one" * 100)
    with pytest.raises(StoreError):
        open_database(str(tmp_path / "notes"))


def test_a_file_s_name_may_look_like_part_of_a_url(tmp_path: Path) -> None:
    open_database(str(tmp_path / "a?b#c%20d.sqlite")).dispose()
    assert (tmp_path / "a?b#c%20d.sqlite").exists()


@pytest.mark.parametrize(
    "url", ["nonsense://x", "postgresql+nodriver://x/y", "postgresql+asyncpg://x/y", "mysql://x/y", "://", "a://b:c/d"]
)
def test_a_url_of_another_database_is_refused(url: str) -> None:
    with pytest.raises(ConfigError, match="names no database"):
        open_database(url)


def test_a_driver_that_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(ConfigError, match=r"pip install 'fedrx\[postgresql\]'"):
        open_database("postgresql+psycopg://host/fedrx")


@pytest.mark.parametrize(
    "url",
    [
        "postgresql+psycopg://role:sesame@host/fedrx",
        "postgresql://host/fedrx?user=role&password=sesame",
        "postgresql://host/fedrx?sslpassword=sesame",
    ],
)
def test_a_password_on_the_command_line_is_refused_and_not_repeated(url: str) -> None:
    with pytest.raises(ConfigError, match="pgpass") as refusal:
        open_database(url)
    assert "sesame" not in str(refusal.value)


def test_a_server_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="does the server run") as refusal:
        open_database(f"postgresql+psycopg://role@/fedrx?host={tmp_path}")
    assert "\n" not in str(refusal.value)


def test_a_wrong_password_is_said_without_it(
    postgresql: PostgreSQLCluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = postgresql.new_database(f"OWNER {ROLE}")
    passwords = tmp_path / "pgpass"
    monkeypatch.setenv("PGPASSFILE", str(passwords))
    for password in ("sesame", PASSWORD):
        passwords.write_text(f"*:*:{name}:{ROLE}:{password}\n")
        passwords.chmod(0o600)
        if password == PASSWORD:
            open_database(postgresql.url(name, ROLE)).dispose()
            continue
        with pytest.raises(StoreError, match=r"password authentication failed.*pgpass") as refusal:
            open_database(postgresql.url(name, ROLE))
        assert password not in str(refusal.value)


def test_a_service_s_name_stands_for_server_database_role_and_password(
    postgresql: PostgreSQLCluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    where = {"host": postgresql.folder, "dbname": postgresql.new_database(f"OWNER {ROLE}")}
    lines = [f"{name}={value}" for name, value in {**where, "user": ROLE, "password": PASSWORD}.items()]
    (tmp_path / "services").write_text("\n".join(["[trail]", *lines, ""]))
    monkeypatch.setenv("PGSERVICEFILE", str(tmp_path / "services"))
    engine = open_database("postgresql+psycopg:///?service=trail")
    with engine.connect() as connection:
        assert connection.execute(text("SELECT current_user")).scalar_one() == ROLE
    engine.dispose()


def test_a_database_that_is_not_there_is_said(postgresql: PostgreSQLCluster) -> None:
    with pytest.raises(StoreError, match='database "elsewhere" does not exist'):
        open_database(postgresql.url("elsewhere"))


def test_who_may_only_read_searches_and_is_told_when_writing_is_refused(
    postgresql: PostgreSQLCluster, told: list[ev.LocatedEvent]
) -> None:
    name = postgresql.new_database()
    postgresql.execute("CREATE ROLE reader LOGIN")
    postgresql.execute("REVOKE CREATE ON SCHEMA public FROM PUBLIC", name)
    with pytest.raises(StoreError, match=r"permission denied.*own the database"):
        open_database(postgresql.url(name, "reader"))
    owner = open_database(postgresql.url(name))
    number = fill(owner, Scripted(FakeWorld(), told[:5]))
    owner.dispose()
    postgresql.execute("GRANT SELECT ON ALL TABLES IN SCHEMA public TO reader", name)
    reader = open_database(postgresql.url(name, "reader"))
    assert found(reader, number) == told[:5]
    with pytest.raises(StoreError, match=r"permission denied.*own the database"):
        fill(reader, Scripted(FakeWorld(), told))
    reader.dispose()
    postgresql.execute("DROP OWNED BY reader", name)
    postgresql.execute("DROP ROLE reader")


def test_a_database_without_an_encoding_holds_an_index(
    postgresql: PostgreSQLCluster, told: list[ev.LocatedEvent]
) -> None:
    name = postgresql.new_database("TEMPLATE template0 ENCODING 'SQL_ASCII'")
    engine = open_database(postgresql.url(name))
    assert found(engine, fill(engine, Scripted(FakeWorld(), told))) == told
    engine.dispose()


def test_an_open_index_outlives_a_restart_of_the_server(
    postgresql: PostgreSQLCluster, on_postgresql: Engine, told: list[ev.LocatedEvent]
) -> None:
    number = fill(on_postgresql, Scripted(FakeWorld(), told))
    postgresql.stop()
    with pytest.raises(StoreError, match="does the server run"):
        found(on_postgresql, number)
    postgresql.start()
    assert found(on_postgresql, number) == told


def test_a_connection_that_the_server_ends_in_the_middle_is_said_and_the_next_is_whole(
    postgresql: PostgreSQLCluster, on_postgresql: Engine, told: list[ev.LocatedEvent]
) -> None:
    number = fill(on_postgresql, Scripted(FakeWorld(), told))

    def be_cut_off() -> None:
        with alone(on_postgresql) as connection:
            connection.exec_driver_sql("DELETE FROM events")
            mine = f"datname = '{on_postgresql.url.database}'"
            postgresql.execute(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {mine}")
            connection.exec_driver_sql("SELECT 1")

    with pytest.raises(StoreError, match="try again"):
        be_cut_off()
    assert found(on_postgresql, number) == told


@pytest.mark.parametrize(
    ("state", "hint"),
    [("53100", "free space"), ("55P03", "try again"), ("40P01", "try again"), ("25006", "also writes")],
)
def test_what_the_server_refuses_comes_with_what_to_do(on_postgresql: Engine, state: str, hint: str) -> None:
    refused = f"DO $$ BEGIN RAISE 'refused' USING ERRCODE = '{state}', DETAIL = 'a row''s values'; END $$"
    said = pytest.raises(StoreError, match=f"the index refuses: refused. .*{hint}")
    with said as refusal, translated("the index"), on_postgresql.begin() as connection:
        connection.exec_driver_sql(refused)
    assert "values" not in str(refusal.value)


def test_rows_that_are_refused_are_said_once(
    on_postgresql: Engine, told: list[ev.LocatedEvent], caplog: pytest.LogCaptureFixture
) -> None:
    number = fill(on_postgresql, Scripted(FakeWorld(), told))
    known = row_of(number, told[0])
    many = [known, *({**known, "place": LAST_PLACE - more} for more in range(1_000))]
    with pytest.raises(StoreError, match="duplicate key"), alone(on_postgresql) as connection:
        connection.execute(insert(EventRow), many)
    assert caplog.messages == []


def test_postgresql_knows_the_shape_of_what_was_just_filled(on_postgresql: Engine, told: list[ev.LocatedEvent]) -> None:
    fill(on_postgresql, Scripted(FakeWorld(), told))
    with on_postgresql.connect() as connection:
        known = connection.execute(text("SELECT reltuples FROM pg_class WHERE oid = 'events'::regclass"))
        assert known.scalar_one() == len(told)


def test_a_long_search_is_left_in_the_middle_without_a_trace(
    on_postgresql: Engine, told: list[ev.LocatedEvent]
) -> None:
    number = fill(on_postgresql, Scripted(FakeWorld(), told))
    rows = search(on_postgresql, number, Search())
    assert next(rows) == told[0]
    rows.close()
    assert found(on_postgresql, number) == told
