"""Local training at a site: samples and a plan in, a delta out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from learning.backbone import check_parameters
from learning.device import require_memory
from learning.evaluation import Score, evaluate
from learning.lexicon_index import LexiconIndex
from learning.training import TrainingPlan, TrainingProgress, applied, train
from node.rounds.features import FeatureCache, FeaturesProgress
from protocol.errors import LearningError
from protocol.identifiers import SiteId, digest_of
from protocol.parameters import parse_parameters
from protocol.plan import RoundPlan
from protocol.update import TrainingReport

if TYPE_CHECKING:
    from learning.backbone import Backbone, Parameters
    from learning.device import DeviceProfile
    from node.data.samples import TrainableSample


@dataclass(frozen=True, slots=True)
class LocalUpdate:
    """What a training leaves behind."""

    delta: Mapping[str, npt.NDArray[np.float32]]
    report: TrainingReport
    num_examples: int


class Trainer:
    """Trains and scores on one site's words.

    Args:
        backbone: The lineage's backbone.
        cache: Front features.
        device: Threads and batch.
        names: The site's medicine names.
    """

    def __init__(self, backbone: Backbone, cache: FeatureCache, device: DeviceProfile, names: LexiconIndex) -> None:
        self._backbone = backbone
        self._cache = cache
        self._device = device
        self._names = names

    @property
    def backbone(self) -> Backbone:
        """What it trains."""
        return self._backbone

    def writable(self, samples: Sequence[TrainableSample]) -> tuple[TrainableSample, ...]:
        """The samples whose labels the backbone can write: one odd label must not keep a site out of every round."""
        return tuple(sample for sample in samples if self._can_write(sample.label))

    def fit(
        self,
        parent: Path,
        samples: Sequence[TrainableSample],
        plan: RoundPlan,
        site_id: SiteId,
        progress: Callable[[TrainingProgress | FeaturesProgress], None],
    ) -> LocalUpdate:
        """Trains from a parent model. The same samples, plan and site give the same delta (docs/spec/training.md).

        Args:
            parent: The parent model's file.
            samples: What to train on.
            plan: The round's.
            site_id: This site.
            progress: Called while features are computed, where some are not cached yet, and after each training step.

        Raises:
            LearningError: No samples, a label that the backbone cannot write, or too little memory.
        """
        settings = TrainingPlan(
            epochs=plan.training.epochs,
            batch_size=plan.training.batch_size,
            learning_rate=float(plan.training.learning_rate),
            clip_norm=float(plan.training.clip_norm),
            seed=training_seed(plan, site_id),
        )
        require_memory(self._backbone, len(samples), min(settings.batch_size, self._device.batch_size))
        result = train(
            self._backbone,
            parse_parameters(parent.read_bytes()),
            self._cache.features_of(samples, progress),
            [sample.label for sample in samples],
            settings,
            self._device,
            progress,
        )
        report = TrainingReport(
            epochs=result.epochs,
            seconds=int(result.seconds),
            first_loss=f"{result.losses[0]:.6f}",
            last_loss=f"{result.losses[-1]:.6f}",
        )
        return LocalUpdate(result.delta, report, result.num_examples)

    def _can_write(self, label: str) -> bool:
        try:
            symbols = self._backbone.alphabet.encode(label)
        except LearningError:
            return False
        # CTC needs a frame for each symbol and a blank between two equal ones.
        return len(symbols) + sum(a == b for a, b in pairwise(symbols)) <= self._backbone.frames

    def check(self, model: Path) -> None:
        """Checks that a model fits the backbone.

        Raises:
            LearningError: It does not.
            MalformedError: The file is no model.
        """
        check_parameters(self._backbone, parse_parameters(model.read_bytes()))

    def score(self, model: Path, samples: Sequence[TrainableSample]) -> Score:
        """How many held-out words a model reads right.

        Raises:
            LearningError: The model does not fit the backbone.
            MalformedError: The file is no model.
        """
        return self._score(parse_parameters(model.read_bytes()), samples)

    def score_own(self, parent: Path, update: LocalUpdate, samples: Sequence[TrainableSample]) -> Score:
        """How many held-out words the parent model reads right with this site's update alone.

        Raises:
            LearningError: The parent does not fit the backbone, or there are no words.
            MalformedError: The file is no model.
        """
        return self._score(applied(parse_parameters(parent.read_bytes()), update.delta), samples)

    def _score(self, parameters: Parameters, samples: Sequence[TrainableSample]) -> Score:
        recogniser = self._backbone.with_parameters(parameters)
        return evaluate(recogniser, self._cache.features_of(samples), [s.label for s in samples], self._names)


def training_seed(plan: RoundPlan, site_id: SiteId) -> int:
    """The seed of one site in one round: sites do not shuffle alike."""
    digest = digest_of("training-seed", plan.training.seed.to_bytes(8, "big"), plan.round.to_bytes(8, "big"), site_id)
    return int.from_bytes(digest[:8], "big")
