"""Local training: the shared scope moves, everything else stays, and the same inputs give the same bytes.

What "the same inputs" means is docs/spec/training.md.
"""

from __future__ import annotations

import hashlib
import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import torch
from torch.nn import functional

from learning.alphabet import BLANK
from learning.backbone import Backbone, Features, Parameters, check_parameters
from learning.device import DeviceProfile
from learning.torch_scope import reproducible_torch
from protocol.errors import LearningError


@dataclass(frozen=True, slots=True)
class TrainingPlan:
    """What the round plan says about local training."""

    epochs: int = 1
    """Passes over the samples; one local epoch a round."""
    batch_size: int = 32
    """Samples a step."""
    learning_rate: float = 2e-3
    """Adam's step. Averaging shrinks a step: a rate chosen for one trainer is too small for many."""
    clip_norm: float = 5.0
    """L2 norm to which the gradient of a step is clipped."""
    seed: int = 0
    """Decides the order of the samples, nothing else. 0 … 2^64 - 1."""

    def __post_init__(self) -> None:
        sound = (
            self.epochs >= 1
            and self.batch_size >= 1
            and 0 < self.learning_rate < math.inf
            and 0 < self.clip_norm < math.inf
            and 0 <= self.seed < 2**64
        )
        if not sound:
            raise LearningError(f"{self} cannot be trained", hint="counts are 1 or more, rates above 0")


@dataclass(frozen=True, slots=True)
class TrainingProgress:
    """Sent after each step."""

    epoch: int
    """1-based."""
    epochs: int
    step: int
    """1-based, over all epochs."""
    steps: int
    loss: float
    """Of this step's batch: CTC loss per symbol, in nats."""
    elapsed_seconds: float


@dataclass(frozen=True, slots=True)
class TrainingResult:
    """A local update before it is rounded to fixed point."""

    delta: dict[str, npt.NDArray[np.float32]]
    """new - parent, subtracted in float64; read-only arrays, sorted by name."""
    losses: tuple[float, ...]
    """Mean loss of each epoch, per symbol, in nats."""
    seconds: float
    num_examples: int
    epochs: int


def sample_order(seed: int, epoch: int, count: int) -> list[int]:
    """The order of one epoch: positions sorted by SHA-256(seed, epoch, position), all as 8 bytes big-endian.

    A digest instead of a library's generator, because generators change their streams between versions.
    """

    def rank(position: int) -> bytes:
        return hashlib.sha256(b"".join(part.to_bytes(8, "big") for part in (seed, epoch, position))).digest()

    return sorted(range(count), key=rank)


def train(
    backbone: Backbone,
    parent: Parameters,
    features: Features,
    labels: Sequence[str],
    plan: TrainingPlan,
    device: DeviceProfile,
    progress: Callable[[TrainingProgress], None] = lambda _: None,
) -> TrainingResult:
    """Trains the scope by CTC with a fresh Adam.

    Args:
        backbone: The lineage's backbone.
        parent: The global model's scope.
        features: [samples, *feature_shape] as ``front_features`` gives them.
        labels: What each crop says, in the same order.
        plan: The round's settings.
        device: Threads, torch device and largest batch. Torch's switches are process-wide: train one at a time.
        progress: Called after each step. What it raises ends the training and passes through: nothing is kept.

    Raises:
        LearningError: No samples, lengths that differ, a label the backbone cannot write, or a loss that is not finite.
    """
    check_parameters(backbone, parent)
    targets = _encoded(backbone, features, labels)
    started = time.monotonic()
    with reproducible_torch(device.threads, strict=device.torch_device == "cpu"):
        run = _Run(backbone, parent, plan, device)
        losses = [run.epoch(number, features, targets, progress, started) for number in range(1, plan.epochs + 1)]
        delta = run.delta(parent)
    return TrainingResult(delta, tuple(losses), time.monotonic() - started, len(labels), plan.epochs)


