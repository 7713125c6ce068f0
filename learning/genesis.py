"""Round 0: the scope, pre-trained on drawn names of the country's medicines.

Source paper, section VI: the model is "pre-trained with some datasets of drugs that are used in the country". Nothing
of a patient is in it, so its publisher can publish how it was made.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from learning.backbone import Backbone
from learning.device import DeviceProfile
from learning.rendering import RenderedWord, find_fonts, render_words
from learning.training import TrainingPlan, TrainingProgress, applied, train
from protocol.errors import LearningError


@dataclass(frozen=True, slots=True)
class GenesisSettings:
    """How round 0 is made."""

    renderings: int = 4
    """Images of each name."""
    epochs: int = 1
    batch_size: int = 32
    learning_rate: float = 3e-4
    """Low: drawn words are easy, and a higher rate forgets real hands for them (benchmarks/recogniser.md)."""
    seed: int = 0
    families: tuple[str, ...] | None = None
    """Font families to draw with; None takes all. Leave some out to test on them."""


@dataclass(frozen=True, slots=True)
class GenesisProgress:
    """Sent while round 0 is made."""

    stage: str
    """``"render"``, ``"features"`` or ``"train"``."""
    done: int
    total: int
    """Crops of the first two stages, steps of the last."""


def pretrain(
    backbone: Backbone,
    names: Sequence[str],
    fonts_folder: Path,
    settings: GenesisSettings,
    device: DeviceProfile,
    progress: Callable[[GenesisProgress], None] = lambda _: None,
) -> dict[str, npt.NDArray[np.float32]]:
    """Draws the names, trains the scope on them and returns it.

    Args:
        backbone: The lineage's backbone.
        names: Medicines; accents and symbols that the backbone cannot write are dropped.
        fonts_folder: See ``find_fonts``.
        settings: How much.
        device: Threads and batch, as for training.
        progress: What it raises ends the work and passes through.

    Returns:
        The scope of round 0, float32, sorted by name.

    Raises:
        ConfigError: No such fonts.
        LearningError: No name can be written, or training fails.
    """
    texts = [text for text in dict.fromkeys(backbone.alphabet.spell(name).strip() for name in names) if text]
    if not texts:
        raise LearningError("there is no name to pre-train on", hint="check the lexicon")
    fonts = find_fonts(fonts_folder, settings.families)
    words = render_words(texts, fonts, settings.renderings, settings.seed)
    progress(GenesisProgress("render", len(words), len(words)))
    parent = backbone.initial_parameters()
    plan = TrainingPlan(settings.epochs, settings.batch_size, settings.learning_rate, seed=settings.seed)

    def report(step: TrainingProgress) -> None:
        progress(GenesisProgress("train", step.step, step.steps))

    features = _features(backbone, words, progress)
    result = train(backbone, parent, features, [word.label for word in words], plan, device, report)
    return applied(parent, result.delta)


def _features(
    backbone: Backbone, words: Sequence[RenderedWord], progress: Callable[[GenesisProgress], None]
) -> npt.NDArray[np.float16]:
    """Front features in slices, so that progress can be shown."""
    slices: list[npt.NDArray[np.float16]] = []
    for start in range(0, len(words), 32):
        slices.append(backbone.front_features([word.crop for word in words[start : start + 32]]))
        progress(GenesisProgress("features", min(start + 32, len(words)), len(words)))
    return np.concatenate(slices)
