"""docs/spec/verification.md, step 10."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from protocol import duplicates
from protocol.duplicates import find_duplicates, scalar_products
from protocol.plan import PlannedTensor
from protocol.tensors import TensorShape
from protocol.update import delta_digest, encode_delta
from protocol.verdicts import VerdictCode
from protocol.verification import verify_update
from tests.protocol.builders import Network, random_delta

EXACT, NEAR = VerdictCode.DUPLICATE_EXACT, VerdictCode.DUPLICATE_NEAR


def network_of(count: int, **changes) -> Network:
    network = Network(sites_count=count, **changes)
    network.open_round()
    return network


def verified(network: Network):
    context = network.context
    key = network.aggregators[0].key
    return [verify_update(network.fetched(r), r, context, key) for r in context.view.registrations]


def found(network: Network) -> dict[int, VerdictCode]:
    return find_duplicates(verified(network), network.plan)


def scaled(delta, factor):
    return {name: values * factor for name, values in delta.items()}


def test_independent_updates_are_no_duplicates():
    network = network_of(5)
    network.register_all()
    assert found(network) == {}


def test_an_exact_copy_is_refused_and_the_earlier_stays():
    network = network_of(4)
    for site in network.sites[1:]:
        network.register(site)
    network.register(network.sites[0], delta=network.delta(network.sites[2]))
    assert found(network) == {3: EXACT}


def test_the_copy_registered_first_stays():
    network = network_of(3)
    network.register(network.sites[2], delta=network.delta(network.sites[0]))
    network.register(network.sites[0])
    network.register(network.sites[1])
    assert found(network) == {1: EXACT}


@pytest.mark.parametrize("factor", [0.5, 2, 3.7])
def test_a_scaled_copy_is_near(factor):
    network = network_of(2)
    network.register(network.sites[0])
    network.register(network.sites[1], delta=scaled(network.delta(network.sites[0]), factor))
    assert found(network) == {1: NEAR}


def test_a_copy_with_a_little_noise_is_near_and_with_much_is_not():
    network = network_of(3)
    base = network.delta(network.sites[0])
    noise = random_delta(network.tensors, seed=99)
    network.register(network.sites[0])
    network.register(network.sites[1], delta={n: base[n] + 0.1 * noise[n] for n in base})
    network.register(network.sites[2], delta={n: base[n] + 2.0 * noise[n] for n in base})
    assert found(network) == {1: NEAR}


def test_what_only_resembles_a_refused_update_stays():
    """A chain a ~ b ~ c with a and c apart: b goes, c stays."""
    network = network_of(3, plan_changes={"near_duplicate_cosine": "0.9"})
    a, orthogonal = random_delta(network.tensors, seed=1), random_delta(network.tensors, seed=2)
    for site, turn in zip(network.sites, (0.0, 0.35, 0.7), strict=True):
        delta = {n: np.cos(turn) * a[n] + np.sin(turn) * orthogonal[n] for n in a}
        network.register(site, delta=delta)
    assert found(network) == {1: NEAR}


def test_a_copy_turned_round_is_no_copy():
    network = network_of(2)
    network.register(network.sites[0])
    network.register(network.sites[1], delta=scaled(network.delta(network.sites[0]), -1))
    assert found(network) == {}


def test_two_zero_updates_are_exact_duplicates():
    network = network_of(2)
    for site in network.sites:
        network.register(site, delta=scaled(network.delta(site), 0))
    assert found(network) == {1: EXACT}


def test_the_threshold_is_reached_exactly_at_one():
    network = network_of(2, plan_changes={"near_duplicate_cosine": "1"})
    whole = {n: np.round(v * 1000) for n, v in network.delta(network.sites[0]).items()}
    network.register(network.sites[0], delta=scaled(whole, 2.0**-12))
    network.register(network.sites[1], delta=scaled(whole, 2.0**-11))
    assert found(network) == {1: NEAR}


def integers(network: Network, site) -> list[int]:
    """A site's fixed-point values at the finest scale, by Python's integers alone."""
    finest = max(t.scale_bits for t in network.tensors)
    delta = network.delta(site)
    return [
        round(float(value) * 2**t.scale_bits) << (finest - t.scale_bits)
        for t in network.tensors
        for value in delta[t.shape.name].ravel()
    ]


def test_scalar_products_equal_those_of_big_integers_with_several_scales():
    network = network_of(4)
    network.register_all()
    vectors = [integers(network, site) for site in network.sites]
    expected = {
        (i, j): sum(a * b for a, b in zip(vectors[i], vectors[j], strict=True))
        for i, j in itertools.combinations(range(4), 2)
    }
    updates = verified(network)
    assert scalar_products(updates, network.plan) == expected
    assert [u.squared_norm for u in updates] == [sum(v * v for v in vector) for vector in vectors]


@pytest.mark.parametrize("tile", [1, 2, 3, 8, 32])
def test_tiles_of_any_size_give_the_same_answer(tile, monkeypatch):
    network = network_of(11)
    for site in network.sites[:9]:
        network.register(site)
    network.register(network.sites[9], delta=scaled(network.delta(network.sites[1]), 2))
    network.register(network.sites[10], delta=network.delta(network.sites[8]))
    updates = verified(network)
    expected = scalar_products(updates, network.plan)
    monkeypatch.setattr(duplicates, "TILE", tile)
    assert scalar_products(updates, network.plan) == expected
    assert find_duplicates(updates, network.plan) == {9: NEAR, 10: EXACT}
    assert find_duplicates(updates[::-1], network.plan) == {9: NEAR, 10: EXACT}


def test_products_are_exact_across_chunk_borders():
    tensors = (
        PlannedTensor(TensorShape("a", (300_001,)), 24),
        PlannedTensor(TensorShape("b", (3,)), 20),
        PlannedTensor(TensorShape("c", (250_000,)), 22),
    )
    network = network_of(2, tensors=tensors)
    network.register_all()
    left, right = (integers(network, site) for site in network.sites)
    assert verified(network)[0].chunk_count > 2
    products = scalar_products(verified(network), network.plan)
    assert products == {(0, 1): sum(a * b for a, b in zip(left, right, strict=True))}


def test_fresh_salts_and_weights_do_not_hide_a_copy():
    network = network_of(2)
    body = encode_delta(network.delta(network.sites[0]), network.plan)
    one = network.register(network.sites[0], encoded=body, num_examples=1)
    two = network.register(network.sites[1], encoded=body, num_examples=3000)
    assert one.event.parameters_commitment != two.event.parameters_commitment
    assert one.event.envelope_digest != two.event.envelope_digest
    assert {u.manifest.delta_digest for u in verified(network)} == {delta_digest(body)}
    assert found(network) == {1: EXACT}
