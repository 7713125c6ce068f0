"""Accuracy over rounds, and accuracy against bytes, drawn from written rounds: the same results give the same files."""

from __future__ import annotations

from pathlib import Path

import matplotlib as mpl
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

from benchmarks.federated.rounds import GLOBAL
from benchmarks.federated.rows import READERS
from benchmarks.federated.table import LEAST_SEEDS, Runs, curve, finished

PUBLISHED = 0.88
"""Best accuracy published for these words."""
_STYLE = {"svg.hashsalt": "fedrx", "svg.fonttype": "none", "font.size": 9}


def draw(results: Path, folder: Path) -> list[Path]:
    """Writes both plots as SVG and returns their paths, none without a finished run of a reader.

    They show the split that judged every round, whatever was scored afterwards.
    """
    runs = finished(results)
    found = {name: runs[name] for name in READERS if name in runs}
    zero_shot = {name: _zero_shot(runs[row]) for name in READERS if (row := f"{name}-zero-shot") in runs}
    if not found:
        return []
    split = next(iter(next(iter(found.values())).values()))[0]["split"]
    paths = [folder / "recogniser_rounds.svg", folder / "recogniser_bytes.svg"]
    with mpl.rc_context(_STYLE):
        _save(_over_rounds(found, zero_shot, split), paths[0])
        _save(_against_bytes(found, split), paths[1])
    return paths


def _zero_shot(runs: Runs) -> float:
    (written, *_), *_ = runs.values()
    right, total = written["scores"][GLOBAL]["own"]
    return right / total


def _over_rounds(found: dict[str, Runs], zero_shot: dict[str, float], split: str) -> Figure:
    figure, axes = _empty("round", split)
    for number, (name, runs) in enumerate(found.items()):
        points = curve(runs)
        if name in zero_shot:
            points = [(0, zero_shot[name], 0.0), *points]
        rounds, means = [p[0] for p in points], [p[1] for p in points]
        halves = [p[2] if len(runs) >= LEAST_SEEDS else 0.0 for p in points]
        colour = f"C{number}"
        axes.plot(rounds, means, marker="o", markersize=3, color=colour, label=f"{name} ({len(runs)} seeds)")
        low, high = ([m + sign * h for m, h in zip(means, halves, strict=True)] for sign in (-1, 1))
        axes.fill_between(rounds, low, high, color=colour, alpha=0.2, linewidth=0)
    axes.legend(loc="lower right")
    return figure


def _against_bytes(found: dict[str, Runs], split: str) -> Figure:
    figure, axes = _empty("MB that a site sent and received", split)
    for number, (name, runs) in enumerate(found.items()):
        written = next(iter(runs.values()))[0]
        each = max(site["sealed_bytes"] for site in written["sites"].values()) + written["model_bytes"]
        points = curve(runs)
        megabytes = [each * round_number / 1e6 for round_number, _, _ in points]
        axes.plot(megabytes, [p[1] for p in points], marker="o", markersize=3, color=f"C{number}", label=name)
    axes.set_xscale("log")
    axes.legend(loc="lower right")
    return figure


def _empty(across: str, split: str):
    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.add_subplot()
    axes.set_xlabel(across)
    axes.set_ylabel(f"right among the set's own names ({split})")
    axes.axhline(PUBLISHED, color="grey", linestyle=":", linewidth=1)
    axes.annotate("best published", (0.01, PUBLISHED), xycoords=("axes fraction", "data"), va="bottom", color="grey")
    axes.grid(alpha=0.3)
    return figure, axes


def _save(figure: Figure, path: Path) -> None:
    FigureCanvasSVG(figure).print_svg(path, metadata={"Date": None})
