"""Pictures of what was tried, kept in memory for as long as somebody looks at the screen, each for who asked."""

from __future__ import annotations

import secrets
import threading
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

KEPT_SECONDS = 180.0
_MAX_BYTES = 32 << 20


@dataclass(frozen=True, slots=True)
class _Kept:
    owner: bytes
    png: bytes
    at: float
    """When, on the steady clock."""


class TryPictures:
    """The newest pictures, 32 MiB of them and three minutes long. They never touch the disk.

    Args:
        clock: Seconds of a steady clock.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._kept: OrderedDict[str, _Kept] = OrderedDict()
        self._lock = threading.Lock()

    def keep(self, owner: bytes, pictures: Iterable[bytes]) -> list[str]:
        """Keeps PNGs for a user; returns the name by which each is asked for, which nobody can guess."""
        names = []
        with self._lock:
            self._forget_old()
            for png in pictures:
                names.append(secrets.token_urlsafe(16))
                self._kept[names[-1]] = _Kept(owner, png, self._clock())
            while sum(len(kept.png) for kept in self._kept.values()) > _MAX_BYTES:
                self._kept.popitem(last=False)
        return names

    def of(self, owner: bytes, name: str) -> bytes | None:
        """A picture; None when it was forgotten, or is another user's."""
        with self._lock:
            self._forget_old()
            kept = self._kept.get(name)
        return kept.png if kept is not None and kept.owner == owner else None

    def forget_old(self) -> None:
        """Drops the pictures that were kept long enough, also when nobody asks for another."""
        with self._lock:
            self._forget_old()

    def _forget_old(self) -> None:
        now = self._clock()
        for name in [name for name, kept in self._kept.items() if now - kept.at >= KEPT_SECONDS]:
            del self._kept[name]
