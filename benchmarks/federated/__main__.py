"""The command line of the federated benchmark."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Sequence
from fnmatch import fnmatch
from functools import cache
from itertools import product
from pathlib import Path

import numpy as np

from benchmarks.federated import agreement, calibration_table, data, plots, table
from benchmarks.federated.calibrate import first_half
from benchmarks.federated.calibration_table import ReadRow
from benchmarks.federated.features import fill, open_cache
from benchmarks.federated.joined import joined_scores
from benchmarks.federated.kept_scores import kept_scores
from benchmarks.federated.rows import Row, all_rows, tuned
from benchmarks.federated.runs import Bench, models_of, place_of, rounds_of, run, steady_device
from benchmarks.federated.scoring import other_names, reader_of, score, set_exam
from gateways.data_folder import DataFolder, write_atomically
from learning.backbones import make_backbone
from learning.recogniser import Recogniser

SEEDS = (1, 2, 3, 4, 5)
UNTRAINED_SEED = 1
CHOSEN_ON = "Validation"
"""The split on which settings are chosen; the training split holds no copy of it."""
OTHERS = 5000
TABLES, CALIBRATION, AGREEMENT = "federated", "calibration", "agreement"
"""Parts of the report, each written by one command between its markers."""
_WRITERS = {TABLES: "table", CALIBRATION: "calibrate", AGREEMENT: "agreement"}


class Desk:
    """Opens what the commands need, once for each backbone and scope."""

    def __init__(self, arguments: argparse.Namespace, *, keep_judged_whole: bool = True) -> None:
        self._arguments = arguments
        self.words = data.load(
            arguments.words, arguments.split, keep_judged_whole=keep_judged_whole, limit=arguments.limit
        )
        words = self.words
        print(
            f"{len(words.training)} words train, {len(words.judged)} judge, {words.left_out} copies left out; "
            f"of those that judge {words.apart.count(False)} are near copies"
        )
        self.bench = cache(self._open)

    def _open(self, backbone_name: str, scope: str) -> Bench:
        words, backbone = self.words, make_backbone(backbone_name, scope)
        features = open_cache(self._arguments.features, backbone)
        others = other_names(self._arguments.lexicon, words.names, OTHERS, backbone)
        exam = set_exam(features, words, others)
        return Bench(backbone, features, steady_device(), words, exam, self._arguments.split)


def main() -> None:
    arguments = _parser().parse_args()
    arguments.command(arguments)


def command_features(arguments: argparse.Namespace) -> None:
    words = data.load(arguments.words, arguments.split, limit=arguments.limit)
    for name in arguments.backbones:
        backbone = make_backbone(name)
        fill(open_cache(arguments.features, backbone), (*words.judged, *words.training), name)


def command_run(arguments: argparse.Namespace) -> None:
    desk = Desk(arguments)
    for row, seed in product(_chosen(arguments), arguments.seeds):
        # What is not trained is the same for every seed.
        if row.rounds == 0 and seed != UNTRAINED_SEED:
            continue
        run(desk.bench(row.backbone, row.scope), row, seed, arguments.results)


def command_score(arguments: argparse.Namespace) -> None:
    """Scores the last models on a split that was not there when they were trained, or anew."""
    desk = Desk(arguments, keep_judged_whole=arguments.split == CHOSEN_ON)
    for name, runs in table.finished(arguments.results).items():
        for seed, rounds in runs.items():
            path = place_of(arguments.results, name, seed) / f"score-{arguments.split}.json"
            if path.exists():
                continue
            bench, last = desk.bench(rounds[-1]["row"]["backbone"], rounds[-1]["row"]["scope"]), rounds[-1]
            unseen = frozenset(last.get("unseen", []))
            models = models_of(DataFolder(path.parent), last)
            scores = {
                who: score(reader_of(bench.backbone, model.path), bench.exam, unseen, with_many=len(models) == 1)
                for who, model in models.items()
            }
            write_atomically(path, json.dumps({"split": arguments.split, "scores": scores}).encode())
            print(f"{name}, seed {seed}: {table.accuracy(scores, 'own'):.4f}", flush=True)


def command_joined(arguments: argparse.Namespace) -> None:
    desk = Desk(arguments, keep_judged_whole=arguments.split == CHOSEN_ON)
    folder = arguments.results / "joined" / f"{arguments.first}+{arguments.second}"
    folder.mkdir(parents=True, exist_ok=True)
    for seed in arguments.seeds:
        path = folder / f"{arguments.split}-seed-{seed}.json"
        if path.exists():
            continue
        readers, exams = zip(*_readers(desk, arguments, seed), strict=True)
        write_atomically(path, json.dumps(found := joined_scores(readers, exams)).encode())
        print(f"seed {seed}: {found}", flush=True)


def command_calibrate(arguments: argparse.Namespace) -> None:
    desk = Desk(arguments, keep_judged_whole=arguments.split == CHOSEN_ON)
    rows = {name: _read_row(desk, arguments, name) for name in arguments.rows}
    text = calibration_table.markdown(rows, arguments.split, _chosen_words(desk, arguments.split))
    _publish(text, CALIBRATION, arguments.report)


def command_agreement(arguments: argparse.Namespace) -> None:
    desk = Desk(arguments, keep_judged_whole=arguments.split == CHOSEN_ON)
    pairs = {pair: _read_pair(desk, arguments, pair) for pair in arguments.pairs}
    _publish(
        agreement.markdown(pairs, arguments.split, ~_chosen_words(desk, arguments.split)), AGREEMENT, arguments.report
    )
    labels = [sample.label for sample in desk.words.judged]
    for pair, readers in pairs.items():
        print(f"{pair}, both against the label:", *agreement.contradicted(readers, labels, desk.words.names), sep="\n")


def command_table(arguments: argparse.Namespace) -> None:
    _publish(table.markdown(arguments.results, arguments.split), TABLES, arguments.report)
    if arguments.report:
        plots.draw(arguments.results, arguments.report.parent)


def markers(part: str) -> tuple[str, str]:
    """What stands before and behind a written part of the report."""
    return f"<!-- {part}: written by benchmarks.federated {_WRITERS[part]} -->", f"<!-- end of {part} -->"


def _publish(text: str, part: str, report: Path | None) -> None:
    """Shows tables, and replaces those that the report has of them."""
    print(text)
    if report is not None:
        begin, end = markers(part)
        before, rest = report.read_text(encoding="utf-8").split(begin)
        _, after = rest.split(end)
        report.write_text(f"{before}{begin}\n\n{text}\n{end}{after}", encoding="utf-8")


def _chosen_words(desk: Desk, split: str) -> np.ndarray:
    """bool [words]: those on which calibrations are chosen."""
    return first_half(desk.words.judged) & (split == CHOSEN_ON)


def _read_row(desk: Desk, arguments: argparse.Namespace, name: str, seeds: Sequence[int] | None = None) -> ReadRow:
    """Reads the words with a row's models: all seeds that ran to their end, or those that are named."""
    runs = table.finished(arguments.results).get(name, {})
    chosen = [seed for seed in (arguments.seeds if seeds is None else seeds) if seed in runs]
    if not chosen:
        raise SystemExit(f"{name} did not run to its end yet with any of the seeds")
    found = []
    for seed in chosen:
        last = runs[seed][-1]
        bench = desk.bench(last["row"]["backbone"], last["row"]["scope"])
        (model,) = models_of(DataFolder(place_of(arguments.results, name, seed)), last).values()
        reader = reader_of(bench.backbone, model.path)
        found.append(kept_scores(arguments.results / "scores", model.digest, reader, bench.exam))
        print(f"{name}, seed {seed}: read", flush=True)
    sizes = {"own": len(bench.exam.names), "many": len(bench.exam.many_names)}
    names = {lexicon: sizes[lexicon] for lexicon in found[0]}
    return ReadRow(bench.backbone.name, bench.backbone.calibration, tuple(found), names)


