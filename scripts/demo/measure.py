"""What the global model is worth: on test words in hands that no site has, beside zero-shot and local-only training."""

from __future__ import annotations

import csv
import multiprocessing
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from learning.device import profile_device
from learning.english_g2 import EnglishG2
from learning.evaluation import Score, evaluate
from learning.lexicon_index import LexiconIndex
from learning.training import TrainingPlan, applied, train
from node.local_training import training_seed
from node.samples import trainable
from node.site import open_site
from prescriptions.lexicon import load_lexicon
from protocol.parameters import parse_parameters
from protocol.plan import RoundPlan

_PROCESSES = 2


@dataclass(frozen=True, slots=True)
class Reader:
    """One row of the table: who reads, and how its parameters come about."""

    name: str
    model: Path | None
    """A model's file, where local training starts when there is a site; None is the published backbone."""
    site: Path | None = None
    """Settings of a site that trains alone: the same rounds, settings and seeds, but nobody else's updates."""


def scores(
    readers: Sequence[Reader], words: Path, lexicon: Path, plans: Sequence[RoundPlan], folder: Path, now: int
) -> list[tuple[str, Score]]:
    """Scores every reader on the same test words, two at a time.

    Args:
        readers: The rows.
        words: Folder with ``labels.csv`` (file, label) and the crops.
        lexicon: CSV of the names that compete.
        plans: The rounds' plans, in order, for readers that train alone.
        folder: Takes the words' features meanwhile.
        now: Seconds since 1970, for consents in force.
    """
    with (words / "labels.csv").open(encoding="utf-8", newline="") as stream:
        rows = [(row["file"], row["label"]) for row in csv.DictReader(stream)]
    labels = [label for _, label in rows]
    paths = [words / file for file, _ in rows]
    features = folder / "test-features.npy"
    with ProcessPoolExecutor(_PROCESSES, mp_context=multiprocessing.get_context("spawn")) as pool:
        halves = [paths[: len(paths) // 2], paths[len(paths) // 2 :]]
        np.save(features, np.concatenate(list(pool.map(_features_of, halves))))
        asked = [pool.submit(_score, reader, features, labels, lexicon, plans, now) for reader in readers]
        return [(reader.name, future.result()) for reader, future in zip(readers, asked, strict=True)]


def _features_of(paths: Sequence[Path]) -> npt.NDArray[np.float16]:
    return EnglishG2().front_features([np.asarray(Image.open(path).convert("L")) for path in paths])


def _score(
    reader: Reader, features: Path, labels: Sequence[str], lexicon: Path, plans: Sequence[RoundPlan], now: int
) -> Score:
    backbone = EnglishG2()
    parameters: Mapping[str, npt.NDArray[np.float32]] = (
        backbone.initial_parameters() if reader.model is None else parse_parameters(reader.model.read_bytes())
    )
    if reader.site is not None:
        parameters = _trained_alone(backbone, parameters, reader.site, plans, now)
    names = LexiconIndex.of(load_lexicon(lexicon).names)
    return evaluate(backbone.with_parameters(parameters), np.load(features, allow_pickle=False), labels, names)


def _trained_alone(
    backbone: EnglishG2,
    parameters: Mapping[str, npt.NDArray[np.float32]],
    config: Path,
    plans: Sequence[RoundPlan],
    now: int,
) -> Mapping[str, npt.NDArray[np.float32]]:
    with open_site(config) as site:
        samples = trainable(site.store, now, site.settings.training.held_out_percent).train
        labels = [sample.label for sample in samples]
        features = backbone.front_features([sample.crop for sample in samples])
        site_id = site.site_id
    for plan in plans:
        settings = TrainingPlan(
            epochs=plan.training.epochs,
            batch_size=plan.training.batch_size,
            learning_rate=float(plan.training.learning_rate),
            max_gradient_norm=float(plan.training.clip_norm),
            seed=training_seed(plan, site_id),
        )
        parameters = applied(
            parameters, train(backbone, parameters, features, labels, settings, profile_device()).delta
        )
    return parameters
