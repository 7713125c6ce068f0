"""learning/frozen_lstm.py: torch's own layer is the reference."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from learning.frozen_lstm import frozen_bilstm
from learning.torch_scope import reproducible_torch

SIZES = st.tuples(st.integers(1, 6), st.integers(1, 4), st.integers(1, 5), st.integers(1, 5))


def layer_of(inputs, hidden, seed):
    torch.manual_seed(seed)
    return torch.nn.LSTM(inputs, hidden, bidirectional=True)


def weights_of(layer):
    return [weight.detach() for weight in layer.all_weights[0] + layer.all_weights[1]]


def both(function, sequence, upstream):
    """The output, and the gradient of the input."""
    leaf = sequence.clone().requires_grad_()
    found = function(leaf)
    found.backward(upstream)
    return found.detach(), leaf.grad


def assert_close(found, expected):
    for ours, theirs in zip(found, expected, strict=True):
        # The floor is for tiny layers, whose sums may cancel.
        assert (ours - theirs).abs().max() <= 1e-5 * theirs.abs().max() + 1e-7


@settings(deadline=None, max_examples=25)
@given(SIZES, st.integers(0, 2**32 - 1))
def test_output_and_gradient_are_those_of_torchs_layer(sizes, seed):
    frames, crops, inputs, hidden = sizes
    layer = layer_of(inputs, hidden, seed)
    sequence, upstream = torch.randn(frames, crops, inputs), torch.randn(frames, crops, 2 * hidden)
    assert_close(
        both(lambda leaf: frozen_bilstm(leaf, weights_of(layer)), sequence, upstream),
        both(lambda leaf: layer(leaf)[0], sequence, upstream),
    )


def test_so_they_are_in_the_size_that_is_trained():
    layer = layer_of(256, 256, 1)
    sequence, upstream = torch.randn(63, 32, 256), torch.randn(63, 32, 512)
    assert_close(
        both(lambda leaf: frozen_bilstm(leaf, weights_of(layer)), sequence, upstream),
        both(lambda leaf: layer(leaf)[0], sequence, upstream),
    )


def test_the_same_input_gives_the_same_bytes_with_a_gradient_and_without():
    weights = weights_of(layer_of(8, 8, 2))
    sequence, upstream = torch.randn(9, 5, 8), torch.randn(9, 5, 16)
    with reproducible_torch(1):
        first, second = (both(lambda leaf: frozen_bilstm(leaf, weights), sequence, upstream) for _ in range(2))
        with torch.inference_mode():
            read = frozen_bilstm(sequence, weights)
    assert all(torch.equal(one, other) for one, other in zip(first, second, strict=True))
    assert torch.equal(read, first[0])


def test_neither_input_nor_weights_nor_upstream_are_written_to():
    weights = weights_of(layer_of(3, 4, 3))
    given_in = [*weights, torch.randn(5, 2, 3), torch.randn(5, 2, 8)]
    before = [tensor.clone() for tensor in given_in]
    both(lambda leaf: frozen_bilstm(leaf, weights), given_in[-2], given_in[-1])
    assert all(torch.equal(tensor, kept) for tensor, kept in zip(given_in, before, strict=True))


def test_a_second_backward_pass_is_refused_and_not_wrong():
    leaf = torch.randn(4, 2, 3, requires_grad=True)
    found = frozen_bilstm(leaf, weights_of(layer_of(3, 4, 4))).sum()
    found.backward(retain_graph=True)
    with pytest.raises(RuntimeError, match="inplace"):
        found.backward()
