"""How far a training is, for whoever asks while it runs: a note in the journal that goes stale by itself.

A killed daemon cannot take its note back, so each note says until when it holds.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import structlog

from protocol.errors import StoreError

if TYPE_CHECKING:
    from gateways.journal import Journal
    from learning.training import TrainingProgress
    from protocol.canonical_json import JSONValue
    from protocol.identifiers import RoundId

logger = structlog.get_logger(__name__)

HEARTBEAT_SECONDS = 2.0
"""Between two notes of one training: each one is a commit to the disk."""
GRACE_SECONDS = 15
"""How long a note holds without the next one, beside the time of a few steps."""
_GRACE_STEPS = 3


@dataclass(frozen=True, slots=True)
class TrainingNote:
    """How far the training of one round is."""

    epoch: int
    """1-based."""
    epochs: int
    percent: int
    """Of the steps of all epochs, 0 … 100."""
    seconds_left: int
    """By the pace so far."""

    def sentence(self) -> str:
        """The note for a person."""
        return f"training, epoch {self.epoch} of {self.epochs}, {self.percent} %, {_about(self.seconds_left)} left"


@contextmanager
def training_noted(
    journal: Journal, round_id: RoundId, clock: Callable[[], float] = time.time
) -> Iterator[Callable[[TrainingProgress], None]]:
    """Keeps the note of one training, and takes it away at the end of the block.

    Args:
        journal: Where the note is.
        round_id: The round that is trained for.
        clock: Seconds since 1970 of this machine.

    Yields:
        What to call after each step. Few calls write: the first, the last, and one in ``HEARTBEAT_SECONDS``.
    """
    noted_at = -math.inf

    def note(progress: TrainingProgress) -> None:
        nonlocal noted_at
        if progress.elapsed_seconds - noted_at < HEARTBEAT_SECONDS and progress.step < progress.steps:
            return
        noted_at = progress.elapsed_seconds
        try:
            journal.record(_key(round_id), _value(progress, int(clock())))
        except StoreError as error:
            # A training is worth more than the news of it.
            logger.warning("round.progress_not_noted", round=round_id.number, reason=str(error))

    try:
        yield note
    finally:
        journal.forget(_key(round_id))


def training_note(journal: Journal, round_id: RoundId, now: int) -> TrainingNote | None:
    """The note of a training that runs at ``now``, seconds since 1970 of this machine; None when none does."""
    fields = cast("dict[str, int] | None", journal.get(_key(round_id)))
    # A clock that was set back must not keep a dead training alive.
    if fields is None or not fields["at"] <= now <= fields["holds_until"]:
        return None
    return TrainingNote(
        epoch=fields["epoch"],
        epochs=fields["epochs"],
        percent=fields["percent"],
        seconds_left=fields["seconds_left"],
    )


def _value(progress: TrainingProgress, now: int) -> dict[str, JSONValue]:
    seconds_a_step = progress.elapsed_seconds / progress.step
    return {
        "at": now,
        "holds_until": now + GRACE_SECONDS + math.ceil(_GRACE_STEPS * seconds_a_step),
        "epoch": progress.epoch,
        "epochs": progress.epochs,
        "percent": 100 * progress.step // progress.steps,
        "seconds_left": round(seconds_a_step * (progress.steps - progress.step)),
    }


def _about(seconds: int) -> str:
    if seconds < 10:
        return "a few seconds"
    if seconds < 90:
        return f"about {5 * round(seconds / 5)} s"
    return f"about {round(seconds / 60)} min" if seconds < 5400 else f"about {round(seconds / 3600)} h"


def _key(round_id: RoundId) -> str:
    return f"training/{round_id.lineage_id.hex()}/{round_id.number:08d}"
