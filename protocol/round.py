"""What may follow what in the life of a round (docs/spec/round.md); the contract enforces the same table."""

from __future__ import annotations

from protocol.standing import RoundState

__all__ = ["MAX_ROUND_SECONDS", "TRANSITIONS", "RoundState"]

MAX_ROUND_SECONDS = 90 * 86_400
"""From a round's opening to its ``attest_by``; the contract holds the same bound, so that no aggregator can hold a
lineage up for good."""

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
