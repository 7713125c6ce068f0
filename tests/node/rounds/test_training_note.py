"""node/rounds/training_note.py: a training tells how far it is, and a dead one tells nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from gateways.journal import Journal
from learning.training import TrainingProgress
from node.rounds.features import FeaturesProgress
from node.rounds.training_note import (
    GRACE_SECONDS,
    HEARTBEAT_SECONDS,
    FeaturesNote,
    TrainingNote,
    training_note,
    training_noted,
)
from protocol.errors import LearningError, StoreError
from protocol.identifiers import RoundId, lineage_id_of

ROUND = RoundId(lineage_id_of("tests"), 4)
NOW = 1_800_000_000


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    return Journal(tmp_path / "journal.sqlite")


def after(step: int, *, seconds: float, steps: int = 300) -> TrainingProgress:
    """A training of three epochs, after one of its steps."""
    return TrainingProgress(1 + 3 * (step - 1) // steps, 3, step, steps, 0.5, seconds)


def diverge(journal: Journal) -> None:
    with training_noted(journal, ROUND, lambda: NOW) as note:
        note(after(1, seconds=0.3))
        raise LearningError("diverged")


class CountingJournal:
    """Counts what is written."""

    def __init__(self, journal: Journal) -> None:
        self.written = 0
        self.forget = journal.forget

    def record(self, _key: str, _value: Any) -> None:
        self.written += 1


class FullJournal(CountingJournal):
    """On a full disk."""

    def record(self, _key: str, _value: Any) -> None:
        raise StoreError("the disk is full")


def test_a_running_training_says_epoch_share_and_time_left(journal: Journal) -> None:
    with training_noted(journal, ROUND, lambda: NOW) as note:
        note(after(183, seconds=61.0))
        found = training_note(journal, ROUND, NOW + 1)
        assert found == TrainingNote(epoch=2, epochs=3, percent=61, seconds_left=39)
        assert found.sentence() == "training, epoch 2 of 3, 61 %, about 40 s left"


def test_features_that_are_computed_first_say_how_many_and_the_time_left(journal: Journal) -> None:
    with training_noted(journal, ROUND, lambda: NOW) as note:
        note(FeaturesProgress(320, 3000, 9.6))
        found = training_note(journal, ROUND, NOW + 1)
        assert found == FeaturesNote(done=320, total=3000, seconds_left=80)
        assert (found.percent, found.sentence()) == (10, "computing features, 320 of 3000 words, about 80 s left")


def test_the_first_step_after_the_features_is_told_at_once(journal: Journal) -> None:
    with training_noted(journal, ROUND, lambda: NOW) as note:
        note(FeaturesProgress(3000, 3000, 90.0))
        note(after(1, seconds=0.4))
        assert isinstance(training_note(journal, ROUND, NOW), TrainingNote)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0, "a few seconds left"), (89, "about 90 s left"), (150, "about 2 min left"), (7200, "about 2 h left")],
)
def test_the_time_left_is_said_as_exactly_as_it_is_known(seconds: int, words: str) -> None:
    assert TrainingNote(1, 1, 5, seconds).sentence().endswith(words)


def test_the_note_goes_when_the_training_ends_well_or_not(journal: Journal) -> None:
    with training_noted(journal, ROUND, lambda: NOW) as note:
        note(after(300, seconds=100.0))
        assert training_note(journal, ROUND, NOW) is not None
    assert training_note(journal, ROUND, NOW) is None
    with pytest.raises(LearningError):
        diverge(journal)
    assert training_note(journal, ROUND, NOW) is None


def test_the_note_of_a_killed_daemon_goes_stale(journal: Journal) -> None:
    note = training_noted(journal, ROUND, lambda: NOW)
    note.__enter__()(after(100, seconds=100.0))
    assert training_note(journal, ROUND, NOW + GRACE_SECONDS) is not None
    assert training_note(journal, ROUND, NOW + GRACE_SECONDS + 4) is None


def test_a_training_whose_steps_are_slow_is_not_taken_for_dead(journal: Journal) -> None:
    with training_noted(journal, ROUND, lambda: NOW) as note:
        note(after(10, seconds=600.0))
        assert training_note(journal, ROUND, NOW + 120) is not None


def test_a_note_from_the_future_is_not_believed(journal: Journal) -> None:
    with training_noted(journal, ROUND, lambda: NOW) as note:
        note(after(10, seconds=1.0))
        assert training_note(journal, ROUND, NOW - 3600) is None


def test_another_round_has_no_note(journal: Journal) -> None:
    with training_noted(journal, ROUND, lambda: NOW) as note:
        note(after(10, seconds=1.0))
        assert training_note(journal, RoundId(ROUND.lineage_id, 5), NOW) is None
        assert training_note(journal, RoundId(lineage_id_of("others"), 4), NOW) is None


def test_most_steps_write_nothing(journal: Journal) -> None:
    counting: Any = CountingJournal(journal)
    with training_noted(counting, ROUND, lambda: NOW) as note:
        for step in range(1, 1001):
            note(after(step, seconds=step / 100, steps=1000))
    # One at the first step, one each heartbeat of the ten seconds, one at the last step.
    assert counting.written <= 2 + 10 / HEARTBEAT_SECONDS


def test_a_disk_that_takes_no_note_does_not_end_the_training(journal: Journal) -> None:
    full: Any = FullJournal(journal)
    with training_noted(full, ROUND, lambda: NOW) as note:
        note(after(1, seconds=0.1))
        note(after(300, seconds=9.0))
