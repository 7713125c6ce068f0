"""docs/spec/aggregation.md."""

from __future__ import annotations

import io
import random
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from protocol.aggregation import NO_SERVER_STATE, aggregate
from protocol.errors import MalformedError
from protocol.identifiers import digest_of
from protocol.parameters import encode_parameters, parse_parameters
from protocol.plan import PlannedTensor
from protocol.tensors import TensorShape
from protocol.verification import verify_update
from tests.protocol.builders import Network, random_parameters


def verified(network: Network):
    context, key = network.context, network.aggregators[0].key
    return [verify_update(network.fetched(r), r, context, key) for r in context.view.registrations]


def summed(network: Network, updates=None, parent: bytes | None = None) -> bytes:
    parent = network.model if parent is None else parent
    return b"".join(aggregate(io.BytesIO(parent), verified(network) if updates is None else updates, network.plan))


def as_double(value: Fraction) -> Fraction:
    """The nearest float64, half to even: Python divides integers with one correct rounding."""
    return Fraction(value.numerator / value.denominator)


def as_single(value: Fraction) -> np.float32:
    """The nearest float32 of a number that is a float64."""
    return np.float32(float(value))


def reference(network: Network, deltas, weights) -> dict[str, np.ndarray]:
    """The specification's formula with Python's integers and fractions, one rounding for each of its operations."""
    parent = parse_parameters(network.model)
    total = sum(weights)
    result = {}
    for tensor in network.tensors:
        name, scale = tensor.shape.name, 2**tensor.scale_bits
        out = np.empty(tensor.shape.shape, dtype=np.float32)
        for place in np.ndindex(*tensor.shape.shape):
            units = [round(Fraction(float(delta[name][place])) * scale) for delta in deltas]
            exact = sum(w * u for w, u in zip(weights, units, strict=True))
            quotient = as_double(as_double(Fraction(exact)) / (total * scale))
            out[place] = as_single(as_double(Fraction(float(parent[name][place])) + quotient))
        result[name] = out
    return result


@given(seed=st.integers(0, 10**6), examples=st.lists(st.integers(1, 5000), min_size=4, max_size=4))
@settings(max_examples=15, suppress_health_check=[HealthCheck.too_slow], deadline=None)
def test_the_new_model_equals_the_formula_in_fractions(seed, examples):
    network = Network()
    network.model = encode_parameters(random_parameters(network.tensors, seed))
    network.open_round()
    rng = np.random.default_rng(seed)
    deltas = [
        {t.shape.name: rng.normal(scale=rng.choice([1e-6, 1e-2, 1.0]), size=t.shape.shape) for t in network.tensors}
        for _ in network.sites
    ]
    for site, delta, count in zip(network.sites, deltas, examples, strict=True):
        network.register(site, delta=delta, num_examples=count)
    weights = [network.plan.weight_of(count) for count in examples]
    expected = reference(network, deltas, weights)
    found = parse_parameters(summed(network))
    assert all(found[name].tobytes() == expected[name].tobytes() for name in expected)


def test_the_order_of_the_updates_makes_no_difference():
    network = Network(sites_count=7)
    network.open_round()
    for number, site in enumerate(network.sites):
        network.register(site, num_examples=50 * number + 1)
    updates = verified(network)
    expected = summed(network, updates)
    for seed in range(5):
        random.Random(seed).shuffle(updates)
        assert summed(network, updates) == expected


def test_a_model_over_several_chunks_has_each_tensors_scale():
    tensors = (
        PlannedTensor(TensorShape("a", (300_001,)), 30),
        PlannedTensor(TensorShape("b", (2,)), 0),
        PlannedTensor(TensorShape("c", (260_000,)), 12),
    )
    network = Network(sites_count=3, tensors=tensors, plan_changes={"max_norm": "100000"})
    network.open_round(weighting="equal")
    deltas = []
    for site in network.sites:
        rng = np.random.default_rng(site.ordinal)
        deltas.append(
            {
                "a": rng.normal(scale=0.01, size=300_001),
                "b": np.array([3.0, -7.0]) * (site.ordinal + 1),
                "c": rng.normal(size=260_000),
            }
        )
        network.register(site, delta=deltas[-1])
    parent = parse_parameters(network.model)
    found = parse_parameters(summed(network))
    for tensor in tensors:
        name, scale = tensor.shape.name, 2.0**tensor.scale_bits
        units = sum(np.rint(delta[name] * scale).astype(np.int64) for delta in deltas)
        expected = (parent[name].astype(np.float64) + units / (3 * scale)).astype(np.float32)
        assert found[name].tobytes() == expected.tobytes()


