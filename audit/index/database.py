"""Opens an index: an SQLite file, or a PostgreSQL database by its URL."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import URL, Connection, Engine, create_engine, func, insert, inspect, make_url, select, text
from sqlalchemy.exc import ArgumentError

from audit.index.tables import Base, DeploymentRow, EventRow
from gateways.database_errors import tell_full_disk, translated
from gateways.journal import set_pragmas
from protocol.errors import ConfigError
from protocol.ports import ChainIdentity

_DRIVERS = ("sqlite", "sqlite+pysqlite", "postgresql", "postgresql+psycopg")
_SECRETS = frozenset({"password", "sslpassword"})
_CONNECT_SECONDS = 10
_PATIENCE_SECONDS = 60
"""How long a writer waits for another one to end its page."""
_WRITERS_LOCK = int.from_bytes(b"fedrxidx")
_HAS_DOUBLED = text(
    "SELECT pg_relation_size(oid) > 2 * relpages * current_setting('block_size')::bigint"
    " FROM pg_class WHERE oid = to_regclass(:events)"
)
"""Whether the table was never looked at, or is twice as long as then."""


def open_database(where: str) -> Engine:
    """The database, with its tables.

    Args:
        where: Path of an SQLite file, made when missing, or a URL such as ``postgresql+psycopg://host/fedrx``.

    Raises:
        ConfigError: The URL names no database, or holds a password, or its driver is not installed.
        StoreError: The database refuses.
    """
    url = _url_of(where)
    engine = _sqlite(url) if url.get_backend_name() == "sqlite" else _postgresql(url)
    make_tables(engine)
    return engine


def make_tables(engine: Engine) -> None:
    """Makes the tables that are not there yet.

    Raises:
        StoreError: The database refuses.
    """
    with translated(_name(engine)), engine.connect() as connection:
        known = set(inspect(connection).get_table_names())
    # Whoever only looks at an index needs no right to write.
    if not known.issuperset(Base.metadata.tables):
        with alone(engine) as connection:
            Base.metadata.create_all(connection)


@contextmanager
def alone(engine: Engine) -> Iterator[Connection]:
    """A transaction that no other writer of the index shares; it begins when theirs have ended.

    Without it two that fill an index at once would both find a page missing, or a table, and both make it.

    Raises:
        StoreError: The database refuses, or another writer does not end.
    """
    with translated(_name(engine)), engine.begin() as connection:
        if engine.dialect.name == "sqlite":
            connection.exec_driver_sql("BEGIN IMMEDIATE")
        else:
            connection.exec_driver_sql(f"SET LOCAL lock_timeout = '{_PATIENCE_SECONDS}s'")
            connection.execute(select(func.pg_advisory_xact_lock(_WRITERS_LOCK)))
        yield connection


def deployment_number(engine: Engine, identity: ChainIdentity) -> int:
    """The number of a deployment in the index; one that is new gets the next.

    Raises:
        StoreError: The database refuses.
    """
    values = {
        "chain_id": identity.chain_id,
        "contract_address": bytes(identity.contract_address),
        "genesis_block_hash": bytes(identity.genesis_block_hash),
        "deployment_block_number": identity.deployment_block_number,
        "deployment_block_hash": bytes(identity.deployment_block_hash),
    }
    # The whole identity: the same address on a chain that was started anew is another deployment.
    wanted = select(DeploymentRow.number).where(
        *(getattr(DeploymentRow, name) == value for name, value in values.items())
    )
    with translated(_name(engine)), engine.connect() as connection:
        known = connection.execute(wanted).scalar_one_or_none()
    if known is not None:
        return known
    with alone(engine) as connection:
        known = connection.execute(wanted).scalar_one_or_none()
        if known is not None:
            return known
        added = connection.execute(insert(DeploymentRow).values(**values).returning(DeploymentRow.number))
        return added.scalar_one()


def learn_shape(engine: Engine) -> None:
    """Lets the database look at what the tables hold: without it, it takes the wrong one of two indexes.

    Raises:
        StoreError: The database refuses.
    """
    with translated(_name(engine)), engine.begin() as connection:
        if engine.dialect.name == "sqlite":
            # 0x10002: analyse whatever never was, or has grown tenfold since.
            connection.exec_driver_sql("PRAGMA optimize=0x10002")
        elif connection.execute(_HAS_DOUBLED, {"events": EventRow.__tablename__}).scalar_one():
            # PostgreSQL does so by itself, but a minute later, and the search follows the filling at once.
            connection.exec_driver_sql(f"ANALYZE {EventRow.__tablename__}")


def _url_of(where: str) -> URL:
    if "://" not in where:
        return URL.create("sqlite", database=where)
    try:
        url = make_url(where)
    except (ArgumentError, ValueError) as error:
        raise ConfigError("the index's URL names no database", hint="postgresql+psycopg://host/name") from error
    if url.drivername not in _DRIVERS:
        raise ConfigError(
            f"the index's URL names no database that can hold it: {url.drivername:.40}",
            hint="give a file, or postgresql+psycopg://host/name",
        )
    if url.password is not None or _SECRETS & set(url.query):
        raise ConfigError(
            "the index's URL holds a password, which everybody on this machine can read in the list of processes",
            hint="put it into ~/.pgpass (mode 0600) and leave it out of the URL",
        )
    return url


def _sqlite(url: URL) -> Engine:
    engine = create_engine(url, connect_args={"timeout": _PATIENCE_SECONDS})
    # The chain can fill the index again, so a commit need not wait for the disk; WAL keeps it whole all the same.
    set_pragmas(engine, "journal_mode=WAL", "synchronous=NORMAL", "cache_size=-65536", "analysis_limit=1000")
    if url.database is not None:
        tell_full_disk(engine, Path(url.database))
    return engine


def _postgresql(url: URL) -> Engine:
    # Below that the driver tells on stderr, once more, what it raises.
    logging.getLogger("psycopg").setLevel(logging.ERROR)
    # A database in SQL_ASCII says nothing of its text's encoding, and text would come back as bytes.
    connecting = {"client_encoding": "utf8", "connect_timeout": _CONNECT_SECONDS}
    unsaid = {name: value for name, value in connecting.items() if name not in url.query}
    try:
        # Before each use a connection is tried: the explorer outlives a restart of the server.
        return create_engine(url, pool_pre_ping=True, connect_args=unsaid)
    except ImportError as error:
        raise ConfigError("PostgreSQL's driver is not installed", hint="pip install 'fedrx[postgresql]'") from error


def _name(engine: Engine) -> str:
    return f"the index {engine.url.set(query={}).render_as_string()}"
