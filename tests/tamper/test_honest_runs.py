"""No alarm without a fire: honest networks of every shape are replayed, with the key and without it."""

from __future__ import annotations

from collections import Counter

import pytest

from audit.findings import Outcome, ReplayFinding
from protocol import ledger_events as ev
from tests.audit.stage import run
from tests.tamper.honest_runs import Story, honest_run


def findings_of(story: Story) -> tuple[ReplayFinding, ReplayFinding]:
    return run(story, keys=tuple(story.keys)), run(story, keyless=True)


@pytest.mark.parametrize("seed", range(25))
def test_an_honest_run_gives_no_alarm(seed: int) -> None:
    for finding in findings_of(honest_run(seed)):
        assert finding.all_differences == ()
        assert finding.all_missing == ()


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_a_thousand_honest_runs_give_no_alarm_and_everything_happens_in_them() -> None:
    outcomes: Counter[Outcome] = Counter()
    ends: Counter[type] = Counter()
    codes: Counter[int] = Counter()
    for seed in range(1000):
        story = honest_run(seed)
        for finding in findings_of(story):
            assert finding.same, (seed, finding.all_differences, finding.all_missing)
            outcomes.update(round_.outcome for round_ in finding.rounds)
        ends.update(type(entry.event) for entry in story.events)
        for entry in story.events:
            if isinstance(entry.event, ev.RoundFinalized | ev.RoundFailed):
                codes.update(entry.event.codes)
    assert set(outcomes) == {Outcome.SAME, Outcome.ABORTED, Outcome.LIVE}
    assert set(ends) >= set(ev.LedgerEvent.__args__) - {ev.SuiteSealed}
    assert set(codes) >= {0, 1, 10, 30, 40, 41, 50, 61, 70, 80, 90, 100, 101, 111}
