"""Where in a word each letter of a spelling was seen: the most probable CTC alignment, and its columns in the crop.

A. Graves et al., "Connectionist Temporal Classification", ICML 2006, section 4.1: a path says one symbol a frame,
blanks between letters are free, and two equal letters need one between them. Here the best path is kept, not the sum.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from learning.alphabet import BLANK
from protocol.errors import LearningError


@dataclass(frozen=True, slots=True)
class LetterFrames:
    """The frames in which one letter was seen."""

    first: int
    """0-based."""
    last: int
    """The last one itself."""
    probability: float
    """Mean probability of the letter in its frames, 0 to 1."""


def align(spelling: Sequence[int], log_probs: npt.NDArray[np.float32]) -> tuple[LetterFrames, ...]:
    """The most probable path that collapses to a spelling (Viterbi); of equal ones, the one that moves on latest.

    Args:
        spelling: Symbol indices, each in 1 to symbols - 1, as ``Alphabet.encode`` gives them.
        log_probs: float32 [frames, symbols], log-softmax of one crop.

    Returns:
        One for each symbol, in order; no two share a frame.

    Raises:
        LearningError: The spelling is empty, or needs more frames than there are.
    """
    if not spelling:
        raise LearningError("an empty spelling is nowhere in a word")
    path = _best_path(np.asarray(spelling), log_probs.astype(np.float64))
    found = []
    for position, symbol in enumerate(spelling):
        frames = np.flatnonzero(path == 2 * position + 1)
        probability = float(np.exp(log_probs[frames, symbol].astype(np.float64)).mean())
        found.append(LetterFrames(int(frames[0]), int(frames[-1]), min(1.0, probability)))
    return tuple(found)


def _best_path(spelling: npt.NDArray[np.int64], log_probs: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    """For each frame a state: 2 i + 1 is letter i, even states are the blanks around the letters."""
    states = np.full(2 * len(spelling) + 1, BLANK)
    states[1::2] = spelling
    skips = np.zeros(len(states), dtype=np.bool_)
    skips[3::2] = spelling[1:] != spelling[:-1]
    emitted = log_probs[:, states]
    came_from = np.zeros(emitted.shape, dtype=np.int64)
    best = np.full(len(states), -np.inf)
    best[:2] = emitted[0, :2]
    for frame in range(1, len(emitted)):
        arrivals = np.full((3, len(states)), -np.inf)
        arrivals[0] = best
        arrivals[1, 1:] = best[:-1]
        arrivals[2, 2:] = np.where(skips[2:], best[:-2], -np.inf)
        came_from[frame] = arrivals.argmax(axis=0)
        best = arrivals.max(axis=0) + emitted[frame]
    state = len(states) - 1 - int(best[-2] > best[-1])
    if best[state] == -np.inf:
        raise LearningError(f"{len(spelling)} letters have no path through {len(emitted)} frames")
    path = np.empty(len(emitted), dtype=np.int64)
    for frame in range(len(emitted) - 1, -1, -1):
        path[frame] = state
        state -= int(came_from[frame, state])
    return path


def frame_columns(
    frames: int, crop_shape: tuple[int, int], input_height: int, input_width: int
) -> npt.NDArray[np.float64]:
    """Which columns of a crop each frame stands for.

    A backbone scales a crop to its input's height, squeezes what is wider than the input and pads the right
    (``word_image.fit_word``). Its frames stand a whole number of input columns apart, and about the input's middle.

    Args:
        frames: Of the backbone, at least 1.
        crop_shape: Rows and columns of the crop.
        input_height: Rows that the backbone looks at.
        input_width: Columns that the backbone looks at, at least ``frames``.

    Returns:
        float64 [frames, 2]: left and right edge in columns of the crop, 0 to its width. The outermost frames reach to
        the input's ends. Both edges of a frame over the padding are the crop's width: it stands for nothing.
    """
    rows, columns = crop_shape
    scaled_width = min(input_width, max(1, math.ceil(input_height * columns / rows)))
    stride = input_width // frames
    edges = (input_width - frames * stride) / 2 + stride * np.arange(frames + 1, dtype=np.float64)
    edges[0], edges[-1] = 0, input_width
    edges = np.minimum(edges, scaled_width) * (columns / scaled_width)
    return np.stack([edges[:-1], edges[1:]], axis=1)
