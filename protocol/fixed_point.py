"""Deltas as integers (docs/spec/update.md, section 2): u = round_half_even(delta · 2^s) in int32.

Integers make the order of a sum, threads, BLAS and the processor irrelevant.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from protocol.errors import MalformedError

MAX_SCALE_BITS = 30


def quantise(
    delta: npt.NDArray[np.float64] | npt.NDArray[np.float32], *, scale_bits: int, max_abs: int
) -> npt.NDArray[np.int32]:
    """Rounds a delta to fixed point.

    Args:
        delta: Differences against the parent, any shape.
        scale_bits: s of the scale 2^-s, 0..30.
        max_abs: Greatest magnitude allowed in units of 2^-s, below 2^31.

    Raises:
        MalformedError: A value that is not finite or out of range; nothing wraps.
    """
    scaled = np.rint(delta.astype(np.float64) * float(1 << scale_bits))
    if not np.isfinite(scaled).all():
        raise MalformedError("the delta holds a value that is not finite")
    if scaled.size and float(np.abs(scaled).max()) > max_abs:
        raise MalformedError(f"the delta holds a value beyond {max_abs} · 2^-{scale_bits}")
    return scaled.astype(np.int32)
