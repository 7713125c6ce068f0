"""A daemon's heart: one step after another, with patience for what waiting mends."""

from __future__ import annotations

import time
from collections.abc import Callable

import structlog

from protocol.errors import FederationError, WrongChainError

logger = structlog.get_logger(__name__)


def repeat(
    step: Callable[[], bool],
    *,
    waits_for: tuple[type[FederationError], ...],
    poll_seconds: float,
    max_backoff_seconds: float,
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Calls a step for good; waits longer and longer while something that it needs is away.

    Args:
        step: Returns whether there may be more to do at once.
        waits_for: Failures that waiting mends; another chain is none of them.
        poll_seconds: Pause after a step that found nothing to do, and the first after a failure.
        max_backoff_seconds: Longest pause after a failure.
        sleep: Pauses.

    Raises:
        WrongChainError: The chain was replaced by another one.
        FederationError: Another failure that waiting does not mend.
    """
    backoff = poll_seconds
    while True:
        try:
            busy = step()
        except WrongChainError:
            raise
        except waits_for as error:
            logger.warning("daemon.waiting", reason=str(error), seconds=backoff)
            sleep(backoff)
            backoff = min(backoff * 2, max_backoff_seconds)
            continue
        backoff = poll_seconds
        if not busy:
            sleep(poll_seconds)
