"""learning/training.py, learning/torch_scope.py"""

import dataclasses

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from learning.torch_scope import reproducible_torch
from learning.training import TrainingPlan, applied, sample_order, train
from protocol.errors import LearningError
from tests.learning.drawn_words import NAMES

# Labels that the backbone does not read from these crops, so that there is something to learn.
LABELS = tuple(reversed(NAMES))
EXPECTED_ORDER = [4, 5, 2, 7, 6, 0, 3, 1]
PLAN = TrainingPlan(epochs=3, batch_size=4, seed=7)


@pytest.fixture(scope="module")
def first(backbone, features, device):
    seen = []
    result = train(backbone, backbone.initial_parameters(), features, LABELS, PLAN, device, seen.append)
    return result, seen


def delta_bytes(result):
    return b"".join(name.encode() + tensor.tobytes() for name, tensor in result.delta.items())


def test_training_lowers_the_loss(first):
    result, _ = first
    assert len(result.losses) == 3
    assert result.losses[-1] < result.losses[0]
    assert (result.num_examples, result.epochs) == (len(LABELS), 3)


def test_the_delta_has_the_names_and_shapes_of_the_scope(first, backbone):
    result, _ = first
    assert [(name, tensor.shape) for name, tensor in result.delta.items()] == list(backbone.scope_tensors())
    for tensor in result.delta.values():
        assert tensor.dtype == np.float32
        assert np.any(tensor != 0)
        assert not tensor.flags.writeable


def test_the_way_of_an_accelerator_taken_by_the_processor_gives_the_same_bytes(first, backbone, features, device):
    # "cpu:0" is the processor under a name that is not the default's: tensors move, kernels need not be deterministic.
    named = dataclasses.replace(device, torch_device="cpu:0")
    again = train(backbone, backbone.initial_parameters(), features, LABELS, PLAN, named)
    assert delta_bytes(again) == delta_bytes(first[0])


class _Devices(TorchFunctionMode):
    """Notes what is copied to the processor, and what the CTC loss is given."""

    def __init__(self):
        super().__init__()
        self.copied, self.scored = [], []

    def __torch_function__(self, function, types, args=(), kwargs=None):
        found = function(*args, **(kwargs or {}))
        if function is torch.Tensor.cpu:
            self.copied.append(found)
        if function is functional.ctc_loss:
            self.scored.append(args[0])
        return found


def test_the_loss_is_given_what_was_copied_to_the_processor_whatever_the_device(backbone, features, device):
    named = dataclasses.replace(device, torch_device="cpu:0")
    with _Devices() as devices:
        train(backbone, backbone.initial_parameters(), features[:2], LABELS[:2], TrainingPlan(), named)
    assert len(devices.scored) == 1
    assert any(copy is devices.scored[0] for copy in devices.copied)


def test_progress_is_told_after_each_step(first):
    _, seen = first
    assert [(p.epoch, p.step, p.steps) for p in seen] == [
        (1, 1, 6),
        (1, 2, 6),
        (2, 3, 6),
        (2, 4, 6),
        (3, 5, 6),
        (3, 6, 6),
    ]


def test_the_same_seed_and_data_give_the_same_bytes(first, backbone, features, device):
    again = train(backbone, backbone.initial_parameters(), features, LABELS, PLAN, device)
    assert delta_bytes(again) == delta_bytes(first[0])
    assert again.losses == first[0].losses


def test_another_seed_gives_another_update(first, backbone, features, device):
    plan = dataclasses.replace(PLAN, seed=8)
    assert delta_bytes(train(backbone, backbone.initial_parameters(), features, LABELS, plan, device)) != delta_bytes(
        first[0]
    )


def test_the_parent_is_not_changed_and_the_frozen_tail_neither(first, backbone, features, device):
    parent = backbone.initial_parameters()
    before = {name: tensor.copy() for name, tensor in parent.items()}
    frozen = {name: tensor.clone() for name, tensor in backbone._shared._tail.items()}
    train(backbone, parent, features[:2], LABELS[:2], TrainingPlan(), device)
    assert all(np.array_equal(parent[name], before[name]) for name in parent)
    assert all(torch.equal(tensor, backbone._shared._tail[name]) for name, tensor in frozen.items())


def test_the_applied_delta_reads_better_than_the_parent(first, backbone, features, device):
    result, _ = first
    child = applied(backbone.initial_parameters(), result.delta)
    after = train(backbone, child, features, LABELS, TrainingPlan(batch_size=4, seed=7), device)
    assert after.losses[0] < result.losses[0]


def test_a_device_with_little_memory_takes_smaller_steps(backbone, features, device):
    seen = []
    small = dataclasses.replace(device, batch_size=3)
    train(backbone, backbone.initial_parameters(), features, LABELS, TrainingPlan(), small, seen.append)
    assert len(seen) == 3


def test_an_error_in_progress_ends_training_and_restores_torch(backbone, features, device):
    class StopAskedError(Exception):
        pass

    def stop(_):
        raise StopAskedError

    before = (torch.get_num_threads(), torch.are_deterministic_algorithms_enabled())
    with pytest.raises(StopAskedError):
        train(backbone, backbone.initial_parameters(), features, LABELS, PLAN, device, stop)
    assert (torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()) == before


def test_the_switches_of_torch_are_put_back():
    before = torch.get_num_threads()
    with reproducible_torch(1):
        assert torch.are_deterministic_algorithms_enabled()
        assert torch.get_num_threads() == 1
    assert not torch.are_deterministic_algorithms_enabled()
    assert torch.get_num_threads() == before


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ((), "nothing to train"),
        (("Napa",), "do not fit"),
        (("Napa",) * 7 + ("নাপা",), "cannot write"),
        (("Napa",) * 7 + ("",), "empty"),
        (("Napa",) * 7 + ("aa" * 22,), "does not fit 63 frames"),
    ],
)
def test_samples_that_cannot_be_trained_are_refused(backbone, features, device, labels, message):
    with pytest.raises(LearningError, match=message):
        train(backbone, backbone.initial_parameters(), features, labels, PLAN, device)


def test_a_loss_that_is_not_finite_is_an_error(backbone, features, device):
    broken = features[:2].copy()
    broken[0] = np.nan
    with pytest.raises(LearningError, match="diverged"):
        train(backbone, backbone.initial_parameters(), broken, LABELS[:2], TrainingPlan(), device)


@pytest.mark.parametrize(
    "change", [{"epochs": 0}, {"batch_size": 0}, {"learning_rate": 0.0}, {"learning_rate": float("nan")}, {"seed": -1}]
)
def test_an_unsound_plan_is_refused(change):
    with pytest.raises(LearningError):
        TrainingPlan(**change)


@given(st.integers(0, 2**64 - 1), st.integers(1, 100), st.integers(0, 50))
def test_an_order_is_a_permutation(seed, epoch, count):
    assert sorted(sample_order(seed, epoch, count)) == list(range(count))


def test_the_order_is_the_one_of_the_specification():
    assert sample_order(1, 1, 8) == EXPECTED_ORDER
    assert sample_order(1, 2, 8) != EXPECTED_ORDER
