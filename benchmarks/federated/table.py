"""Means and 95 % intervals of the written rounds, as Markdown."""

from __future__ import annotations

import json
import math
import statistics
from collections.abc import Iterable, Sequence
from pathlib import Path

from scipy import stats

from benchmarks.federated.joined import SHARES
from benchmarks.federated.rounds import GLOBAL, Numbers
from benchmarks.federated.runs import NETWORK_CHECK, rounds_of
from learning.evaluation import score_of

Runs = dict[int, list[Numbers]]
"""Rounds by seed."""
LEAST_SEEDS = 3
"""With fewer an interval over seeds is not shown: it says nothing."""

_HEADER = """\
| row | what differs | seeds | round | own names, mean ± t | Wilson | apart | many names | unseen brands | KB up / down | s site / seal / sum |
|---|---|---|---|---|---|---|---|---|---|---|"""  # noqa: E501


def finished(results: Path) -> dict[str, Runs]:
    """Every row's seeds that ran to their last round, by the row's name."""
    found: dict[str, Runs] = {}
    for folder in sorted(results.glob("*/seed-*")):
        rounds = rounds_of(folder)
        if rounds and "row" in rounds[-1] and rounds[-1]["round"] == rounds[-1]["row"]["rounds"]:
            found.setdefault(folder.parent.name, {})[int(folder.name.removeprefix("seed-"))] = rounds
    return found


def interval(values: Sequence[float]) -> tuple[float, float]:
    """Mean and half the width of its 95 % interval by Student's t; NaN with one value."""
    mean = statistics.fmean(values)
    if len(values) < 2:
        return mean, math.nan
    spread = statistics.stdev(values) / math.sqrt(len(values))
    return mean, float(stats.t.ppf(0.975, len(values) - 1)) * spread


def accuracy(scores: dict[str, dict[str, list[int]]], which: str) -> float | None:
    """Mean over the models that were scored."""
    found = [entry[which][0] / entry[which][1] for entry in scores.values() if which in entry]
    return statistics.fmean(found) if found else None


def markdown(results: Path, split: str) -> str:
    """The tables of all finished runs.

    Args:
        results: Folder of all results.
        split: Whose scores are shown; another split than the runs' own needs ``score`` first.
    """
    lines = [f"Right answers on the split {split}.", "", _HEADER]
    for name, runs in sorted(finished(results).items(), key=lambda item: item[0]):
        scores = [found for seed, rounds in runs.items() if (found := scores_on(results, name, seed, rounds, split))]
        if scores:
            lines.append(_line(name, runs, scores))
    return "\n".join([*lines, "", *_joined_lines(results, split), *_network_lines(results)])


def scores_on(
    results: Path, name: str, seed: int, rounds: list[Numbers], split: str
) -> dict[str, dict[str, list[int]]]:
    """Scores of a run's last models on a split; empty when they were not measured."""
    path = results / name / f"seed-{seed}" / f"score-{split}.json"
    if path.exists():
        return dict(json.loads(path.read_bytes())["scores"])
    return dict(rounds[-1]["scores"]) if rounds[-1]["split"] == split else {}


def _line(name: str, runs: Runs, scores: Sequence[dict[str, dict[str, list[int]]]]) -> str:
    last = [rounds[-1] for rounds in runs.values()]
    own = [value for found in scores if (value := accuracy(found, "own")) is not None]
    total = next(iter(scores[0].values()))["own"][1]
    wilson = score_of(round(statistics.fmean(own) * total), total)
    cells = [
        f"`{name}`",
        _described(last[0]["row"]),
        str(len(scores)),
        str(last[0]["round"]),
        shown(own),
        f"{wilson.low:.3f} to {wilson.high:.3f}",
        *(
            shown([value for found in scores if (value := accuracy(found, which)) is not None])
            for which in ("apart", "many", "unseen")
        ),
        *_costs([written for rounds in runs.values() for written in rounds]),
    ]
    return f"| {' | '.join(cells)} |"


def shown(values: Sequence[float]) -> str:
    """A mean, with its interval where there are seeds enough; a dash without any."""
    if not values:
        return "–"
    mean, half = interval(values)
    return f"{mean:.3f}" if len(values) < LEAST_SEEDS else f"{mean:.3f} ± {half:.3f}"


