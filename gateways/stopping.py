"""How a daemon ends: at the first SIGTERM or SIGINT, wherever it is, because every step can be resumed."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager


class _Stop(BaseException):
    """Raised in the main thread by the first signal; no ``except Exception`` on the way may hold it up."""


@contextmanager
def stoppable() -> Iterator[None]:
    """SIGTERM and SIGINT end the block; what it started is ended, and a second signal does not interrupt that.

    Enter it before anything that must be ended is started: a signal during the start then ends that too.
    """

    def stop(_number: int, _frame: object) -> None:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, signal.SIG_IGN)
        raise _Stop

    before = {number: signal.signal(number, stop) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    except _Stop:
        pass
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
