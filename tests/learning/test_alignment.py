"""learning/alignment.py"""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from learning.alignment import align, frame_columns
from learning.alphabet import Alphabet
from learning.backbones import make_backbone
from learning.word_image import fit_word
from protocol.errors import LearningError
from tests.learning.drawn_words import draw_word

SMALL = Alphabet("ab")


def log_probs_of(seed: int, frames: int) -> np.ndarray:
    return np.log(np.random.default_rng(seed).dirichlet(np.ones(3), size=frames)).astype(np.float32)


def path_of(letters, spelling, frames: int) -> list[int]:
    path = [0] * frames
    for letter, symbol in zip(letters, spelling, strict=True):
        path[letter.first : letter.last + 1] = [symbol] * (letter.last + 1 - letter.first)
    return path


@given(
    st.text(alphabet="ab", min_size=1, max_size=4),
    st.integers(min_value=1, max_value=7),
    st.integers(min_value=0, max_value=2**32 - 1),
)
def test_the_alignment_is_the_best_of_all_paths_that_say_the_word(text, frames, seed):
    spelling, log_probs = SMALL.encode(text), log_probs_of(seed, frames)
    scores = {
        path: sum(float(log_probs[frame, symbol]) for frame, symbol in enumerate(path))
        for path in itertools.product(range(3), repeat=frames)
        if SMALL.decode_greedy(path) == text
    }
    if not scores:
        with pytest.raises(LearningError, match="no path"):
            align(spelling, log_probs)
        return
    letters = align(spelling, log_probs)
    path = tuple(path_of(letters, spelling, frames))
    assert path in scores
    assert scores[path] == pytest.approx(max(scores.values()), abs=1e-6)
    for letter, symbol in zip(letters, spelling, strict=True):
        seen = np.exp(log_probs[letter.first : letter.last + 1, symbol])
        assert letter.probability == pytest.approx(seen.mean(), abs=1e-6)


def test_two_equal_letters_have_a_blank_between_them():
    log_probs = np.log(np.array([[0.05, 0.9, 0.05]] * 3, dtype=np.float32))
    first, second = align(SMALL.encode("aa"), log_probs)
    assert (first.last, second.first) == (0, 2)


def test_a_spelling_longer_than_the_frames_has_no_path():
    with pytest.raises(LearningError, match="4 letters have no path through 3 frames"):
        align(SMALL.encode("abab"), log_probs_of(1, 3))


def test_an_empty_spelling_is_refused():
    with pytest.raises(LearningError, match="empty"):
        align((), log_probs_of(1, 3))


@given(
    st.integers(min_value=4, max_value=300),
    st.integers(min_value=1, max_value=900),
    st.sampled_from([(63, 64, 256), (40, 48, 320)]),
)
def test_the_frames_cover_the_crop_once_and_in_order(rows, columns, grid):
    frames, height, width = grid
    edges = frame_columns(frames, (rows, columns), height, width)
    assert edges.shape == (frames, 2)
    assert (edges[0, 0], edges[-1, 1]) == (0, pytest.approx(columns))
    assert np.array_equal(edges[1:, 0], edges[:-1, 1])
    assert (np.diff(edges, axis=1) >= 0).all()


def test_frames_over_the_padding_stand_for_nothing():
    edges = frame_columns(63, (64, 100), 64, 256)
    beyond = edges[edges[:, 0] >= 100]
    assert len(beyond) > 30
    assert (beyond == 100).all()


def test_a_frame_of_english_g2_is_four_columns_wide_and_centred_on_its_ink():
    edges = frame_columns(63, (64, 256), 64, 256)
    assert tuple(edges[10]) == (42, 46)


def test_a_mark_in_the_crop_is_found_under_the_frame_that_sees_it(backbone):
    """The columns follow the network: a dot disturbs the frames around it most."""
    plain = np.full((64, 200), 240, np.uint8)
    for column in (40, 100, 160):
        marked = plain.copy()
        marked[20:44, column - 3 : column + 3] = 20
        ours, bare = (backbone.front_features([crop])[0].astype(np.float32) for crop in (marked, plain))
        change = np.abs(ours - bare).sum(axis=(0, 1))
        across = frame_columns(change.size, (64, 200), 64, 256)
        assert across[int(change.argmax())].mean() == pytest.approx(column, abs=8)
        assert fit_word(marked, 64, 256)[32, column] < 0


@pytest.mark.parametrize("name", ["english-g2", "pp-ocr-v6"])
def test_the_letters_of_a_drawn_word_stand_where_they_were_drawn(name):
    backbone, crop = make_backbone(name, "head"), draw_word("Baclofen", 60)
    recogniser = backbone.with_parameters(backbone.initial_parameters())
    (log_probs,) = recogniser.frame_log_probs(backbone.front_features([crop]))
    letters = align(backbone.alphabet.encode("Baclofen"), log_probs)
    edges = frame_columns(backbone.frames, crop.shape, *backbone.input_shape)
    ink = np.flatnonzero((crop < 128).any(axis=0))
    for position, letter in enumerate(letters):
        middle = (edges[letter.first, 0] + edges[letter.last, 1]) / 2
        share = (middle - ink[0]) / (ink[-1] - ink[0])
        assert share == pytest.approx((position + 0.5) / 8, abs=0.13)
        assert letter.probability > 0.5