def _encoded(backbone: Backbone, features: Features, labels: Sequence[str]) -> list[tuple[int, ...]]:
    if not labels:
        raise LearningError("there is nothing to train on", hint="review some words first")
    if features.shape != (len(labels), *backbone.feature_shape):
        raise LearningError(f"{len(labels)} labels do not fit features of shape {features.shape}")
    targets = [backbone.alphabet.encode(label) for label in labels]
    for label, target in zip(labels, targets, strict=True):
        # CTC needs a blank between two equal symbols.
        if len(target) + sum(a == b for a, b in pairwise(target)) > backbone.frames:
            raise LearningError(
                f"a label of {len(label)} characters does not fit {backbone.frames} frames", hint="label single words"
            )
    return targets


class _Run:
    """Parameters and optimizer of one training."""

    def __init__(self, backbone: Backbone, parent: Parameters, plan: TrainingPlan, device: DeviceProfile) -> None:
        self._backbone, self._plan, self._torch_device = backbone, plan, device.torch_device
        self._batch_size = min(plan.batch_size, device.batch_size)
        self._scope: dict[str, torch.Tensor] = {
            name: torch.from_numpy(parent[name].copy()).to(self._torch_device).requires_grad_()
            for name, _ in backbone.scope_tensors()
        }
        self._optimizer = torch.optim.Adam(list(self._scope.values()), lr=plan.learning_rate, foreach=False)

    def epoch(
        self,
        number: int,
        features: Features,
        targets: Sequence[tuple[int, ...]],
        progress: Callable[[TrainingProgress], None],
        started: float,
    ) -> float:
        """Runs one epoch, reports each step and returns the mean loss of its samples."""
        batches = list(self._batches(number, len(targets)))
        total = 0.0
        for position, batch in enumerate(batches, start=1):
            loss = self._step(features[batch], [targets[sample] for sample in batch])
            total += loss * len(batch)
            step = (number - 1) * len(batches) + position
            elapsed = time.monotonic() - started
            epochs = self._plan.epochs
            progress(TrainingProgress(number, epochs, step, epochs * len(batches), loss, elapsed))
        return total / len(targets)

    def delta(self, parent: Parameters) -> dict[str, npt.NDArray[np.float32]]:
        """What was learned, as read-only arrays."""
        delta: dict[str, npt.NDArray[np.float32]] = {}
        for name, tensor in self._scope.items():
            trained = tensor.detach().cpu().numpy().astype(np.float64)
            delta[name] = (trained - parent[name].astype(np.float64)).astype(np.float32)
            delta[name].setflags(write=False)
        return delta

    def _batches(self, epoch: int, count: int) -> Iterator[list[int]]:
        order = sample_order(self._plan.seed, epoch, count)
        for start in range(0, count, self._batch_size):
            yield order[start : start + self._batch_size]

    def _step(self, features: Features, targets: Sequence[tuple[int, ...]]) -> float:
        self._optimizer.zero_grad()
        # torch widens float16 several times faster than numpy does, to the same values.
        loss = self._loss(torch.from_numpy(features).to(self._torch_device, torch.float32), targets)
        value = loss.item()
        if not math.isfinite(value):
            raise LearningError("training diverged: the loss is not finite", hint="lower the plan's learning rate")
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self._scope.values(), self._plan.clip_norm, foreach=False)
        self._optimizer.step()
        return value

    def _loss(self, features: torch.Tensor, targets: Sequence[tuple[int, ...]]) -> torch.Tensor:
        logits = self._backbone.frame_logits(self._scope, features)
        # CTC has a deterministic kernel on the CPU only; the logits are small.
        log_probs = functional.log_softmax(logits, dim=2).transpose(0, 1).cpu()
        return functional.ctc_loss(
            log_probs,
            torch.tensor([index for target in targets for index in target]),
            torch.full((len(targets),), log_probs.shape[0]),
            torch.tensor([len(target) for target in targets]),
            blank=BLANK,
        )


def applied(parent: Parameters, delta: Mapping[str, npt.NDArray[np.float32]]) -> dict[str, npt.NDArray[np.float32]]:
    """The sum parent + delta, added in float64: what a site would have if it kept its own update to itself."""
    return {name: (parent[name].astype(np.float64) + delta[name]).astype(np.float32) for name in sorted(parent)}
