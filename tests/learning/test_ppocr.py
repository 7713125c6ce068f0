"""learning/ppocr.py, learning/ppocr_weights.py: the rebuilt tail is the published one."""

import math

import cv2
import numpy as np
import onnxruntime
import pytest
import torch
from rapidocr.ch_ppocr_rec import TextRecognizer

from learning.alphabet import LATIN
from learning.ppocr import PPOCRv6
from learning.ppocr_weights import published_model_path
from learning.published import PP_OCR_V6
from learning.word_image import fit_line
from protocol.errors import LearningError
from tests.learning.drawn_words import NAMES


@pytest.fixture(scope="module")
def ppocr():
    return PPOCRv6()


@pytest.fixture(scope="module")
def ppocr_features(ppocr, crops):
    return ppocr.front_features(crops)


@pytest.fixture(scope="module")
def published():
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(published_model_path(), options, providers=["CPUExecutionProvider"])


def published_shares(published, crops):
    """What the published graph says of the rows that are kept: shares of 97 that sum to 1."""
    symbols = published.get_modelmeta().custom_metadata_map["character"].splitlines()
    rows = [0, *(([*symbols, " "].index(character) + 1) for character in LATIN.characters)]
    pictures = np.stack([np.stack([fit_line(crop, 48, 320)] * 3) for crop in crops])
    kept = published.run(None, {"x": pictures})[0][:, :, rows]
    return kept / kept.sum(axis=2, keepdims=True)


def rebuilt_shares(backbone, features):
    parameters = {name: torch.from_numpy(tensor) for name, tensor in backbone.initial_parameters().items()}
    with torch.inference_mode():
        logits = backbone.frame_logits(parameters, torch.as_tensor(features, dtype=torch.float32))
    return torch.softmax(logits, dim=2).numpy()


def exact_features(backbone, crops):
    pictures = np.stack([np.stack([fit_line(crop, 48, 320)] * 3) for crop in crops])
    return backbone._front.run(None, {"x": pictures})[0]


@pytest.mark.parametrize(("scope", "tensors", "floats"), [("neck", 34, 338_377), ("head", 2, 11_737)])
def test_a_scope_has_its_tensors_and_floats(scope, tensors, floats):
    backbone = PPOCRv6(scope)
    shapes = backbone.scope_tensors()
    assert (backbone.scope, len(shapes), sum(math.prod(shape) for _, shape in shapes)) == (scope, tensors, floats)
    assert [name for name, _ in shapes] == sorted(name for name, _ in shapes)


def test_an_unknown_scope_is_refused_with_those_there_are():
    with pytest.raises(LearningError, match="no scope 'last-conv'") as refused:
        PPOCRv6("last-conv")
    assert refused.value.hint == "it has neck, head"


def test_the_rebuilt_tail_says_what_the_published_graph_says(ppocr, published, crops):
    wanted = published_shares(published, crops)
    assert np.abs(rebuilt_shares(ppocr, exact_features(ppocr, crops)) - wanted).max() < 1e-4


def test_half_precision_features_change_it_by_less_than_a_thousandth(ppocr, ppocr_features, published, crops):
    assert ppocr_features.dtype == np.float16
    assert ppocr_features.shape == (len(crops), 384, 1, 40)
    assert np.abs(rebuilt_shares(ppocr, ppocr_features) - published_shares(published, crops)).max() < 1e-3


def test_both_scopes_read_alike_before_training(ppocr, ppocr_features):
    assert np.array_equal(rebuilt_shares(ppocr, ppocr_features), rebuilt_shares(PPOCRv6("head"), ppocr_features))


def test_the_drawn_words_are_read(ppocr, ppocr_features):
    best = rebuilt_shares(ppocr, ppocr_features).argmax(axis=2)
    assert [LATIN.decode_greedy(row) for row in best] == list(NAMES)


def test_a_crops_features_do_not_depend_on_its_neighbours(ppocr, ppocr_features, crops):
    assert np.array_equal(ppocr.front_features(crops[3:4])[0], ppocr_features[3])
    assert np.array_equal(ppocr.front_features(crops[::-1])[::-1], ppocr_features)


def test_no_crops_give_no_features(ppocr):
    assert ppocr.front_features([]).shape == (0, *ppocr.feature_shape)


@pytest.mark.parametrize("shape", [(48, 320), (40, 160), (31, 77), (90, 333), (200, 60)])
def test_a_crop_is_prepared_as_rapidocr_prepares_it(shape):
    crop = np.random.default_rng(3).integers(0, 256, shape, dtype=np.uint8)
    recogniser = TextRecognizer.__new__(TextRecognizer)
    recogniser.rec_image_shape = [3, 48, 320]
    wanted = recogniser.resize_norm_img(cv2.cvtColor(crop, cv2.COLOR_GRAY2BGR), 320 / 48)
    found = fit_line(crop, 48, 320)
    assert all(np.abs(found - channel).max() < 1e-6 for channel in wanted)


@pytest.mark.parametrize("shape", [(1, 1), (1, 3000), (3000, 1), (300, 5000)])
def test_every_size_of_crop_fills_the_grid(shape):
    grid = fit_line(np.full(shape, 255, np.uint8), 48, 320)
    assert (grid.shape, grid.dtype) == ((48, 320), np.float32)
    assert set(np.unique(grid)) <= {0, 1}


@pytest.mark.parametrize(
    "crop",
    [np.zeros((5, 5, 3), np.uint8), np.zeros((5, 5), np.float32), np.zeros((0, 5), np.uint8)],
    ids=["colour", "floats", "empty"],
)
def test_a_crop_that_is_not_a_grey_image_is_refused(ppocr, crop):
    with pytest.raises(LearningError, match="uint8"):
        ppocr.front_features([crop])


def test_a_flipped_byte_in_the_weights_is_refused(tmp_path):
    content = bytearray(published_model_path().read_bytes())
    content[len(content) // 2] ^= 1
    copy = tmp_path / "recogniser.onnx"
    copy.write_bytes(content)
    with pytest.raises(LearningError, match="is not the PP-OCRv6 file"):
        PPOCRv6(weights=copy)


def test_missing_weights_say_what_to_install(tmp_path):
    with pytest.raises(LearningError, match="cannot be read") as refused:
        PPOCRv6(weights=tmp_path / "none.onnx")
    assert "pip install rapidocr" in refused.value.hint


def test_the_digest_is_the_one_that_the_lineage_names(ppocr):
    assert ppocr.digest == PP_OCR_V6.digest
