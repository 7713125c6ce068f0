"""What this machine can give to training (source paper: "device limits"), and the settings that follow from it."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from protocol.errors import LearningError

if TYPE_CHECKING:
    from learning.backbone import Backbone

_GIB = 1024**3
_FLOAT16 = 2
_FLOAT32 = 4
_STEP_COPIES = 16
"""Arrays of the features' size that one step holds at most: input, activations and their gradients."""
_SCOPE_COPIES = 10
"""Parent, parameters, gradient, Adam's two moments, the delta in float64 and as it leaves."""
_MEMINFO = Path("/proc/meminfo")
_CGROUP_LIMIT = Path("/sys/fs/cgroup/memory.max")


@dataclass(frozen=True, slots=True)
class DeviceSettings:
    """What the operator decides; everything else is read from the machine."""

    shares_cores: bool = True
    """Whether other busy processes run here: then one thread, which is also the reproducible default."""
    threads: int | None = None
    """Overrides the choice."""
    use_accelerator: bool = False
    """Whether training runs on the accelerator where there is one. Its sums differ in the last bits."""


@dataclass(frozen=True, slots=True)
class DeviceProfile:
    """What is there, and what training may use of it."""

    cores: int
    """Usable by this process (its affinity mask), not merely installed."""
    memory_total_bytes: int
    memory_available_bytes: int
    accelerator: str | None
    """``"cuda"``, ``"mps"``, …; None without one. Reported even when it is not used."""
    threads: int
    """Threads of one torch operation."""
    torch_device: str
    """Where training runs: ``"cpu"``, or the accelerator where torch finds one and the operator asks for it.

    Features, scope and frozen tail move there; the CTC loss stays on the processor, where its kernel is deterministic.
    The way is tested on the processor under another device name, and was not run on an accelerator.
    """
    batch_size: int
    """Most samples a training step; a plan that asks for more gets this many."""

    def lines(self) -> tuple[str, ...]:
        """The profile in words, one fact a line, for the node's start-up report."""
        return (
            f"cores usable: {self.cores}, threads for training: {self.threads}",
            f"memory: {self.memory_available_bytes / _GIB:.1f} GiB free of {self.memory_total_bytes / _GIB:.1f} GiB",
            f"accelerator: {self.accelerator or 'none'}, training on: {self.torch_device}",
            f"batch: up to {self.batch_size} words",
        )


def profile_device(settings: DeviceSettings | None = None) -> DeviceProfile:
    """Reads the machine and picks the settings."""
    settings = settings or DeviceSettings()
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    total, available = _memory_bytes()
    found = torch.accelerator.current_accelerator(check_available=True)
    accelerator = found.type if found is not None else None
    return DeviceProfile(
        cores=cores,
        memory_total_bytes=total,
        memory_available_bytes=available,
        accelerator=accelerator,
        threads=max(1, settings.threads or (1 if settings.shares_cores else cores)),
        torch_device=accelerator if accelerator and settings.use_accelerator else "cpu",
        batch_size=batch_size_for(available),
    )


def batch_size_for(memory_available_bytes: int) -> int:
    """Most words a training step: 32 from 1 GiB of free memory, 16 from 512 MiB, else 8."""
    return 32 if memory_available_bytes >= _GIB else 16 if memory_available_bytes >= _GIB // 2 else 8


def require_memory(backbone: Backbone, words: int, batch_size: int) -> None:
    """Refuses a training that the memory free at this moment cannot hold: the system would end the whole process.

    Args:
        backbone: The lineage's; its features and scope decide.
        words: Samples; the features of all are in memory at once.
        batch_size: Samples a step.

    Raises:
        LearningError: It does not fit.
    """
    needed, available = training_bytes(backbone, words, batch_size), available_memory_bytes()
    if needed > available:
        raise LearningError(
            f"training on {words} words needs {needed / _GIB:.1f} GiB of memory, {available / _GIB:.1f} GiB are free",
            hint="end other programs on this machine, or add memory",
        )


def training_bytes(backbone: Backbone, words: int, batch_size: int) -> int:
    """What a training holds at once, roughly and rather too much: features, one step, scope and optimizer."""
    values = math.prod(backbone.feature_shape)
    scope = sum(math.prod(shape) for _, shape in backbone.scope_tensors())
    # While features are gathered they are there twice: each for itself and in one array.
    return (
        2 * words * values * _FLOAT16
        + (min(batch_size, words) * values * _STEP_COPIES + scope * _SCOPE_COPIES) * _FLOAT32
    )


def available_memory_bytes() -> int:
    """What is free at this moment, within a container's limit."""
    return _memory_bytes()[1]


def _memory_bytes() -> tuple[int, int]:
    """Total and available memory; a container's limit counts when it is lower."""
    try:
        fields = dict(line.split(":", 1) for line in _MEMINFO.read_text(encoding="ascii").splitlines())
        total = int(fields["MemTotal"].split()[0]) * 1024
        available = int(fields["MemAvailable"].split()[0]) * 1024
    except (OSError, KeyError, ValueError):
        # Not Linux: only the total is known, so half of it is taken as free.
        total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
        available = total // 2
    try:
        limit = int(_CGROUP_LIMIT.read_text(encoding="ascii"))
    except (OSError, ValueError):
        return total, available
    return min(total, limit), min(available, limit)
