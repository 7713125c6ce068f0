"""Opens an index: an SQLite file, or any database by its SQLAlchemy URL."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Engine, create_engine, insert, select
from sqlalchemy.exc import ArgumentError, NoSuchModuleError

from audit.index.tables import Base, DeploymentRow
from gateways.journal import set_pragmas
from gateways.sqlite_errors import tell_full_disk, translated
from protocol.errors import ConfigError
from protocol.ports import ChainIdentity


def open_database(where: str) -> Engine:
    """The database, with its tables.

    Args:
        where: Path of an SQLite file, made when missing, or a URL such as ``postgresql+psycopg://host/fedrx``.

    Raises:
        ConfigError: The URL names no database, or its driver is not installed.
        StoreError: The database refuses.
    """
    url = where if "://" in where else f"sqlite:///{Path(where)}"
    try:
        engine = create_engine(url)
    except (ArgumentError, NoSuchModuleError, ModuleNotFoundError) as error:
        raise ConfigError(
            "the index's URL names no database that can be reached from here",
            hint="give a file, or install the database's driver (PostgreSQL: pip install psycopg)",
        ) from error
    if engine.dialect.name == "sqlite":
        # The chain can fill the index again, so a commit need not wait for the disk; WAL keeps it whole all the same.
        set_pragmas(engine, "journal_mode=WAL", "synchronous=NORMAL", "cache_size=-65536", "analysis_limit=1000")
        tell_full_disk(engine, Path(where))
    with translated(_name(engine)):
        Base.metadata.create_all(engine)
    return engine


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
    wanted = [getattr(DeploymentRow, name) == value for name, value in values.items()]
    with translated(_name(engine)), engine.begin() as connection:
        known = connection.execute(select(DeploymentRow.number).where(*wanted)).scalar_one_or_none()
        if known is not None:
            return known
        added = connection.execute(insert(DeploymentRow).values(**values).returning(DeploymentRow.number))
        return added.scalar_one()


def learn_shape(engine: Engine) -> None:
    """Lets SQLite look at what the tables hold: without it, it takes the wrong one of two indexes.

    Raises:
        StoreError: The database refuses.
    """
    if engine.dialect.name == "sqlite":
        with translated(_name(engine)), engine.begin() as connection:
            # 0x10002: analyse whatever never was, or has grown tenfold since. PostgreSQL does so by itself.
            connection.exec_driver_sql("PRAGMA optimize=0x10002")


def _name(engine: Engine) -> str:
    return f"the index {engine.url.render_as_string(hide_password=True)}"
