"""Process-wide switches of torch, set for a while and put back."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch


@contextmanager
def torch_threads(threads: int) -> Iterator[None]:
    """Limits the threads of one torch operation.

    Two processes that each use all cores slow each other down many times over, so the number is the caller's.

    Args:
        threads: 1 or more.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextmanager
def reproducible_torch(threads: int, *, strict: bool = True) -> Iterator[None]:
    """Deterministic kernels and a fixed number of threads (docs/spec/training.md).

    The switches belong to the process: run one training at a time in it.

    Args:
        threads: Part of the promise: another number may sum in another order.
        strict: Whether an operation without a deterministic kernel fails; otherwise torch warns.
    """
    before = torch.are_deterministic_algorithms_enabled()
    warned_only = torch.is_deterministic_algorithms_warn_only_enabled()
    memory: Any = torch.utils.deterministic
    filled = memory.fill_uninitialized_memory
    torch.use_deterministic_algorithms(True, warn_only=not strict)
    # Filling new memory first finds operations that read it unwritten, at a twentieth of a step; none here does.
    memory.fill_uninitialized_memory = False
    try:
        with torch_threads(threads):
            yield
    finally:
        memory.fill_uninitialized_memory = filled
        torch.use_deterministic_algorithms(before, warn_only=warned_only)
