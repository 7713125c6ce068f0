"""A BiLSTM whose weights are frozen: its backward pass works out the gradient of the input, and none of the weights.

The layer is torch's (gates in the order input, forget, cell, output; S. Hochreiter and J. Schmidhuber, "Long Short-Term
Memory", 1997, with the forget gate of F. Gers et al., 2000). torch's own kernel works out the gradients of the weights
too, a third of all its multiplications, and cannot be told not to.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import torch
from torch.autograd.function import once_differentiable

_GATES = 4


def frozen_bilstm(sequence: torch.Tensor, weights: Sequence[torch.Tensor]) -> torch.Tensor:
    """One bidirectional layer that starts from zeros, differentiable in its input alone, and once.

    Args:
        sequence: float32 [frames, crops, inputs].
        weights: weight_ih [4 hidden, inputs], weight_hh [4 hidden, hidden], bias_ih and bias_hh [4 hidden] of the
            direction that starts at the first frame, then those of the other. They get no gradient.

    Returns:
        float32 [frames, crops, 2 hidden], the directions beside each other.
    """
    return cast("torch.Tensor", _FrozenBiLstm.apply(sequence, *weights))


class _FrozenBiLstm(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, sequence: torch.Tensor, *weights: torch.Tensor) -> torch.Tensor:
        frames, crops, inputs = sequence.shape
        size = weights[1].shape[1]
        rows = sequence.reshape(frames * crops, inputs)
        hidden = sequence.new_empty(frames, crops, 2 * size)
        kept = []
        for backwards, states in enumerate(hidden.chunk(2, dim=2)):
            weight_ih, weight_hh, bias_ih, bias_hh = weights[4 * backwards : 4 * backwards + 4]
            # The input's share of all gates is one product; only the hidden state's must wait for the frame before.
            gates = torch.addmm(bias_ih + bias_hh, rows, weight_ih.T).view(frames, crops, _GATES * size)
            cells, bounded = sequence.new_empty(2, frames, crops, size)
            _run_forwards(_in_time(backwards, gates, states, cells, bounded), weight_hh.T)
            kept += [gates, cells, bounded, weight_ih, weight_hh]
        ctx.save_for_backward(*kept)
        return hidden

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        saved = ctx.saved_tensors
        (frames, crops, width), inputs = grad.shape, saved[3].shape[1]
        found = grad.new_zeros(frames * crops, inputs)
        for backwards, from_above in enumerate(grad.chunk(2, dim=2)):
            gates, cells, bounded, weight_ih, weight_hh = saved[5 * backwards : 5 * backwards + 5]
            _run_backwards(_in_time(backwards, from_above, gates, cells, bounded), weight_hh)
            found.addmm_(gates.view(frames * crops, 2 * width), weight_ih)
        return found.view(frames, crops, inputs), *[None] * 8


def _in_time(backwards: int, *tensors: torch.Tensor) -> list[tuple[torch.Tensor, ...]]:
    """What belongs to each frame, in the order in which a direction passes through the frames."""
    steps = list(zip(*tensors, strict=True))
    return steps[::-1] if backwards else steps


def _run_forwards(steps: list[tuple[torch.Tensor, ...]], weight_hh: torch.Tensor) -> None:
    """Turns the input's share of the gates into gates, and fills in states, cells and the cells' tanh."""
    before: tuple[torch.Tensor, torch.Tensor] | None = None
    for gates, state, cell, tanh_cell in steps:
        i, f, g, o = gates.chunk(_GATES, dim=1)
        if before is not None:
            gates.addmm_(before[0], weight_hh)
        gates[:, : 2 * g.shape[1]].sigmoid_()
        g.tanh_()
        o.sigmoid_()
        torch.mul(i, g, out=cell)
        if before is not None:
            cell.addcmul_(f, before[1])
        torch.tanh(cell, out=tanh_cell)
        torch.mul(o, tanh_cell, out=state)
        before = state, cell


def _run_backwards(steps: list[tuple[torch.Tensor, ...]], weight_hh: torch.Tensor) -> None:
    """Puts in each gate's place the loss's derivative by what the gate squashed.

    In place, because fresh memory costs more than these small products leave; autograd refuses a second pass itself.
    """
    cell_grad, first, second, third = (torch.zeros_like(steps[0][2]) for _ in range(4))
    before = [torch.zeros_like(cell_grad), *(step[2] for step in steps[:-1])]
    after: torch.Tensor | None = None
    for (from_above, gates, _, tanh_cell), cell_before in zip(reversed(steps), reversed(before), strict=True):
        i, f, g, o = gates.chunk(_GATES, dim=1)
        state_grad = from_above if after is None else torch.addmm(from_above, after, weight_hh, out=first)
        torch.mul(state_grad, o, out=second)
        cell_grad.add_(second)
        second.mul_(tanh_cell)
        cell_grad.addcmul_(second, tanh_cell, value=-1)
        torch.addcmul(second, second, o, value=-1, out=o)
        torch.mul(cell_grad, i, out=second)
        torch.mul(second, g, out=third)
        torch.addcmul(second, third, g, value=-1, out=g)
        torch.addcmul(third, third, i, value=-1, out=i)
        cell_grad.mul_(f)
        torch.mul(cell_grad, cell_before, out=third)
        torch.addcmul(third, third, f, value=-1, out=f)
        after = gates
