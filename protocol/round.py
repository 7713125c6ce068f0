"""What may follow what in the life of a round (docs/spec/round.md); the contract enforces the same table."""

from __future__ import annotations

from protocol.standing import RoundState

__all__ = ["TRANSITIONS", "RoundState"]

TRANSITIONS: frozenset[tuple[RoundState, RoundState]] = frozenset(
    {
        (RoundState.NONE, RoundState.OPEN),
        # Follows from time or from the last registration; no transaction closes a round.
        (RoundState.OPEN, RoundState.CLOSED),
        (RoundState.CLOSED, RoundState.FINALIZED),
        (RoundState.CLOSED, RoundState.FAILED),
        (RoundState.CLOSED, RoundState.ABORTED),
    }
)
