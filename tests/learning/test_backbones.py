"""learning/backbones.py, learning/published.py, learning/shared_scope.py: what every backbone and scope promises."""

import math

import numpy as np
import pytest
import torch

from learning.backbones import OpenBackbones, backbone_of, make_backbone, scope_of
from learning.published import PUBLISHED
from learning.training import TrainingPlan, train
from protocol.errors import LearningError
from protocol.identifiers import digest_of
from tests.learning.drawn_words import NAMES

LABELS = tuple(reversed(NAMES))
PLAN = TrainingPlan(epochs=2, batch_size=4, seed=7)
SCOPES = [(published.name, scope) for published in PUBLISHED for scope in published.scopes]
FLOATS = {
    ("english-g2", "last-conv"): 287_329,
    ("english-g2", "head"): 24_929,
    ("english-g2", "bilstm"): 2_655_329,
    ("pp-ocr-v6", "neck"): 338_377,
    ("pp-ocr-v6", "head"): 11_737,
}


@pytest.fixture(scope="module", params=SCOPES, ids="/".join)
def opened(request):
    return make_backbone(*request.param)


@pytest.fixture(scope="module")
def opened_features(opened, crops):
    return opened.front_features(crops)


def trained(backbone, features, device):
    return train(backbone, backbone.initial_parameters(), features, LABELS, PLAN, device)


def test_a_scope_has_its_number_of_floats(opened):
    found = sum(math.prod(shape) for _, shape in opened.scope_tensors())
    assert found == FLOATS[opened.name, opened.scope]


def test_every_backbone_writes_the_same_letters():
    assert len({make_backbone(published.name).alphabet for published in PUBLISHED}) == 1


def test_every_tensor_of_the_scope_learns_and_nothing_else(opened, opened_features, device):
    before = {name: tensor.clone() for name, tensor in opened._shared._tail.items()}
    result = trained(opened, opened_features, device)
    assert result.losses[-1] < result.losses[0]
    assert [(name, tensor.shape) for name, tensor in result.delta.items()] == list(opened.scope_tensors())
    assert all(np.any(tensor != 0) for tensor in result.delta.values())
    assert all(torch.equal(before[name], tensor) for name, tensor in opened._shared._tail.items())


def test_the_same_seed_and_words_give_the_same_bytes(opened, opened_features, device):
    first, second = (trained(opened, opened_features, device) for _ in range(2))
    assert first.losses == second.losses
    assert all(first.delta[name].tobytes() == second.delta[name].tobytes() for name in first.delta)


def test_initial_parameters_are_copies(opened):
    name = opened.scope_tensors()[0][0]
    opened.initial_parameters()[name][:] = 7
    assert np.any(opened.initial_parameters()[name] != 7)


def test_a_model_is_known_by_the_names_of_its_tensors(opened):
    published, scope = scope_of(opened.initial_parameters())
    assert (published.name, published.digest, scope) == (opened.name, opened.digest, opened.scope)


def test_a_lineages_digest_and_a_plans_scope_open_it(opened):
    again = backbone_of(opened.digest, opened.scope)
    assert (again.name, again.scope) == (opened.name, opened.scope)


def test_a_backbone_stays_open():
    shelf = OpenBackbones()
    first = shelf.of(PUBLISHED[0].digest, "head")
    assert shelf.of(PUBLISHED[0].digest, "head") is first
    assert shelf.of_model(first.initial_parameters()) is first


@pytest.mark.parametrize("published", PUBLISHED, ids=lambda published: published.name)
def test_the_scopes_of_a_backbone_share_one_copy_of_its_weights(published):
    first, *others = (make_backbone(published.name, scope) for scope in published.scopes)
    for other in others:
        assert other._front is first._front
        for name, tensor in other._shared._tail.items():
            assert tensor.data_ptr() == first._shared._tail[name].data_ptr()


@pytest.mark.parametrize(
    ("ask", "message"),
    [
        (lambda: make_backbone("resnet"), "no backbone 'resnet'"),
        (lambda: make_backbone("english-g2", "neck"), "english-g2 has no scope 'neck'"),
        (lambda: backbone_of(digest_of("other"), "head"), "knows no backbone"),
        (lambda: backbone_of(PUBLISHED[1].digest, "last-conv"), "pp-ocr-v6 has no scope"),
        (lambda: scope_of(["other.weight"]), "no known scope"),
        (lambda: scope_of([]), "no known scope"),
    ],
)
def test_what_is_not_known_is_refused(ask, message):
    with pytest.raises(LearningError, match=message):
        ask()


def test_the_first_scope_is_the_default():
    assert make_backbone("english-g2").scope == "last-conv"
    assert make_backbone("pp-ocr-v6").scope == "neck"
