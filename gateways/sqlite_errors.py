"""What SQLite refuses, as one line for the operator."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Engine, ExceptionContext, event
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from protocol.errors import StoreError

_FULL_BELOW_BYTES = 1 << 20
_FREE_SPACE = "free space and start again: nothing was lost"


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
        # Only the driver's own words: SQLAlchemy's message would repeat the statement's values.
        raise StoreError(f"{what} refuses: {error.orig}", hint=_hint(str(error.orig))) from error
    except SQLAlchemyError as error:
        raise StoreError(f"{what} refuses: {type(error).__name__}", hint=_hint("")) from error


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


def _hint(reason: str) -> str:
    if "locked" in reason:
        return "another process writes to it: try again"
    if "full" in reason:
        return _FREE_SPACE
    return "check the file's permissions and the disk; restore a backup when it is damaged"
