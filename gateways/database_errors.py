"""What a database refuses, as one line for the operator."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Engine, ExceptionContext, event
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from protocol.errors import StoreError
from protocol.foreign_text import one_line

_FULL_BELOW_BYTES = 1 << 20
_FREE_SPACE = "free space and start again: nothing was lost"
_TRY_AGAIN = "another process writes to it: try again"
_CHECK_FILE = "check the file's permissions and the disk; restore a backup when it is damaged"
_CHECK_SERVER = "does the server run? host, database and role stand in the URL, the password in ~/.pgpass"
_CHECK_LOG = "the server's log may say more"
_BY_SQLSTATE = {
    "08": _CHECK_SERVER,
    "25006": "this server only answers questions: name the one that also writes",
    "40": _TRY_AGAIN,
    "42501": "the role may not: let it own the database (ALTER DATABASE … OWNER TO …)",
    "53100": _FREE_SPACE,
    "53300": "the server has too many connections: end some, or raise max_connections",
    "55P03": _TRY_AGAIN,
    "57": "the server was stopped, or ended this connection: try again",
}
"""What to do, by PostgreSQL's code of an error or by its class, the first two characters."""


@contextmanager
def translated(what: str) -> Iterator[None]:
    """Turns SQLAlchemy's failures within the block into the tree's.

    Args:
        what: What refuses, such as "the journal /var/lib/fedrx/journal.sqlite".

    Raises:
        StoreError: A statement failed.
    """
    try:
        yield
    except DBAPIError as error:
        refusal = error.orig or error
        raise StoreError(f"{what} refuses: {_reason(refusal)}", hint=_hint(refusal)) from error
    except SQLAlchemyError as error:
        raise StoreError(f"{what} refuses: {type(error).__name__}", hint=_CHECK_FILE) from error


def tell_full_disk(engine: Engine, path: Path) -> None:
    """Lets a full disk be called one: SQLite says "disk I/O error" when its log or index file cannot grow.

    Args:
        engine: Of the file; its statements then raise ``StoreError`` for such an error.
        path: The SQLite file.
    """

    @event.listens_for(engine, "handle_error")
    def _look(context: ExceptionContext) -> None:
        error = context.original_exception
        if getattr(error, "sqlite_errorname", "").startswith("SQLITE_IOERR") and _is_full(path.parent):
            raise StoreError(f"the disk that holds {path} is full: {error}", hint=_FREE_SPACE) from error


def _is_full(folder: Path) -> bool:
    try:
        return shutil.disk_usage(folder).free < _FULL_BELOW_BYTES
    except OSError:
        return False


def _reason(error: BaseException) -> str:
    """Only the driver's first words: the rest, and SQLAlchemy's own message, would repeat the statement's values."""
    diagnosis = getattr(error, "diag", None)
    words = getattr(diagnosis, "message_primary", None) or str(error)
    return one_line(" ".join(words.split())).rstrip("?.")


def _hint(error: BaseException) -> str:
    if hasattr(error, "sqlstate"):
        # A connection that never came about has no code.
        state = error.sqlstate or "08"
        return _BY_SQLSTATE.get(state) or _BY_SQLSTATE.get(state[:2], _CHECK_LOG)
    if "locked" in str(error):
        return _TRY_AGAIN
    if "full" in str(error):
        return _FREE_SPACE
    return _CHECK_FILE
