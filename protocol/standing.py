"""Where a site or a round stands, with the contract's enum integers (contracts/interfaces)."""

from __future__ import annotations

from enum import IntEnum


class SiteStatus(IntEnum):
    """A site's standing. Left is final."""

    NONE = 0
    ACTIVE = 1
    SUSPENDED = 2
    LEFT = 3


class RoundState(IntEnum):
    """A round's state (docs/spec/round.md). Closed is Open past its deadline or with all registered."""

    NONE = 0
    OPEN = 1
    CLOSED = 2
    FINALIZED = 3
    FAILED = 4
    ABORTED = 5
