"""The states of a round and what may follow what (docs/spec/round.md); the contract enforces the same table."""

from __future__ import annotations

from enum import IntEnum


class RoundState(IntEnum):
    """Numbers equal the contract's."""

    NONE = 0
    OPEN = 1
    CLOSED = 2
    """Follows from time or from the last registration; no transaction closes a round."""
    FINALIZED = 3
    FAILED = 4
    ABORTED = 5


TRANSITIONS: frozenset[tuple[RoundState, RoundState]] = frozenset(
    {
        (RoundState.NONE, RoundState.OPEN),
        (RoundState.OPEN, RoundState.CLOSED),
        (RoundState.CLOSED, RoundState.FINALIZED),
        (RoundState.CLOSED, RoundState.FAILED),
        (RoundState.CLOSED, RoundState.ABORTED),
    }
)
