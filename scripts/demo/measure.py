"""What the global model is worth: on test words in fonts that no site has, beside zero-shot and local-only training."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
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


@dataclass(frozen=True, slots=True)
class TestWords:
    """The words that judge, with their features."""

    features: npt.NDArray[np.float16]
    labels: tuple[str, ...]
    names: LexiconIndex


class Judge:
    """Scores parameters on the test words; the backbone is loaded once.

    Args:
        words: Folder with ``labels.csv`` (file, label) and the crops.
        lexicon: CSV of the names that compete.
    """

    def __init__(self, words: Path, lexicon: Path) -> None:
        self.backbone = EnglishG2()
        with (words / "labels.csv").open(encoding="utf-8", newline="") as stream:
            rows = [(row["file"], row["label"]) for row in csv.DictReader(stream)]
        crops = [np.asarray(Image.open(words / file).convert("L")) for file, _ in rows]
        self._words = TestWords(
            self.backbone.front_features(crops),
            tuple(label for _, label in rows),
            LexiconIndex.of(load_lexicon(lexicon).names),
        )

    def score(self, parameters: Mapping[str, npt.NDArray[np.float32]]) -> Score:
        """Right readings of the test words."""
        words = self._words
        return evaluate(self.backbone.with_parameters(parameters), words.features, words.labels, words.names)

    def zero_shot(self) -> Score:
        """The published backbone, untrained here."""
        return self.score(self.backbone.initial_parameters())

    def file(self, model: Path) -> Score:
        """A global model's file."""
        return self.score(parse_parameters(model.read_bytes()))

    def local_only(self, config: Path, genesis: Path, plans: Sequence[RoundPlan], now: int) -> Score:
        """What one site reaches alone: the same rounds, settings and seeds, but nobody else's updates.

        Args:
            config: The site's settings.
            genesis: Round 0's model file.
            plans: The rounds' plans, in order.
            now: Seconds since 1970, for consents in force.
        """
        with open_site(config) as site:
            samples = trainable(site.store, now, site.settings.training.held_out_percent).train
            crops = [sample.crop for sample in samples]
            labels = [sample.label for sample in samples]
            site_id = site.site_id
        features = self.backbone.front_features(crops)
        parameters: Mapping[str, npt.NDArray[np.float32]] = parse_parameters(genesis.read_bytes())
        for plan in plans:
            settings = TrainingPlan(
                epochs=plan.training.epochs,
                batch_size=plan.training.batch_size,
                learning_rate=float(plan.training.learning_rate),
                max_gradient_norm=float(plan.training.clip_norm),
                seed=training_seed(plan, site_id),
            )
            result = train(self.backbone, parameters, features, labels, settings, profile_device())
            parameters = applied(parameters, result.delta)
        return self.score(parameters)
