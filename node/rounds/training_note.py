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

from node.rounds.features import FeaturesProgress
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


@dataclass(frozen=True, slots=True)
class FeaturesNote:
    """How far a site is with what comes before its training: words that go through the front for the first time."""

    done: int
    """Words, of those that were not cached."""
    total: int
    seconds_left: int
    """By the pace so far; the training comes after."""

    @property
    def percent(self) -> int:
        """Of those words, 0 … 100."""
        return 100 * self.done // self.total

    def sentence(self) -> str:
        """The note for a person."""
        return f"computing features, {self.done} of {self.total} words, {_about(self.seconds_left)} left"


@contextmanager
def training_noted(
    journal: Journal, round_id: RoundId, clock: Callable[[], float] = time.time
) -> Iterator[Callable[[TrainingProgress | FeaturesProgress], None]]:
    """Keeps the note of one training, and takes it away at the end of the block.

    Args:
        journal: Where the note is.
        round_id: The round that is trained for.
        clock: Seconds since 1970 of this machine.

    Yields:
        What to call after each step and each batch of features. Few calls write: the first and the last of either, and
        one in ``HEARTBEAT_SECONDS``.
    """
    noted_at = -math.inf

    def note(progress: TrainingProgress | FeaturesProgress) -> None:
        nonlocal noted_at
        done, total = _share(progress)
        # Negative where the training begins: it counts its seconds anew.
        if 0 <= progress.elapsed_seconds - noted_at < HEARTBEAT_SECONDS and done < total:
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


def training_note(journal: Journal, round_id: RoundId, now: int) -> TrainingNote | FeaturesNote | None:
    """The note of a training that runs at ``now``, seconds since 1970 of this machine; None when none does."""
    fields = cast("dict[str, int] | None", journal.get(_key(round_id)))
    # A clock that was set back must not keep a dead training alive.
    if fields is None or not fields["at"] <= now <= fields["holds_until"]:
        return None
    if "total" in fields:
        return FeaturesNote(done=fields["done"], total=fields["total"], seconds_left=fields["seconds_left"])
    return TrainingNote(
        epoch=fields["epoch"],
        epochs=fields["epochs"],
        percent=fields["percent"],
        seconds_left=fields["seconds_left"],
    )


def _share(progress: TrainingProgress | FeaturesProgress) -> tuple[int, int]:
    """Steps or words, and of how many."""
    if isinstance(progress, FeaturesProgress):
        return progress.done, progress.total
    return progress.step, progress.steps


def _value(progress: TrainingProgress | FeaturesProgress, now: int) -> dict[str, JSONValue]:
    done, total = _share(progress)
    seconds_each = progress.elapsed_seconds / done
    value: dict[str, JSONValue] = {
        "at": now,
        "holds_until": now + GRACE_SECONDS + math.ceil(_GRACE_STEPS * seconds_each),
        "seconds_left": round(seconds_each * (total - done)),
    }
    if isinstance(progress, FeaturesProgress):
        return value | {"done": done, "total": total}
    return value | {"epoch": progress.epoch, "epochs": progress.epochs, "percent": 100 * done // total}


def _about(seconds: int) -> str:
    if seconds < 10:
        return "a few seconds"
    if seconds < 90:
        return f"about {5 * round(seconds / 5)} s"
    return f"about {round(seconds / 60)} min" if seconds < 5400 else f"about {round(seconds / 3600)} h"


def _key(round_id: RoundId) -> str:
    return f"training/{round_id.lineage_id.hex()}/{round_id.number:08d}"
