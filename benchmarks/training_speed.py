"""Seconds that a local epoch takes, beside what its matrix products alone would take on the same thread.

    python -m benchmarks.training_speed

Every scope of every backbone trains for one epoch over made features through ``learning.training.train``, on one
thread. The rate of the machine's own matrix product is measured before and after each, in processor time too, so
that other programs disturb the ratios less than the seconds. The table goes to benchmarks/training_speed.md.
"""

from __future__ import annotations

import argparse
import math
import platform
import statistics
import time
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch.utils.flop_counter import FlopCounterMode

from learning.backbones import make_backbone
from learning.device import profile_device
from learning.published import PUBLISHED
from learning.torch_scope import reproducible_torch
from learning.training import TrainingPlan, TrainingProgress, train

if TYPE_CHECKING:
    from collections.abc import Sequence

    from learning.backbone import Backbone

REPORT = Path(__file__).with_suffix(".md")
BARS_SECONDS = {("english-g2", "last-conv"): 45, ("pp-ocr-v6", "neck"): 12}
"""For 3,000 crops on one thread of an idle machine."""
BAR_CROPS = 3_000
SIDE = 1024
SEED = 1


@dataclass(frozen=True, slots=True)
class Measured:
    """One epoch of one scope."""

    backbone: Backbone
    crops: int
    seconds: float
    """By the clock on the wall."""
    processor_seconds: float
    steps_ms: tuple[float, ...]
    """In processor time; the first step, which warms up, left out."""
    flops_a_step: int
    """Of a full batch: multiplications and additions of every matrix product and convolution, both ways."""
    gflops: float
    """Of the machine's matrix product, the better of before and after."""

    @property
    def limit_ms(self) -> float:
        """What a step's products alone take at the machine's rate."""
        return self.flops_a_step / self.gflops / 1e6


def product_gflops(repeats: int = 12) -> float:
    """The best of some float32 products of two square matrices."""
    left, right = torch.randn(2, SIDE, SIDE)
    best = min(_seconds_of(left, right) for _ in range(repeats))
    return 2 * SIDE**3 / best / 1e9


def _seconds_of(left: torch.Tensor, right: torch.Tensor) -> float:
    started = time.process_time()
    torch.mm(left, right)
    return time.process_time() - started


def made_words(backbone: Backbone, crops: int) -> tuple[np.ndarray, list[str]]:
    """Features of the front's shape, and labels of 4 to 12 letters: the time does not depend on what they say."""
    generator = np.random.default_rng(SEED)
    features = np.abs(generator.standard_normal((crops, *backbone.feature_shape), dtype=np.float32)).astype(np.float16)
    letters = np.array(list("abcdefghijklmnopqrstuvwxyz"))
    labels = ["".join(generator.choice(letters, size)) for size in generator.integers(4, 13, crops)]
    return features, labels


def flops_of_a_step(backbone: Backbone, batch_size: int) -> int:
    """As torch counts them, with the operations that it leaves out."""
    features, _ = made_words(backbone, batch_size)
    parameters = {
        name: torch.from_numpy(tensor).requires_grad_() for name, tensor in backbone.initial_parameters().items()
    }
    operations = torch.ops.aten
    left_out = {
        operations.addmm_: _product_flops,
        operations.mkldnn_rnn_layer: _lstm_flops,
        operations.mkldnn_rnn_layer_backward: lambda *shapes, **rest: 2 * _lstm_flops(*shapes, **rest),
    }
    with FlopCounterMode(display=False, custom_mapping=left_out) as counter:
        backbone.frame_logits(parameters, torch.from_numpy(features.astype(np.float32))).sum().backward()
    return counter.get_total_flops()


def _product_flops(_: Sequence[int], left: Sequence[int], right: Sequence[int], **__: object) -> int:
    return 2 * left[0] * left[1] * right[1]


def _lstm_flops(sequence: Sequence[int], *weights: Sequence[int], **_: object) -> int:
    """One direction: each frame is multiplied by the input's weights, each state by its own."""
    return 2 * sequence[0] * sequence[1] * sum(math.prod(weight) for weight in weights[:2])


def measure(backbone: Backbone, crops: int, batch_size: int) -> Measured:
    features, labels = made_words(backbone, crops)
    ticks: list[float] = []

    def tick(_: TrainingProgress) -> None:
        ticks.append(time.process_time())

    # A low rate: made labels teach nothing, and must not make the loss infinite.
    plan = TrainingPlan(batch_size=batch_size, learning_rate=1e-5, seed=SEED)
    with reproducible_torch(1):
        flops = flops_of_a_step(backbone, batch_size)
        before = product_gflops()
        started = time.process_time()
        result = train(backbone, backbone.initial_parameters(), features, labels, plan, profile_device(), tick)
        processor_seconds = time.process_time() - started
        after = product_gflops()
    steps = tuple(1000 * (later - earlier) for earlier, later in pairwise(ticks))
    return Measured(backbone, crops, result.seconds, processor_seconds, steps, flops, max(before, after))


def row(found: Measured) -> str:
    name, scope = found.backbone.name, found.backbone.scope
    whole = BAR_CROPS / found.crops
    bar = BARS_SECONDS.get((name, scope))
    return (
        f"| `{name}` | `{scope}` | {statistics.median(found.steps_ms):.0f} | {min(found.steps_ms):.0f} "
        f"| {found.processor_seconds * whole:.1f} | {found.seconds * whole:.1f} | {'–' if bar is None else bar} "
        f"| {found.flops_a_step / 1e9:.1f} | {found.gflops:.0f} "
        f"| {found.limit_ms:.0f} | {statistics.median(found.steps_ms) / found.limit_ms:.2f} |"
    )


HEADER = """\
| backbone | scope | ms a step | least | s, 3,000 crops | on the wall | bar | GFLOP a step | GFLOP/s | limit | ratio |
|---|---|---|---|---|---|---|---|---|---|---|"""


def report(rows: list[str], crops: int, batch_size: int) -> str:
    how = "run whole" if crops == BAR_CROPS else f"extrapolated from {crops:,} crops"
    return f"""# Training speed

`python -m benchmarks.training_speed`: one local epoch through `learning.training.train`, batches of {batch_size}, one
thread, features already in memory (the front's 27 to 40 ms a crop are paid once, then cached). The seconds for
3,000 crops were {how}; all times are processor time but *on the wall*. *Limit*: the
multiplications and additions of one step's matrix products and convolutions, divided by the rate of a {SIDE} × {SIDE}
float32 product measured in the same run; a step also has its gates, softmaxes, CTC and Adam. *Ratio*: the median step
over the limit; 1 is as fast as this arithmetic can be.

{HEADER}
{chr(10).join(rows)}

Python {platform.python_version()}, torch {torch.__version__}, {platform.machine()}, seed {SEED}. What the numbers do
not say: features and labels are made, so nothing is learned; times grow by several times while other programs use the
cores; a processor with other vector units has another limit and another ratio.
"""


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--crops", type=int, default=BAR_CROPS)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--only", help="one backbone/scope, such as english-g2/last-conv; the page is left alone")
    arguments = parser.parse_args()
    rows = []
    for published in PUBLISHED:
        for scope in published.scopes:
            if arguments.only in {None, f"{published.name}/{scope}"}:
                rows.append(row(measure(make_backbone(published.name, scope), arguments.crops, arguments.batch)))
                print(rows[-1], flush=True)
    if arguments.only is None:
        REPORT.write_text(report(rows, arguments.crops, arguments.batch))


if __name__ == "__main__":
    main()
