"""The new global model as a pure function (docs/spec/aggregation.md; FedAvg, arXiv:1602.05629).

``new = float32(float64(parent) + float64(S) / (W · 2^s))`` with S = Σ w·u exactly in int64 and W = Σ w. No clock, no
randomness, no BLAS, no thread-dependent reduction: the same bytes everywhere, in any order of the updates. The sum
runs chunk by chunk, so memory grows neither with the model nor with the number of sites.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import BinaryIO

import numpy as np
import numpy.typing as npt

from protocol.errors import ConfigError, MalformedError, VerificationError
from protocol.identifiers import digest_of
from protocol.plan import MAX_TOTAL_WEIGHT, RoundPlan, encode_plan, plan_digest
from protocol.tensors import encode_header
from protocol.verdicts import VerdictCode
from protocol.verification import VerifiedUpdate

NO_SERVER_STATE = digest_of("server-state", b"")
"""State digest of a strategy that keeps nothing between rounds."""


def aggregate(parent: BinaryIO, updates: Sequence[VerifiedUpdate], plan: RoundPlan) -> Iterator[bytes]:
    """The new model's encoding, piece by piece, each at most about 1 MiB.

    Args:
        parent: The parent model's encoding (docs/spec/parameters.md), at its start.
        updates: The accepted updates, in any order; at least one.
        plan: Names tensors and scales.

    Raises:
        MalformedError: The parent is not an encoding of the plan's tensors, an update occurs twice or is of another
            round, or a sum is not finite in float32.
        VerificationError: A chunk no longer opens: the fetched file changed under us.
        ConfigError: This process flushes subnormal numbers to zero, so its bytes would be other than everyone's.
    """
    _check_arithmetic()
    _check_round(updates, plan)
    total = sum(update.registration.event.weight for update in updates)
    if not 0 < total < MAX_TOTAL_WEIGHT:
        raise MalformedError("the sum of weights is not within 1..2^28")
    header = encode_header(plan.shapes, "F32")
    if parent.read(len(header)) != header:
        raise MalformedError("the parent model's tensors are not the plan's")
    yield header
    position = 0
    for chunk in range(updates[0].chunk_count):
        weighted = _weighted_sum(updates, chunk)
        block = parent.read(4 * weighted.size)
        if len(block) != 4 * weighted.size:
            raise MalformedError("the parent model is shorter than its tensors")
        divisor = float(total) * _scales(plan, position, weighted.size)
        fresh = np.frombuffer(block, dtype="<f4").astype(np.float64) + weighted.astype(np.float64) / divisor
        with np.errstate(over="ignore"):
            rounded = fresh.astype("<f4")
        if not np.isfinite(rounded).all():
            raise MalformedError("the new model would hold a value that is not finite")
        position += weighted.size
        yield rounded.tobytes()
    if parent.read(1):
        raise MalformedError("the parent model is longer than its tensors")


def _check_arithmetic() -> None:
    # Libraries built with -ffast-math, and torch on request, set the processor's flush-to-zero mode.
    smallest = np.array([1], dtype=np.int32).view(np.float32)
    if smallest.astype(np.float64)[0] == 0 or smallest.astype(np.float64).astype(np.float32)[0] == 0:
        raise ConfigError(
            "this process flushes subnormal numbers to zero",
            hint="aggregate in a process that loads no library that sets flush-to-zero",
        )


def _check_round(updates: Sequence[VerifiedUpdate], plan: RoundPlan) -> None:
    if len({update.index for update in updates}) != len(updates):
        raise MalformedError("an update cannot be summed twice")
    digest = plan_digest(encode_plan(plan))
    if any(update.manifest.plan_digest != digest for update in updates):
        raise MalformedError("an update was made for another plan")


def _weighted_sum(updates: Sequence[VerifiedUpdate], chunk: int) -> npt.NDArray[np.int64]:
    total: npt.NDArray[np.int64] | None = None
    for update in updates:
        values = update.values(chunk)
        wide = values.astype(np.int64)
        # The paper's "set to zero": a site's plaintext does not outlive its turn in the sum.
        values[:] = 0
        wide *= update.registration.event.weight
        if total is None:
            total = wide
        elif total.size != wide.size:
            raise VerificationError(VerdictCode.TENSORS_MISMATCH, "updates differ in length")
        else:
            total += wide
            wide[:] = 0
    if total is None:
        raise MalformedError("there is no update to sum")
    return total


def _scales(plan: RoundPlan, position: int, size: int) -> npt.NDArray[np.float64]:
    """2^s for each of the values from a position on."""
    result = np.empty(size, dtype=np.float64)
    start = 0
    for tensor in plan.tensors:
        end = start + tensor.shape.count
        low, high = max(0, start - position), min(size, end - position)
        if low < high:
            result[low:high] = float(1 << tensor.scale_bits)
        start = end
    return result
