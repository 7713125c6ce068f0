"""How well each round's models read at this site: three scores a round, as a plot and as a table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from learning.evaluation import Score, score_of
from node.page.plot import Point, Series, line_plot, plot_legend
from node.rounds.records import records_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from markupsafe import Markup

    from gateways.journal import Journal
    from node.rounds.global_models import GlobalModels, ModelRecord
    from protocol.identifiers import LineageId

_TITLE = "Share of this site's held-out words read right, round by round; the table below has the numbers"


@dataclass(frozen=True, slots=True)
class RoundScores:
    """Held-out words that were read right in one round; None where nothing was scored."""

    round: int
    own: Score | None
    """By the round's parent model and this site's update alone."""
    new: Score | None
    """By the round's global model."""
    used: Score | None
    """By the model that the site reads with since."""
    here: str
    """What the site made of the global model; empty before it has one."""


@dataclass(frozen=True, slots=True)
class Accuracy:
    """The scores of one lineage."""

    plot: Markup
    """Empty when nothing was scored."""
    legend: Markup
    rounds: tuple[RoundScores, ...]
    """Newest first."""


def accuracy_of(journal: Journal, models: GlobalModels, lineage_id: LineageId) -> Accuracy:
    """What the site scored in a lineage, from its journal."""
    seen = {record.round: record for record in models.records(lineage_id)}
    own = {record.round_id.number: record.own_score for record in records_of(journal, lineage_id) if record.own_score}
    rounds = [_scores(number, own.get(number), seen.get(number)) for number in sorted(seen.keys() | own.keys())]
    series = (
        Series("New global model", "global", _points(rounds, lambda scores: scores.new)),
        Series("This site's update alone", "own", _points(rounds, lambda scores: scores.own)),
        Series("Model in use here", "used", _points(rounds, lambda scores: scores.used)),
    )
    return Accuracy(line_plot(_TITLE, series), plot_legend(series), tuple(reversed(rounds)))


def _scores(number: int, own: Score | None, record: ModelRecord | None) -> RoundScores:
    if record is None:
        return RoundScores(number, own, None, None, "")
    here = "adopted" if record.adopted else record.reason or "kept back"
    if not record.total:
        return RoundScores(number, own, None, None, here)
    used = record.correct if record.adopted else record.kept_correct
    return RoundScores(number, own, score_of(record.correct, record.total), score_of(used, record.total), here)


def _points(rounds: Sequence[RoundScores], score_in: Callable[[RoundScores], Score | None]) -> tuple[Point, ...]:
    return tuple(
        Point(scores.round, score.accuracy, score.low, score.high)
        for scores in rounds
        if (score := score_in(scores)) is not None
    )
