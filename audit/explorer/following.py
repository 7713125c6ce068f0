"""Keeps the chronicle in step with the chain while the explorer is looked at."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import structlog

from audit.explorer.chronicle import Chronicle
from protocol.errors import FederationError

logger = structlog.get_logger(__name__)

_GRACE_SECONDS = 3.0


@contextmanager
def following(chronicle: Chronicle, poll_seconds: float) -> Iterator[None]:
    """A thread reads new blocks and the costs of transactions as long as the block lasts.

    Args:
        chronicle: Nobody else changes it meanwhile.
        poll_seconds: Pause after a look that left nothing to be asked.
    """
    ended = threading.Event()

    def follow() -> None:
        while not ended.is_set():
            # What is still unknown is asked for at once, one batch after another.
            if not _step(chronicle):
                ended.wait(poll_seconds)

    thread = threading.Thread(target=follow, name="explorer-follower", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        # It may be waiting for the chain, which need not hold the end up.
        thread.join(_GRACE_SECONDS)


def _step(chronicle: Chronicle) -> bool:
    """One look and one batch of costs; whether there is more to ask for."""
    try:
        chronicle.look()
        more = chronicle.learn_costs()
    except FederationError as error:
        logger.warning("explorer.waiting", reason=str(error))
        chronicle.tell_trouble(error.what)
        return False
    chronicle.tell_trouble("")
    return more
