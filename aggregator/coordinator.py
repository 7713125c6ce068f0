"""What is next, from the chain and the journal: one pass over all lineages at a time.

Nothing is remembered in memory that a restart would miss; ``now`` is the head block's.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import structlog

from aggregator.models import Models
from aggregator.opening import Opener
from aggregator.parts import Parts
from aggregator.round_keys import RoundKeys
from aggregator.settings import LineageSettings
from aggregator.tending import RoundTender
from gateways.chain_follower import ChainFollower
from protocol.errors import (
    BlockStoreError,
    BlockStoreUnavailableError,
    ConfigError,
    FederationError,
    LedgerError,
    LedgerUnavailableError,
    MalformedError,
    VerificationError,
    WrongChainError,
)
from protocol.history import History, LineageView, RoundView

logger = structlog.get_logger(__name__)

_LONGEST_REST_SECONDS = 120.0


@dataclass(slots=True)
class _Rest:
    """After a failure in one lineage: when it is tried again."""

    failures: int = 0
    until: float = 0.0


class Coordinator:
    """Runs the lineages of one aggregator.

    Args:
        parts: The aggregator's.
        clock: Monotonic seconds, for pauses after failures.
    """

    def __init__(self, parts: Parts, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._parts = parts
        self._clock = clock
        self._follower = ChainFollower(parts.ledger)
        self._keys = RoundKeys(parts)
        models = Models(parts)
        self._opener = Opener(parts, models)
        self._tender = RoundTender(parts, self._keys, models)
        self._rests: dict[str, _Rest] = {}

    def step(self) -> bool:
        """One pass; says whether anything moved, so that another pass may find more to do at once.

        Raises:
            LedgerUnavailableError: No answer from the RPC endpoint; retry is safe.
            BlockStoreUnavailableError: No answer from IPFS; retry is safe.
            StoreError: This machine's disk or journal refuses.
        """
        history = self._follower.sync()
        now = self._follower.head.timestamp
        moved = False
        for settings in self._parts.settings.lineages:
            moved = self._step_lineage(history, settings, now) or moved
        return self._keys.destroy_expired(history, now) or moved

    def _step_lineage(self, history: History, settings: LineageSettings, now: int) -> bool:
        lineage = history.lineages.get(settings.lineage_id)
        rest = self._rests.setdefault(settings.slug, _Rest())
        if self._clock() < rest.until:
            return False
        if lineage is None:
            self._take_rest(settings.slug, rest, ConfigError("the governor has not created this lineage"))
            return False
        try:
            moved = self._advance(history, lineage, settings, now)
        except (LedgerUnavailableError, BlockStoreUnavailableError, WrongChainError):
            raise
        except (LedgerError, BlockStoreError, MalformedError, VerificationError) as error:
            # What is wrong with one lineage must not stop the others.
            self._take_rest(settings.slug, rest, error)
            return False
        rest.failures = 0
        return moved

    def _advance(self, history: History, lineage: LineageView, settings: LineageSettings, now: int) -> bool:
        for view in self._rounds_to_tend(lineage, settings):
            if self._tender.tend(history, lineage, view, settings, now):
                return True
        if self._keys.announce(history, lineage, settings):
            return True
        return lineage.live_round() is None and self._opener.open_next(history, lineage, settings, now)

    def _rounds_to_tend(self, lineage: LineageView, settings: LineageSettings) -> list[RoundView]:
        """The live round, and those whose keys still exist: their results are compared, whoever attested them."""
        numbers = set(self._keys.numbers(settings.slug)) & lineage.rounds.keys()
        if lineage.live_round() is not None:
            numbers.add(lineage.last_round)
        return [lineage.rounds[number] for number in sorted(numbers, reverse=True)]

    def _take_rest(self, slug: str, rest: _Rest, error: FederationError) -> None:
        pause_seconds = min(_LONGEST_REST_SECONDS, 2.0**rest.failures)
        rest.failures = min(rest.failures + 1, 30)
        rest.until = self._clock() + pause_seconds
        logger.warning(
            "lineage.rests", lineage=slug, seconds=pause_seconds, error=type(error).__name__, what=str(error)
        )
