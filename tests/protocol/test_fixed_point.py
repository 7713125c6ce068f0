"""docs/spec/update.md, section 2."""

from __future__ import annotations

import warnings
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.errors import MalformedError
from protocol.fixed_point import quantise


def naive(value: float, scale_bits: int) -> int:
    """Python rounds fractions half to even."""
    return round(Fraction(value) * 2**scale_bits)


@given(
    st.lists(st.floats(-127, 127), min_size=1, max_size=20),
    st.integers(0, 24),
)
def test_rounding_equals_exact_rational_arithmetic(values, scale_bits):
    result = quantise(np.array(values), scale_bits=scale_bits, max_abs=2**31 - 1)
    assert result.dtype == np.int32
    assert result.tolist() == [naive(value, scale_bits) for value in values]


@given(st.lists(st.floats(-1.5, 1.5, width=32), min_size=1, max_size=20))
def test_float32_deltas_round_as_their_exact_values(values):
    array = np.array(values, dtype=np.float32)
    assert quantise(array, scale_bits=30, max_abs=2**31 - 1).tolist() == [naive(float(v), 30) for v in array]


def test_halves_go_to_the_even_neighbour():
    halves = np.array([0.5, 1.5, 2.5, -0.5, -1.5, -2.5])
    assert quantise(halves, scale_bits=0, max_abs=10).tolist() == [0, 2, 2, 0, -2, -2]


@pytest.mark.parametrize("value", [2.0**31, -(2.0**31), 2.0**40, 1e300, 1.7e308])
def test_a_value_out_of_range_is_refused_and_never_wraps(value):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        with pytest.raises(MalformedError):
            quantise(np.array([0.0, value]), scale_bits=0, max_abs=2**31 - 1)
        with pytest.raises(MalformedError):
            quantise(np.array([0.0, value]), scale_bits=30, max_abs=2**31 - 1)


def test_the_range_is_checked_after_rounding():
    assert quantise(np.array([10.5]), scale_bits=0, max_abs=10).tolist() == [10]
    with pytest.raises(MalformedError):
        quantise(np.array([10.51]), scale_bits=0, max_abs=10)
    with pytest.raises(MalformedError):
        quantise(np.array([-11.0]), scale_bits=0, max_abs=10)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_value_that_is_not_finite_is_refused(value, dtype):
    with pytest.raises(MalformedError):
        quantise(np.array([0.0, value], dtype=dtype), scale_bits=24, max_abs=100)


def test_the_delta_is_left_as_it_was():
    delta = np.array([0.1, 0.2])
    quantise(delta, scale_bits=24, max_abs=2**30)
    assert delta.tolist() == [0.1, 0.2]


def test_an_empty_delta_stays_empty():
    assert quantise(np.zeros((0, 3)), scale_bits=24, max_abs=1).shape == (0, 3)
