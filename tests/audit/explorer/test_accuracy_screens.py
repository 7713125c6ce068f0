"""What the explorer shows of a scores file: a chart, a column, sentences, and whose word it is."""

from __future__ import annotations

import re
from html import unescape

import pytest
from fastapi.testclient import TestClient

from audit.accuracy import Accuracy, ScoredModel
from audit.explorer.charts import Point, interval_chart
from audit.lineage import generations
from protocol.history import History
from tests.audit.explorer.made_up import (
    ABORTED,
    FAILED,
    MadeUpNetwork,
    ToldChain,
    app_of,
    chronicle_of,
    digest,
    lineage_id,
)
from tests.audit.explorer.made_up_scores import WORDS, made_up_scores

ROUNDS, UNSCORED = 12, 10


@pytest.fixture(scope="module")
def network() -> MadeUpNetwork:
    return MadeUpNetwork(ROUNDS, 4)


@pytest.fixture(scope="module")
def accuracy(network: MadeUpNetwork) -> Accuracy:
    return Accuracy([made_up_scores(network, ToldChain(network.events).identity, without={UNSCORED})])


@pytest.fixture(scope="module")
def scored(network: MadeUpNetwork, accuracy: Accuracy) -> dict[int | None, ScoredModel]:
    """How each model reads, by its round."""
    models = generations(History(network.events).lineages[lineage_id()])
    found = {model.round: accuracy.of(lineage_id(), model.digest, model.parent) for model in models}
    return {number: one for number, one in found.items() if one is not None}


@pytest.fixture(scope="module")
def client(network: MadeUpNetwork, accuracy: Accuracy, tmp_path_factory: pytest.TempPathFactory) -> TestClient:
    chronicle = chronicle_of(ToldChain(network.events), tmp_path_factory.mktemp("explorer"))
    return TestClient(app_of(chronicle, network.names, accuracy), base_url="http://127.0.0.1")


def text_of(page: str) -> str:
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", page)).split())


def test_the_overview_draws_a_point_for_each_model_that_was_scored(
    client: TestClient, scored: dict[int | None, ScoredModel]
) -> None:
    assert set(scored) == {None, *range(1, ROUNDS)} - {FAILED, ABORTED, UNSCORED}
    page = client.get("/").text
    chart = page.partition('aria-label="Words read right')[2].partition("</svg>")[0]
    points = re.findall(r'/(\d+)" tabindex="-1"><title>([^<]+)</title>.*?class="share ([a-z]+)"', chart)
    expected = []
    for number, one in scored.items():
        if number is not None:
            unsure = one.movement is not None and not one.movement.more_than_chance
            expected.append((str(number), f"Round {number}: {one.sentence}", "unsure" if unsure else "sure"))
    assert points == expected
    assert chart.count('class="level"') == 1


def test_the_table_has_a_column_for_it_and_says_whose_word_it_is(
    client: TestClient, scored: dict[int | None, ScoredModel]
) -> None:
    page = client.get("/").text
    table = page.partition("The same as a table")[2].partition("</table>")[0]
    cells = re.findall(r'data-name="Read right" class="number">(\d+\.\d) %', table)
    assert cells == [f"{100 * one.share:.1f}" for number, one in reversed(scored.items()) if number is not None]
    assert f"Scored on {WORDS} words (digest {digest('words')})" in text_of(page)
    assert "Accuracy is not on the chain" not in page


def test_rounds_and_models_are_told_with_how_they_read(
    client: TestClient, scored: dict[int | None, ScoredModel]
) -> None:
    for number, one in scored.items():
        model = client.get(f"/model/{one.score.model_digest}").text
        assert f"{one.sentence}." in text_of(model)
        assert "by whoever made the scores file" in model
        if number is not None:
            page = text_of(client.get(f"/round/{lineage_id()}/{number}").text)
            assert f"Accuracy {one.sentence}." in page
            assert f"It reads {one.sentence}." in page


def test_a_model_that_was_not_scored_is_said_to_be_so(client: TestClient) -> None:
    for path in (f"/round/{lineage_id()}/{UNSCORED}", f"/model/{digest('model', UNSCORED)}"):
        assert "The scores file does not say how well it reads" in text_of(client.get(path).text)
    assert "Accuracy" not in text_of(client.get(f"/round/{lineage_id()}/{FAILED}").text)


def test_a_chart_of_no_share_is_none_and_every_point_is_inside() -> None:
    assert interval_chart("empty", [Point(1, "/", "", None)], 0.5) == ""
    points = [Point(1, "/", "", 0.0, 0.0, 0.3), Point(2, "/", "", None), Point(3, "/", "", 1.0, 0.7, 1.0)]
    drawn = interval_chart("two", points, None)
    assert [float(y) for y in re.findall(r'cy="([\d.]+)"', drawn)] == [156.0, 12.0]
    narrow = interval_chart("narrow", [Point(1, "/", "", 0.5, 0.5, 0.5)], 0.5)
    assert re.findall(r">(\d+)<", narrow) == ["50", "55", "60", "1"]