def test_pieces_are_small():
    tensors = (PlannedTensor(TensorShape("a", (600_000,)), 24),)
    network = Network(sites_count=3, tensors=tensors)
    network.open_round()
    network.register_all()
    pieces = list(aggregate(io.BytesIO(network.model), verified(network), network.plan))
    assert max(len(piece) for piece in pieces) <= 1 << 20
    assert len(pieces) > 3


def test_extremes_neither_wrap_nor_round_before_the_division():
    """64 sites with the greatest weight and the greatest value: the sum passes 2^53 by far."""
    tensors = (PlannedTensor(TensorShape("a", (2,)), 0),)
    changes = {"max_abs": 2**31 - 1, "max_weight": 2**20 - 1, "max_norm": "999999999", "near_duplicate_cosine": "1"}
    network = Network(sites_count=64, tensors=tensors, plan_changes=changes)
    network.open_round(examples_per_weight=1)
    for site in network.sites:
        # All but one in three point the same way; the last digit differs, so that none is a duplicate.
        value = 400_000_000 + site.ordinal
        network.register(site, delta={"a": np.array([value, -value / 2 - 1])}, num_examples=2**20 - 1 - site.ordinal)
    updates = verified(network)
    weights = [2**20 - 1 - site.ordinal for site in network.sites]
    exact = sum(w * (400_000_000 + i) for i, w in enumerate(weights))
    assert exact > 2**53
    parent = parse_parameters(network.model)["a"]
    expected = as_single(as_double(Fraction(float(parent[0])) + as_double(as_double(Fraction(exact)) / sum(weights))))
    assert parse_parameters(summed(network, updates))["a"][0] == expected


def test_one_update_alone_is_the_parent_plus_its_delta():
    network = Network()
    network.open_round()
    network.register(network.sites[0], num_examples=1)
    delta = network.delta(network.sites[0])
    expected = reference(network, [delta], [1])
    found = parse_parameters(summed(network))
    assert all(found[name].tobytes() == expected[name].tobytes() for name in expected)


def test_a_sum_that_is_not_finite_in_float32_is_malformed():
    network = Network(sites_count=3)
    name = network.tensors[0].shape.name
    model = random_parameters(network.tensors, seed=1)
    model[name][0] = np.finfo(np.float32).max
    network.model = encode_parameters(model)
    network.open_round(
        tensors=tuple(PlannedTensor(t.shape, 0) for t in network.tensors), max_abs=2**31 - 1, max_norm="999999999"
    )
    updates = [network.register(site) for site in network.sites]
    assert updates
    # The greatest float32 plus less than half a unit in its last place is itself again: finite.
    assert np.isfinite(parse_parameters(summed(network))[name]).all()
    infinite = network.model.replace(model[name].tobytes(), np.full(3, np.inf, dtype=np.float32).tobytes())
    with pytest.raises(MalformedError, match="finite"):
        summed(network, parent=infinite)


def test_a_parent_that_is_not_the_plans_is_malformed():
    network = Network()
    network.open_round()
    network.register_all()
    updates = verified(network)
    other = encode_parameters(random_parameters(network.tensors[:2], seed=1))
    for parent in (b"", other, network.model[:-4], network.model + b"\x00", network.model[: len(network.model) // 2]):
        with pytest.raises(MalformedError):
            summed(network, updates, parent)


def test_no_update_at_all_is_malformed():
    network = Network()
    network.open_round()
    with pytest.raises(MalformedError):
        summed(network, [])


def test_one_update_cannot_be_summed_twice():
    network = Network()
    network.open_round()
    network.register_all()
    updates = verified(network)
    with pytest.raises(MalformedError):
        summed(network, [*updates, updates[0]])


def test_an_update_of_another_round_cannot_be_summed():
    network = Network()
    network.open_round()
    network.register_all()
    old = verified(network)
    network.conclude()
    network.open_round()
    with pytest.raises(MalformedError):
        summed(network, old)


def test_a_plaintext_does_not_outlive_its_turn(monkeypatch):
    network = Network(sites_count=3)
    network.open_round()
    network.register_all()
    updates = verified(network)
    handed_out = []
    original = type(updates[0]).values

    def values(self, chunk):
        handed_out.append(original(self, chunk))
        return handed_out[-1]

    monkeypatch.setattr(type(updates[0]), "values", values)
    summed(network, updates)
    assert len(handed_out) == 3
    assert not any(array.any() for array in handed_out)


def test_the_state_of_a_strategy_without_state_is_a_digest_of_nothing():
    assert digest_of("server-state", b"") == NO_SERVER_STATE
