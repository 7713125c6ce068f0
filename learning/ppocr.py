"""The recogniser of PP-OCRv6 (small) as a backbone: an SVTR-like neck and a CTC head behind a frozen front.

Its letters are those of ``english-g2``, in the same order, so that two lineages can check each other word by word.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import MappingProxyType

import numpy as np
import numpy.typing as npt
import onnxruntime
import torch
from torch.nn import functional

from learning.alphabet import LATIN
from learning.backbone import GreyCrop, Parameters, check_parameters
from learning.ppocr_weights import open_recogniser, published_model_path
from learning.published import PP_OCR_V6
from learning.recogniser import Recogniser
from learning.shared_scope import SharedScope
from learning.word_image import fit_line

_WIDTH, _HEADS = 120, 8
_BLOCK_EPSILON, _LAST_EPSILON = 1e-5, 1e-6
"""Of the LayerNorms, as the published graph has them."""
_WARNINGS_AND_WORSE = 2


class PPOCRv6:
    """The backbone ``pp-ocr-v6``: grey 48 x 320 in, 40 frames of 97 symbols out.

    The published prediction layer writes 18,709 symbols. Of these the 96 of ``learning.alphabet.LATIN`` are kept, the
    space among them, behind the blank at index 0: what a Latin prescription cannot hold is neither shared nor scored.

    Args:
        scope: ``"neck"`` (everything behind the front, 338,377 floats) or ``"head"`` (the prediction layer, 11,737).
        weights: The published file; the one of the installed package ``rapidocr`` by default.
        threads: Threads of one operation in the front and while reading.

    Raises:
        LearningError: There is no such scope; the file is missing or is not the published one.
    """

    name = PP_OCR_V6.name
    digest = PP_OCR_V6.digest
    calibration = PP_OCR_V6.calibration
    alphabet = LATIN
    input_shape = (48, 320)
    feature_shape = (384, 1, 40)
    frames = 40

    def __init__(self, scope: str = PP_OCR_V6.default_scope, *, weights: Path | None = None, threads: int = 1) -> None:
        opened = _open(weights or published_model_path(), threads)
        self.threads = threads
        self._front = opened.front
        self._shared = SharedScope(PP_OCR_V6, scope, opened.tail)

    @property
    def scope(self) -> str:
        """``"neck"`` or ``"head"``."""
        return self._shared.name

    def scope_tensors(self) -> tuple[tuple[str, tuple[int, ...]], ...]:
        """The scope's tensors, named by ``learning.ppocr_weights``; see ``Backbone.scope_tensors``."""
        return self._shared.tensors()

    def initial_parameters(self) -> dict[str, npt.NDArray[np.float32]]:
        """The scope as published, BatchNorms folded, rows of other symbols left out."""
        return self._shared.initial_parameters()

    def front_features(self, crops: Sequence[GreyCrop]) -> npt.NDArray[np.float16]:
        """Runs the ONNX graph up to its last pooling; see ``Backbone.front_features``."""
        features = np.empty((len(crops), *self.feature_shape), dtype=np.float16)
        # One at a time: a crop's features never depend on its neighbours.
        for position, crop in enumerate(crops):
            line = fit_line(crop, *self.input_shape)
            (features[position : position + 1],) = self._front.run(None, {"x": np.stack([line] * 3)[None]})
        return features

    def frame_logits(self, parameters: Mapping[str, torch.Tensor], features: torch.Tensor) -> torch.Tensor:
        """Two ways through the neck, joined before the head; see ``Backbone.frame_logits``."""
        tail = self._shared.completed(parameters, features.device)
        skipped = _convolved(tail, "skip", features)
        reduced = _convolved(tail, "reduce", features)
        mixed = reduced + _convolved(tail, "local", reduced)
        sequence = mixed.squeeze(2).transpose(1, 2)  # [n, 40, 120]
        for block in ("block0", "block1"):
            sequence = sequence + _attended(tail, block, _normed(tail, f"{block}.norm1", sequence, _BLOCK_EPSILON))
            expanded = _linear(tail, f"{block}.expand", _normed(tail, f"{block}.norm2", sequence, _BLOCK_EPSILON))
            sequence = sequence + _linear(tail, f"{block}.contract", functional.silu(expanded))
        sequence = _normed(tail, "norm", sequence, _LAST_EPSILON)
        return _linear(tail, "head", sequence + skipped.squeeze(2).transpose(1, 2))

    def with_parameters(self, parameters: Parameters) -> Recogniser:
        """A reader with these parameters; see ``Backbone.with_parameters``."""
        check_parameters(self, parameters)
        return Recogniser(self, {name: torch.from_numpy(np.array(tensor)) for name, tensor in parameters.items()})


@dataclass(frozen=True, slots=True)
class _Opened:
    """The published recogniser, shared by the scopes of a process: nothing writes to it."""

    front: onnxruntime.InferenceSession
    tail: Mapping[str, torch.Tensor]


@cache
def _open(path: Path, threads: int) -> _Opened:
    opened = open_recogniser(path)
    tail = {name: torch.from_numpy(tensor) for name, tensor in opened.tail.items()}
    return _Opened(_session(opened.front, threads), MappingProxyType(tail))


def _session(model: bytes, threads: int) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = _WARNINGS_AND_WORSE
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def _convolved(tail: Mapping[str, torch.Tensor], layer: str, picture: torch.Tensor) -> torch.Tensor:
    """A convolution along the row and SiLU; one kernel a channel where the weights have one input channel."""
    kernel = tail[f"{layer}.weight"]
    groups = picture.shape[1] // kernel.shape[1]
    padding = (0, kernel.shape[3] // 2)
    return functional.silu(functional.conv2d(picture, kernel, tail[f"{layer}.bias"], padding=padding, groups=groups))


def _linear(tail: Mapping[str, torch.Tensor], layer: str, sequence: torch.Tensor) -> torch.Tensor:
    return functional.linear(sequence, tail[f"{layer}.weight"], tail[f"{layer}.bias"])


def _normed(tail: Mapping[str, torch.Tensor], layer: str, sequence: torch.Tensor, epsilon: float) -> torch.Tensor:
    return functional.layer_norm(sequence, (_WIDTH,), tail[f"{layer}.weight"], tail[f"{layer}.bias"], epsilon)


def _attended(tail: Mapping[str, torch.Tensor], block: str, sequence: torch.Tensor) -> torch.Tensor:
    """Multi-head self-attention over the frames, [n, frames, 120] to the same shape."""
    count, frames, _ = sequence.shape
    split = _linear(tail, f"{block}.qkv", sequence).reshape(count, frames, 3, _HEADS, _WIDTH // _HEADS)
    queries, keys, values = split.permute(2, 0, 3, 1, 4)  # each [n, heads, frames, 15]
    shares = torch.softmax(queries * (_WIDTH // _HEADS) ** -0.5 @ keys.transpose(2, 3), dim=3)
    joined = (shares @ values).transpose(1, 2).reshape(count, frames, _WIDTH)
    return _linear(tail, f"{block}.projection", joined)
