"""What SQLite refuses, as one line for the operator."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from protocol.errors import StoreError


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


def _hint(reason: str) -> str:
    if "locked" in reason:
        return "another process writes to it: try again"
    if "full" in reason:
        return "free space and start again: nothing was lost"
    return "check the file's permissions and the disk; restore a backup when it is damaged"