def _described(row: dict[str, object]) -> str:
    if row["rounds"] == 0:
        return "as published"
    shared = "evenly" if row["dirichlet"] is None else f"Dirichlet {row['dirichlet']}"
    if row["mode"] == "alone":
        who = "all words in one place" if row["sites"] == 1 else f"{row['sites']} sites, {shared}, none shares"
        return f"{who}; rate {row['learning_rate']}"
    parts = [f"{row['sites']} sites, {shared}", "unweighted" if row["weighting"] == "equal" else "weighted"]
    if row["unseen_brands"]:
        parts.append(f"{row['unseen_brands']} brands nowhere")
    return f"{', '.join(parts)}; rate {row['learning_rate']}"


def _costs(rounds: Iterable[Numbers]) -> tuple[str, str]:
    """Bytes and seconds of one round: medians over rounds and seeds of the slowest site."""
    shared = [written for written in rounds if "aggregator_seconds" in written]
    if not shared:
        return "–", "–"
    sites = [list(written["sites"].values()) for written in shared]
    up = max(site["sealed_bytes"] for of_round in sites for site in of_round)
    down = max(written["model_bytes"] for written in shared)
    train, seal = (
        statistics.median(max(site[f"{step}_seconds"] for site in of_round) for of_round in sites)
        for step in ("train", "seal")
    )
    judged = statistics.median(written["aggregator_seconds"] for written in shared)
    return f"{up / 1000:.0f} / {down / 1000:.0f}", f"{train:.1f} / {seal:.2f} / {judged:.2f}"


def _joined_lines(results: Path, split: str) -> list[str]:
    lines = []
    for folder in sorted((results / "joined").glob("*")):
        entries = [json.loads(path.read_bytes()) for path in sorted(folder.glob(f"{split}-seed-*.json"))]
        if not entries:
            continue
        share = _best_share(
            [json.loads(path.read_bytes()) for path in folder.glob("Validation-seed-*.json")] or entries
        )
        agreed = [entry["agreed"][1] / entry["words"] for entry in entries]
        sure = [entry["agreed"][0] / entry["agreed"][1] for entry in entries]
        lines.append(
            f"| `{folder.name}` | {len(entries)} | {share} | {_shown_at(entries, 'own', share)} "
            f"| {_shown_at(entries, 'apart', share)} | {_shown_at(entries, 'many', share)} "
            f"| {_shown_at(entries, 'own', '0.5')} "
            f"| {shown(agreed)} | {shown(sure)} |"
        )
    if not lines:
        return []
    head = "| two readers | seeds | second's share | own names | apart | many names | own at 0.5 | agree | then right |"
    return [head, "|---|---|---|---|---|---|---|---|---|", *lines, ""]


def _network_lines(results: Path) -> list[str]:
    """Which runs went through a real network too."""
    lines = []
    for path in sorted(results.glob(f"*/seed-*/{NETWORK_CHECK}")):
        found = json.loads(path.read_bytes())
        name, seed = path.parent.parent.name, path.parent.name.replace("-", " ")
        lines.append(
            f"`{name}`, {seed}: {found['rounds']} rounds through a real network gave the same deltas and models, "
            f"the last `{found['model_digest'][:16]}…`."
        )
    return lines


def _best_share(entries: Sequence[Numbers]) -> str:
    """The share that reads most words right over all seeds; of equals the one nearest to one half."""
    return max(
        map(str, SHARES), key=lambda share: (sum(entry["own"][share] for entry in entries), -abs(float(share) - 0.5))
    )


def _shown_at(entries: Sequence[Numbers], which: str, share: str) -> str:
    of = "apart_words" if which == "apart" else "words"
    return shown([entry[which][share] / entry[of] for entry in entries if which in entry])


def curve(runs: Runs) -> list[tuple[int, float, float]]:
    """Round, mean accuracy among the own names, half of its interval."""
    last = min(rounds[-1]["round"] for rounds in runs.values())
    points = []
    for number in range(1, last + 1):
        values = [rounds[number - 1]["scores"][GLOBAL]["own"] for rounds in runs.values()]
        points.append((number, *interval([right / total for right, total in values])))
    return points
