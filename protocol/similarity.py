"""Exact scalar products of int32 vectors (docs/spec/verification.md, step 9 and 10).

A value splits into 16-bit limbs, value = high · 2^16 + low with |low| ≤ 2^15 and |high| ≤ 2^15. A product of limbs is
at most 2^30; a sum of 2^18 of them is below 2^53, so float64 arithmetic, and with it any BLAS in any order, is exact.
"""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import numpy.typing as npt

BLOCK_VALUES = 1 << 16
"""Values handled at a time: bounds memory, and keeps sums of limb products far below 2^53."""


_EXACT = float(1 << 53)


def gram_block(rows: npt.NDArray[np.int32]) -> list[list[int]]:
    """Exact scalar products of all pairs of rows.

    Args:
        rows: int32, shape [n, k], k ≤ 2^18.

    Returns:
        n × n integers.
    """
    if rows.shape[1] > 1 << 18:
        raise ValueError("a block has at most 2^18 values")
    count = rows.shape[0]
    plain = rows.astype(np.float64)
    products = plain @ plain.T
    # Small values, as honest deltas are, need no limbs. A sum of squares that comes out below 2^53 never passed it on
    # the way, because rounding is monotone; by Cauchy and Schwarz no partial sum of a mixed product did either.
    if products.diagonal().max(initial=0) < _EXACT:
        return [[int(products[i, j]) for j in range(count)] for i in range(count)]
    wide = rows.astype(np.int64)
    low = ((wide + 0x8000) & 0xFFFF) - 0x8000
    high = ((wide - low) >> 16).astype(np.float64)
    low = low.astype(np.float64)
    cross = high @ low.T
    top, bottom, middle = high @ high.T, low @ low.T, cross + cross.T
    return [
        [(int(top[i, j]) << 32) + (int(middle[i, j]) << 16) + int(bottom[i, j]) for j in range(count)]
        for i in range(count)
    ]


def squared_norm(values: npt.NDArray[np.int32]) -> int:
    """Exact sum of squares of int32 values of any number."""
    total = 0
    for start in range(0, values.size, BLOCK_VALUES):
        total += gram_block(values[np.newaxis, start : start + BLOCK_VALUES])[0][0]
    return total


def reaches_cosine(product: int, norm_a: int, norm_b: int, threshold: Fraction) -> bool:
    """Whether product / √(norm_a · norm_b) ≥ threshold, decided in integers.

    Args:
        product: Scalar product of two vectors.
        norm_a: Squared norm of one.
        norm_b: Squared norm of the other.
        threshold: In 0..1.
    """
    return product > 0 and Fraction(product) ** 2 >= threshold**2 * norm_a * norm_b
