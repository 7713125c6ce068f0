"""The rounds screen: how far a training is, and how well each round's models read here."""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import Any

import pytest

from learning.evaluation import score_of
from learning.training import TrainingProgress
from node.page.accuracy import accuracy_of
from node.page.plot import Look, Point, Series, line_plot, plot_legend
from node.rounds.global_models import ModelRecord
from node.rounds.records import RoundRecord, Stage
from node.rounds.training_note import training_noted
from protocol.identifiers import CID, Digest, RoundId
from protocol.plan import TrainingSettings
from tests.node.page.page_world import PageWorld

HALF = {"training": {"min_examples": 1, "held_out_percent": 50}}


@pytest.fixture
def page(tmp_path: Path) -> PageWorld:
    page = PageWorld(tmp_path / "data", settings=HALF)
    page.world.start()
    page.world.settle()
    return page


def seen(page: PageWorld, number: int, correct: int, kept: int, *, total: int = 20) -> None:
    """A global model that the site scored: adopted unless it reads fewer words right."""
    record = ModelRecord(
        round=number,
        digest=Digest.zero(),
        cid=CID.zero(),
        adopted=correct >= kept,
        correct=correct,
        kept_correct=kept,
        total=total,
    )
    page.parts.models.record(page.world.lineage_id, record)


def trained(page: PageWorld, number: int, correct: int, total: int = 20) -> None:
    """A round whose update the site scored by itself."""
    round_id = RoundId(page.world.lineage_id, number)
    page.world.running.rounds.put(RoundRecord(round_id, Stage.PINNED, own_score=score_of(correct, total)))


def points(*shares: float) -> tuple[Point, ...]:
    return tuple(Point(number, share, 0.0, 1.0) for number, share in enumerate(shares, start=1))


def test_the_running_round_shows_how_far_the_training_is(tmp_path: Path) -> None:
    page = PageWorld(tmp_path / "data", settings=HALF, clock=time.time)
    client, world = page.client("olga"), page.world
    shown: list[str] = []
    world.start(lambda _round, _step: shown.append(client.get("/rounds/now").text))
    world.settle()
    world.open_round(training=TrainingSettings(2, 4, "0.002", "5", 7))
    world.loop.step()
    assert "Training, epoch 1 of 2, " in shown[0]
    assert 'aria-label="Training for round 1"' in shown[0]
    assert '<progress max="100" value="100"' in shown[-1]
    text = client.get("/rounds/now").text
    assert "<progress" not in text
    assert "alone it reads" in text


def test_a_dead_training_is_not_shown(page: PageWorld) -> None:
    client, world = page.client("olga"), page.world
    world.open_round()
    note = training_noted(world.journal, world.view(1).round_id, page.now).__enter__()
    note(TrainingProgress(1, 2, 3, 10, 0.5, 6.0))
    assert "Training, epoch 1 of 2, 30 %, about 15 s left" in client.get("/rounds/now").text
    page.time += 60
    text = client.get("/rounds/now").text
    assert "<progress" not in text
    assert "Open for this site" in text


def test_three_scores_a_round_are_drawn_and_told(page: PageWorld) -> None:
    seen(page, 1, 12, 9)
    trained(page, 1, 11)
    seen(page, 2, 10, 12)
    trained(page, 2, 13)
    found = accuracy_of(page.world.journal, page.parts.models, page.world.lineage_id)
    second, first = found.rounds[:2]
    assert (first.new, first.own, first.used, first.here) == (score_of(12, 20), score_of(11, 20), first.new, "adopted")
    assert (second.new, second.own, second.here) == (score_of(10, 20), score_of(13, 20), "kept back")
    assert second.used == score_of(12, 20)
    text = page.client("olga").get("/rounds").text
    for look in ("global", "own", "used"):
        assert f'class="line {look}"' in text
    row = re.search(r'<tr><td data-name="Round">2</td>.*?</tr>', text, re.DOTALL)
    assert row is not None
    assert re.findall(r"\d+ of 20 \(\d+%\)", row[0]) == ["10 of 20 (50%)", "13 of 20 (65%)", "12 of 20 (60%)"]


def test_a_round_that_is_not_scored_yet_shows_the_update_alone(page: PageWorld) -> None:
    trained(page, 1, 11)
    newest = accuracy_of(page.world.journal, page.parts.models, page.world.lineage_id).rounds[0]
    assert (newest.round, newest.own, newest.new, newest.used, newest.here) == (1, score_of(11, 20), None, None, "")


def test_without_held_out_words_there_is_no_plot_and_no_crash(tmp_path: Path) -> None:
    page = PageWorld(tmp_path / "data", settings={"training": {"min_examples": 1, "held_out_percent": 0}})
    world = page.world
    world.start()
    world.settle()
    world.open_round()
    world.settle()
    world.others_register()
    world.finish()
    world.settle()
    text = page.client("olga").get("/rounds").text
    assert "finalized" in text
    assert "<svg" not in text
    assert "No model was scored here yet" in text


def test_lines_differ_by_more_than_colour() -> None:
    looks: tuple[Look, ...] = ("global", "own", "used")
    drawn = [str(line_plot("Shares", (Series("A", look, points(0.2, 0.4)),))) for look in looks]
    shapes = [{name for name in ("circle", "path", "rect") if f"<{name} " in svg} for svg in drawn]
    assert shapes == [{"circle"}, {"path"}, {"rect"}]


def test_the_legend_names_what_is_drawn_and_escapes_it() -> None:
    legend = str(plot_legend((Series("<b>", "global", points(0.2)), Series("nothing", "own", ()))))
    assert "&lt;b&gt;" in legend
    assert "nothing" not in legend


@pytest.mark.parametrize("count", [1, 2, 12, 100])
def test_a_plot_of_any_length_stays_in_its_frame(count: int) -> None:
    line: Any = points(*[number % 2 for number in range(count)])
    svg = str(line_plot("Shares", (Series("A", "used", line), Series("B", "global", line))))
    xs = [float(x) for x in re.findall(r'(?:cx|x|x1|x2)="(-?[\d.]+)"', svg)]
    assert 0 <= min(xs) <= max(xs) <= 560
    assert svg.count("tick middle") <= 9