def _read_pair(desk: Desk, arguments: argparse.Namespace, pair: str) -> list[ReadRow]:
    """Two readers with the seeds with which both ran to their end."""
    runs = table.finished(arguments.results)
    names = pair.split("+")
    seeds = [seed for seed in arguments.seeds if all(seed in runs.get(name, {}) for name in names)]
    return [_read_row(desk, arguments, name, seeds) for name in names]


def _readers(desk: Desk, arguments: argparse.Namespace, seed: int) -> Iterator[tuple[Recogniser, object]]:
    for name in (arguments.first, arguments.second):
        place = place_of(arguments.results, name, UNTRAINED_SEED if name.endswith("-zero-shot") else seed)
        rounds = rounds_of(place)
        if not rounds or rounds[-1]["round"] != rounds[-1]["row"]["rounds"]:
            raise SystemExit(f"{name}, seed {seed} did not run to its end yet")
        bench = desk.bench(rounds[-1]["row"]["backbone"], rounds[-1]["row"]["scope"])
        (model,) = models_of(DataFolder(place), rounds[-1]).values()
        yield reader_of(bench.backbone, model.path), bench.exam


def _chosen(arguments: argparse.Namespace) -> list[Row]:
    rows = all_rows()
    found = [row for name, row in rows.items() if any(fnmatch(name, wanted) for wanted in arguments.rows)]
    if not found:
        raise SystemExit(f"no such row; there are {', '.join(rows)}")
    return [tuned(row, arguments.rate, arguments.rounds) for row in found]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.federated")
    commands = parser.add_subparsers(required=True)
    shared = argparse.ArgumentParser(add_help=False)
    shared.add_argument("--results", type=Path, required=True, help="outside of the project")
    shared.add_argument("--split", default=CHOSEN_ON, help="what judges")
    words = argparse.ArgumentParser(add_help=False)
    words.add_argument("--words", type=Path, required=True)
    words.add_argument("--features", type=Path, required=True, help="cache of front features, outside of the project")
    words.add_argument("--lexicon", type=Path, help="products.csv of Drugs@FDA: 5,000 more names to confuse with")
    words.add_argument("--limit", type=int, help="at most so many words of a split, for a quick try")
    seeds = argparse.ArgumentParser(add_help=False)
    seeds.add_argument("--seeds", type=int, nargs="+", default=SEEDS)

    one = commands.add_parser("run", parents=[shared, words, seeds])
    one.add_argument("--rows", nargs="+", required=True, help="names or patterns such as 'ppocr-head*'")
    one.add_argument("--rate", help="another learning rate")
    one.add_argument("--rounds", type=int, help="another number of rounds")
    one.set_defaults(command=command_run)
    commands.add_parser("score", parents=[shared, words]).set_defaults(command=command_score)
    one = commands.add_parser("joined", parents=[shared, words, seeds])
    one.add_argument("--first", default="ppocr-neck")
    one.add_argument("--second", default="easyocr-last-conv")
    one.set_defaults(command=command_joined)
    report = argparse.ArgumentParser(add_help=False)
    report.add_argument("--report", type=Path, help="replace this command's tables in this file")
    one = commands.add_parser("calibrate", parents=[shared, words, seeds, report])
    one.add_argument("--rows", nargs="+", default=["ppocr-head", "ppocr-neck", "easyocr-last-conv"])
    one.set_defaults(command=command_calibrate)
    one = commands.add_parser("agreement", parents=[shared, words, seeds, report])
    one.add_argument("--pairs", nargs="+", default=["ppocr-neck+easyocr-last-conv", "ppocr-head+easyocr-last-conv"])
    one.set_defaults(command=command_agreement)
    one = commands.add_parser("table", parents=[shared, report], help="with --report the plots are drawn beside it")
    one.set_defaults(command=command_table)
    one = commands.add_parser("features", parents=[words])
    one.add_argument("--split", default=CHOSEN_ON)
    one.add_argument("--backbones", nargs="+", default=["english-g2", "pp-ocr-v6"])
    one.set_defaults(command=command_features)
    return parser


if __name__ == "__main__":
    main()
