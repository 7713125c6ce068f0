"""Runs a row with a seed, round by round; a killed run goes on after the last round that was written down."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import cast

from aggregator.round_files import RoundFiles, WrittenModel
from benchmarks.federated.alone import AloneRun
from benchmarks.federated.data import Shares, Words, share_out, unseen_names
from benchmarks.federated.rounds import GLOBAL, LIMITS, FederatedRun, Numbers, lineage_settings
from benchmarks.federated.rows import Row
from benchmarks.federated.scoring import Exam, reader_of, score
from gateways.data_folder import DataFolder, write_atomically
from learning.backbone import Backbone
from learning.device import DeviceProfile, profile_device
from learning.lexicon_index import LexiconIndex
from node.rounds.features import FeatureCache
from node.rounds.local_training import Trainer
from protocol.identifiers import CID, Digest
from protocol.parameters import encode_parameters, parameters_digest_of_stream

NETWORK_CHECK = "network.json"
"""Beside a run's rounds once a real network gave the same digests."""


@dataclass(frozen=True, slots=True)
class Bench:
    """What all runs of one backbone and scope share."""

    backbone: Backbone
    cache: FeatureCache
    device: DeviceProfile
    words: Words
    exam: Exam
    split: str
    """The split that judges."""


def steady_device() -> DeviceProfile:
    """One thread and the plan's own batch, whatever else the machine does: the same bytes in every run."""
    return replace(profile_device(), threads=1, batch_size=32)


def run(bench: Bench, row: Row, seed: int, results: Path) -> None:
    """Runs what is missing of a row and seed.

    Args:
        bench: Of the row's backbone and scope.
        row: What is measured.
        seed: Of the shares, the unseen brands and the plans.
        results: Folder of all results.

    Raises:
        StoreError: Another process runs the same row and seed, or the disk refuses.
    """
    folder = DataFolder(place_of(results, row.name, seed))
    with folder.locked():
        done = rounds_of(folder.path)
        _check_same(done, bench, row, folder.path)
        if row.rounds == 0 and not done:
            _write(folder, bench, row, seed, 0, _genesis(bench, folder, (GLOBAL,)), {})
        first = len(done) + 1
        if first > row.rounds:
            return
        shares, names = shares_of(bench.words, row, seed)
        slugs = tuple(shares) if row.mode == "alone" else (GLOBAL,)
        models = models_of(folder, done[-1]) if done else _genesis(bench, folder, slugs)
        going = _begin(bench, row, seed, shares, folder, models, len(done))
        for number in range(first, row.rounds + 1):
            models, numbers = going.round(number)
            _write(folder, bench, row, seed, number, models, numbers | {"unseen": sorted(names)})


def place_of(results: Path, name: str, seed: int) -> Path:
    """Folder of a row and seed."""
    return results / name / f"seed-{seed}"


def rounds_of(folder: Path) -> list[Numbers]:
    """What was written down of a run, in order; round 0 is there for untrained models only."""
    return [json.loads(path.read_bytes()) for path in sorted(folder.glob("round-*.json"))]


def models_of(folder: DataFolder, written: Numbers) -> dict[str, WrittenModel]:
    """The models of a round that was written down.

    Raises:
        SystemExit: A file is not the one that was written down.
    """
    found = {}
    for who, entry in written["models"].items():
        model = WrittenModel(
            RoundFiles(folder).model(CID.from_text(entry["cid"])),
            Digest.from_hex(entry["digest"]),
            CID.from_text(entry["cid"]),
        )
        with model.path.open("rb") as stream:
            if parameters_digest_of_stream(stream) != model.digest:
                raise SystemExit(f"{model.path} is not the model that was written down: remove {folder.path}")
        found[who] = model
    return found


def _check_same(done: list[Numbers], bench: Bench, row: Row, folder: Path) -> None:
    """Rounds of other words or settings are not gone on with."""
    wanted = (asdict(row), bench.split, len(bench.words.training), len(bench.words.judged))
    for written in done:
        if (written["row"], written["split"], written["training_words"], written["judging_words"]) != wanted:
            raise SystemExit(f"{folder} holds rounds of other words or settings: remove it, or name another --results")


def _begin(
    bench: Bench,
    row: Row,
    seed: int,
    shares: Shares,
    folder: DataFolder,
    models: dict[str, WrittenModel],
    start_round: int,
) -> FederatedRun | AloneRun:
    settings, files = lineage_settings(row, seed), RoundFiles(folder)
    trainer = Trainer(bench.backbone, bench.cache, bench.device, LexiconIndex.of(bench.words.names))
    if row.mode == "alone":
        return AloneRun(settings, shares, bench.backbone, trainer, files, models)
    return FederatedRun(settings, shares, bench.backbone, trainer, files, models[GLOBAL], start_round)


def shares_of(words: Words, row: Row, seed: int) -> tuple[Shares, frozenset[str]]:
    """The sites' words of a row and seed, and the brands that are in nobody's."""
    unseen = unseen_names(words.names, row.unseen_brands, seed)
    seen = [sample for sample in words.training if sample.label not in unseen]
    shares = share_out(seen, row.sites, row.dirichlet, seed)
    # A node with fewer words sits a round out.
    return {slug: samples for slug, samples in shares.items() if len(samples) >= LIMITS.min_examples}, unseen


def _genesis(bench: Bench, folder: DataFolder, slugs: tuple[str, ...]) -> dict[str, WrittenModel]:
    encoded = encode_parameters(bench.backbone.initial_parameters())
    model = RoundFiles(folder).write_model("genesis", 0, [encoded])
    return dict.fromkeys(slugs, model)


def _write(
    folder: DataFolder,
    bench: Bench,
    row: Row,
    seed: int,
    number: int,
    models: Mapping[str, WrittenModel],
    numbers: Numbers,
) -> None:
    """Scores the round's models and writes the round down: from here on it is done."""
    started, last = time.monotonic(), number == row.rounds
    unseen = frozenset(cast("list[str]", numbers.get("unseen", [])))
    # Many sites' own models are read by once, at the end.
    scores = {
        who: score(reader_of(bench.backbone, model.path), bench.exam, unseen, with_many=last and len(models) == 1)
        for who, model in models.items()
        if last or len(models) == 1
    }
    record = numbers | {
        "row": asdict(row),
        "seed": seed,
        "round": number,
        "split": bench.split,
        "training_words": len(bench.words.training),
        "judging_words": len(bench.words.judged),
        "models": {who: {"digest": model.digest.hex(), "cid": str(model.cid)} for who, model in models.items()},
        "scores": scores,
        "score_seconds": round(time.monotonic() - started, 3),
    }
    path = folder / f"round-{number:03}.json"
    write_atomically(path, json.dumps(record, indent=1, sort_keys=True).encode())
    kept = {model.path.name for model in models.values()}
    for old in (folder / "models").iterdir():
        if old.name not in kept:
            old.unlink()
    said = ", ".join(f"{who} {found['own'][0] / found['own'][1]:.4f}" for who, found in scores.items())
    print(f"{row.name}, seed {seed}, round {number}: {said or 'scored at the end'}", flush=True)
