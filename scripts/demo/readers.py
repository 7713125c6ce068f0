"""What the readers of the last table are worth: each is trained if need be, and scored on the same test words.

Every function runs in a worker process of ``scorekeeper`` and takes and gives files, so that nothing big is sent.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import numpy as np
from PIL import Image

from learning.backbone import Features
from learning.device import profile_device
from learning.english_g2 import EnglishG2
from learning.evaluation import Score, evaluate
from learning.lexicon_index import LexiconIndex
from learning.training import TrainingPlan, applied, train
from node.data.samples import TrainableSample, trainable
from node.rounds.local_training import training_seed
from node.site import open_site
from prescriptions.lexicon import load_lexicon
from protocol.parameters import encode_parameters, parse_parameters
from protocol.plan import RoundPlan

_NICE = 10


@dataclass(frozen=True, slots=True)
class Exam:
    """The test words, prepared once for all readers."""

    features: tuple[Path, ...]
    """Parts of the words' features, in order."""
    labels: tuple[str, ...]
    lexicon: Path
    """CSV of the names that compete."""


def step_aside() -> None:
    """Lets the network's own processes go first."""
    os.nice(_NICE)


def write_features(crops: Sequence[Path], destination: Path) -> Path:
    """Features of test words, by the frozen part of the network."""
    pictures = [np.asarray(Image.open(path).convert("L")) for path in crops]
    np.save(destination, EnglishG2().front_features(pictures))
    return destination


def score(exam: Exam, model: Path | None) -> Score:
    """Scores one model on the test words; None is the published english_g2, as it was downloaded."""
    backbone = EnglishG2()
    parameters = backbone.initial_parameters() if model is None else parse_parameters(model.read_bytes())
    features = np.concatenate([np.load(part, allow_pickle=False) for part in exam.features])
    names = LexiconIndex.of(load_lexicon(exam.lexicon).names)
    return evaluate(backbone.with_parameters(parameters), features, exam.labels, names)


def train_alone(config: Path, model: Path, plan: RoundPlan, now: int, destination: Path) -> Path:
    """One round of a site that trains without the others: the same plan and seed, its words under consent at ``now``.

    Args:
        config: The node's settings.
        model: Where it starts: its own model of the round before.
        plan: Of the network's round.
        now: Seconds since 1970.
        destination: Takes the trained model.
    """
    backbone = EnglishG2()
    with open_site(config) as site:
        percent, purpose = site.settings.training.held_out_percent, site.settings.consent.purpose
        samples = trainable(site.store, now, percent, purpose=purpose).train
        seed = training_seed(plan, site.site_id)
    settings = TrainingPlan(
        epochs=plan.training.epochs,
        batch_size=plan.training.batch_size,
        learning_rate=float(plan.training.learning_rate),
        clip_norm=float(plan.training.clip_norm),
        seed=seed,
    )
    features = _site_features(backbone, samples, destination.with_name(f"{config.parent.name}.features.npz"))
    labels = [sample.label for sample in samples]
    parameters = parse_parameters(model.read_bytes())
    result = train(backbone, parameters, features, labels, settings, profile_device())
    destination.write_bytes(encode_parameters(applied(parameters, result.delta)))
    return destination


def _site_features(backbone: EnglishG2, samples: Sequence[TrainableSample], cache: Path) -> Features:
    """The frozen part's output for a site's words, computed in the first round: a word does not change."""
    known: dict[str, Features] = {}
    if cache.exists():
        with np.load(cache, allow_pickle=False) as stored:
            known = dict(stored)
    fresh = [sample for sample in samples if sample.sample_id.hex() not in known]
    if fresh:
        computed = backbone.front_features([sample.crop for sample in fresh])
        known |= {sample.sample_id.hex(): features for sample, features in zip(fresh, computed, strict=True)}
        np.savez(cache, allow_pickle=False, **known)
    return cast("Features", np.stack([known[sample.sample_id.hex()] for sample in samples]))
