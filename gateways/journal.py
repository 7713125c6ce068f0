"""A durable key-value journal in SQLite (WAL, synchronous=FULL): what a daemon has done and was about to do.

A value is on disk when ``record`` returns. Several processes may read while one writes.
"""

from __future__ import annotations

import sqlite3
import time
from pathlib import Path

from sqlalchemy import Connection, Engine, Integer, LargeBinary, String, create_engine, delete, event, insert, select
from sqlalchemy.dialects.sqlite import insert as upsert
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from gateways.database_errors import tell_full_disk, translated
from protocol.canonical_json import JSONValue, encode, parse

_PRAGMA_SECONDS, _PRAGMA_PAUSE_SECONDS = 10.0, 0.01


class _Base(DeclarativeBase):
    pass


class _Entry(_Base):
    __tablename__ = "entries"

    key: Mapped[str] = mapped_column(String, primary_key=True)
    value: Mapped[bytes] = mapped_column(LargeBinary)


class _Line(_Base):
    __tablename__ = "lines"

    number: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=True)
    stream: Mapped[str] = mapped_column(String, index=True)
    value: Mapped[bytes] = mapped_column(LargeBinary)


class Journal:
    """Entries by key, which may be replaced, and streams of lines, which only grow.

    Args:
        path: The SQLite file, created when missing.

    Raises:
        StoreError: The file cannot be opened.
    """

    def __init__(self, path: Path) -> None:
        self._name = f"the journal {path}"
        self._engine = open_sqlite(path)
        with translated(self._name):
            _Base.metadata.create_all(self._engine)

    def record(self, key: str, value: JSONValue) -> None:
        """Sets an entry; durable on return."""
        data = encode(value)
        statement = upsert(_Entry).values(key=key, value=data)
        with translated(self._name), self._engine.begin() as connection:
            connection.execute(statement.on_conflict_do_update(index_elements=["key"], set_={"value": data}))

    def get(self, key: str) -> JSONValue:
        """An entry, or None."""
        with translated(self._name), self._engine.connect() as connection:
            data = connection.execute(select(_Entry.value).where(_Entry.key == key)).scalar_one_or_none()
        return None if data is None else parse(data)

    def entries(self, prefix: str) -> dict[str, JSONValue]:
        """All entries whose keys start with a prefix, sorted by key."""
        query = select(_Entry.key, _Entry.value).where(_Entry.key.startswith(prefix, autoescape=True))
        with translated(self._name), self._engine.connect() as connection:
            rows = connection.execute(query.order_by(_Entry.key)).all()
        return {key: parse(value) for key, value in rows}

    def forget(self, key: str) -> None:
        """Removes an entry; not an error when there is none."""
        with translated(self._name), self._engine.begin() as connection:
            connection.execute(delete(_Entry).where(_Entry.key == key))

    def append(self, stream: str, value: JSONValue) -> None:
        """Adds a line to a stream; durable on return."""
        with translated(self._name), self._engine.begin() as connection:
            connection.execute(insert(_Line).values(stream=stream, value=encode(value)))

    def lines(self, stream: str) -> list[JSONValue]:
        """All lines of a stream in order."""
        query = select(_Line.value).where(_Line.stream == stream).order_by(_Line.number)
        with translated(self._name), self._engine.connect() as connection:
            return [parse(value) for value in connection.execute(query).scalars()]

    def close(self) -> None:
        """Lets the file go."""
        self._engine.dispose()


def open_sqlite(path: Path) -> Engine:
    """An SQLite engine whose commits survive a power cut: WAL, synchronous=FULL, foreign keys, 10 s of patience."""
    engine = create_engine(f"sqlite:///{path}", connect_args={"timeout": 10})
    tell_full_disk(engine, path)
    set_pragmas(engine, "journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "secure_delete=ON")
    return engine


def set_pragmas(engine: Engine, *pragmas: str) -> None:
    """Sets SQLite's pragmas, such as ``journal_mode=WAL``, in every connection of an engine."""

    @event.listens_for(engine, "connect")
    def _set(connection: Connection, _record: object) -> None:
        cursor = connection.cursor()  # type: ignore[attr-defined]
        for pragma in pragmas:
            _patiently(cursor, f"PRAGMA {pragma}")
        cursor.close()


def _patiently(cursor: sqlite3.Cursor, statement: str) -> None:
    """Turning to WAL does not wait for another process that does the same, whatever time-out the connection has."""
    deadline = time.monotonic() + _PRAGMA_SECONDS
    while True:
        try:
            cursor.execute(statement)
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > deadline:
                raise
            time.sleep(_PRAGMA_PAUSE_SECONDS)
        else:
            return
