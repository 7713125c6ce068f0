"""How often something may be asked: a sliding window for each kind and asker, in memory."""

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
