"""How often something may be asked, a sliding window for each kind and asker, and how many bytes may be in flight."""

from __future__ import annotations

import threading
from collections import OrderedDict, deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True, slots=True)
class Limit:
    """So many times in so many seconds."""

    times: int
    seconds: float


ANY_REQUEST = Limit(1200, 60.0)
"""Of one network address. A review page with forty words asks for about fifty pictures."""
LOG_IN = Limit(10, 300.0)
"""Of one network address."""
LOG_IN_AS = Limit(5, 900.0)
"""Of one network address as one user: whoever guesses elsewhere does not lock the user out here."""
UPLOAD = Limit(120, 600.0)
"""Of one user."""
_MOST_ASKERS = 10_000


class RateLimits:
    """Counts requests.

    Args:
        clock: Seconds of a steady clock.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._seen: OrderedDict[tuple[Limit, str], deque[float]] = OrderedDict()

    def allow(self, limit: Limit, asker: str) -> bool:
        """Counts one request; False when there were too many, and then it is not counted."""
        now = self._clock()
        with self._lock:
            times = self._seen.setdefault((limit, asker), deque())
            self._seen.move_to_end((limit, asker))
            while times and now - times[0] >= limit.seconds:
                times.popleft()
            if len(self._seen) > _MOST_ASKERS:
                self._seen.popitem(last=False)
            if len(times) >= limit.times:
                return False
            times.append(now)
            return True

    def give_back(self, limit: Limit, asker: str) -> None:
        """Takes the newest request of an asker out of the count: it was rightful."""
        with self._lock:
            times = self._seen.get((limit, asker))
            if times:
                times.pop()


class ByteBudget:
    """Bytes that all requests together may hold.

    Args:
        max_bytes: At the same time.
    """

    def __init__(self, max_bytes: int) -> None:
        self._free = max_bytes
        self._lock = threading.Lock()

    def take(self, size: int) -> bool:
        """Takes bytes; False when fewer are free, and then none are taken."""
        with self._lock:
            if size > self._free:
                return False
            self._free -= size
            return True

    def give_back(self, size: int) -> None:
        """Gives back what was taken."""
        with self._lock:
            self._free += size
