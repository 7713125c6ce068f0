"""docs/spec/verification.md, steps 9 and 10: exact scalar products."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from protocol.similarity import BLOCK_VALUES, gram_block, reaches_cosine, squared_norm

INT32 = st.integers(-(2**31), 2**31 - 1) | st.sampled_from([-(2**31), 2**31 - 1, -(2**15), 2**15, 2**16, -1, 0])
ROWS = hnp.arrays(np.int32, st.tuples(st.integers(1, 4), st.integers(0, 40)), elements=INT32)


def exact(rows) -> list[list[int]]:
    wide = [[int(value) for value in row] for row in rows]
    return [[sum(a * b for a, b in zip(left, right, strict=True)) for right in wide] for left in wide]


@given(ROWS)
def test_scalar_products_equal_those_of_big_integers(rows):
    assert gram_block(rows) == exact(rows)


@given(ROWS)
def test_squared_norms_equal_those_of_big_integers(rows):
    for row, products in zip(rows, range(len(rows)), strict=True):
        assert squared_norm(row) == exact(rows)[products][products]


@pytest.mark.parametrize("left", [-(2**31), 2**31 - 1, 2**31 - 2**15, -(2**31) + 2**15, 2**15, -(2**15) - 1])
@pytest.mark.parametrize("right", [-(2**31), 2**31 - 1, 2**15 - 1])
def test_the_longest_block_of_extremes_is_exact(left, right):
    count = 1 << 18
    rows = np.empty((2, count), dtype=np.int32)
    rows[0], rows[1] = left, right
    assert gram_block(rows) == [
        [left * left * count, left * right * count],
        [left * right * count, right * right * count],
    ]


@pytest.mark.parametrize("bits", [17, 18, 18.5, 19, 20])
def test_products_around_the_end_of_exact_doubles_are_exact(bits):
    rng = np.random.default_rng(int(bits * 10))
    limit = int(2**bits)
    rows = rng.integers(-limit, limit, size=(3, BLOCK_VALUES), dtype=np.int32)
    assert gram_block(rows) == exact(rows)
    # The sum of squares is 2^53 and a bit that float64 would lose.
    row = np.array([[2**26, 2**26, 1, 1, 2**26]], dtype=np.int32)
    assert gram_block(row) == [[3 * 2**52 + 2]]
    assert gram_block(row[:, :4]) == [[2**53 + 2]]
    assert gram_block(row[:, :3]) == [[2**53 + 1]]


def test_a_longer_block_is_not_taken():
    with pytest.raises(ValueError, match="2\\^18"):
        gram_block(np.zeros((1, (1 << 18) + 1), dtype=np.int32))


@pytest.mark.parametrize("value", [-(2**31), 2**31 - 1, 2**20 + 1, 2**18, 2**18 - 1, 3])
def test_norms_over_many_blocks_are_exact(value):
    count = 3 * BLOCK_VALUES + 17
    assert squared_norm(np.full(count, value, dtype=np.int32)) == value * value * count


@given(st.lists(INT32, min_size=1, max_size=5), st.lists(INT32, min_size=5, max_size=5), st.integers(1, 100))
def test_the_cosine_is_decided_exactly(left, right, percent):
    right = right[: len(left)]
    product = sum(a * b for a, b in zip(left, right, strict=True))
    norms = sum(a * a for a in left), sum(b * b for b in right)
    threshold = Fraction(percent, 100)
    expected = product > 0 and Fraction(product * product, 1) >= threshold**2 * norms[0] * norms[1]
    assert reaches_cosine(product, *norms, threshold) == expected


def test_a_multiple_has_cosine_one_exactly():
    vector = [2**31 - 1, -12345, 1]
    norm = sum(v * v for v in vector)
    assert reaches_cosine(3 * norm, norm, 9 * norm, Fraction(1))
    assert not reaches_cosine(3 * norm - 1, norm, 9 * norm, Fraction(1))


def test_opposite_and_zero_deltas_are_no_duplicates():
    assert not reaches_cosine(-100, 100, 100, Fraction(1, 2))
    assert not reaches_cosine(0, 0, 0, Fraction(1, 2))
