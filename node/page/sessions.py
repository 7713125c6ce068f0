"""Sessions of logged-in users, in memory: when the page's process ends, everybody logs in again."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import threading
from dataclasses import dataclass, field, replace

IDLE_SECONDS = 30 * 60
LONGEST_SECONDS = 12 * 3600
_TOKEN_BYTES = 32


@dataclass(frozen=True, slots=True)
class Session:
    """A log-in that has not ended."""

    user_id: bytes
    version: int
    """Of the user when they logged in."""
    csrf: str = field(repr=False)
    """What every form of this session carries."""
    began_at: int
    """Seconds since 1970."""
    seen_at: int
    """Seconds since 1970."""

    def ended(self, now: int) -> bool:
        """Whether it was idle for half an hour, or is twelve hours old."""
        return now - self.seen_at > IDLE_SECONDS or now - self.began_at > LONGEST_SECONDS

    def takes(self, token: str) -> bool:
        """Whether a form carries this session's token."""
        return hmac.compare_digest(self.csrf.encode("ascii"), token.encode("utf-8", "replace"))


class Sessions:
    """All sessions of the process, by the digest of the token that the browser keeps."""

    def __init__(self) -> None:
        self._of: dict[bytes, Session] = {}
        self._lock = threading.Lock()

    def begin(self, user_id: bytes, version: int, now: int) -> str:
        """Begins a session; returns the token for the browser."""
        token = secrets.token_urlsafe(_TOKEN_BYTES)
        session = Session(user_id, version, secrets.token_urlsafe(_TOKEN_BYTES), now, now)
        with self._lock:
            self._of = {key: kept for key, kept in self._of.items() if not kept.ended(now)}
            self._of[_digest(token)] = session
        return token

    def find(self, token: str, now: int, *, by_person: bool) -> Session | None:
        """The session of a token.

        Args:
            token: Of the browser's cookie.
            now: Seconds since 1970.
            by_person: Whether a person asks, so that the session is not idle; a screen that refreshes itself is none.
        """
        key = _digest(token)
        with self._lock:
            session = self._of.get(key)
            if session is None or session.ended(now):
                self._of.pop(key, None)
                return None
            if by_person:
                self._of[key] = session = replace(session, seen_at=now)
            return session

    def end(self, token: str) -> None:
        """Ends a session."""
        with self._lock:
            self._of.pop(_digest(token), None)


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "replace")).digest()
