"""The recogniser of PP-OCRv6 (small), opened: its ONNX graph becomes a frozen front and the tensors of its tail.

The graph is cut where the picture has become one row of 40 columns. What lies before stays an ONNX graph; the weights
of what lies behind are given out under names of our own, each BatchNorm folded into the convolution before it.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx
import onnx.numpy_helper
import onnx.utils

from learning.alphabet import BLANK, LATIN
from learning.published import PP_OCR_V6, read_published
from protocol.errors import LearningError

_INPUT, _CUT = "x", "p2o.pd_op.pool2d.1.0"
_BATCH_NORM_EPSILON = 1e-5
_CONVOLUTIONS = (
    ("skip", "conv2d_67", "batch_norm2d_57"),
    ("reduce", "conv2d_65", "batch_norm2d_55"),
    ("local", "conv2d_66", "batch_norm2d_56"),
)
_NORMS = (("block0.norm1", 0), ("block0.norm2", 2), ("block1.norm1", 4), ("block1.norm2", 6), ("norm", 8))
"""Weights of a LayerNorm are the graph's ``helper.reshape.N``, its bias ``helper.reshape.N+1``."""
_LINEARS = (
    *((f"block0.{layer}", number) for number, layer in enumerate(("qkv", "projection", "expand", "contract"))),
    *((f"block1.{layer}", number) for number, layer in enumerate(("qkv", "projection", "expand", "contract"), 4)),
)
_HEAD = "linear_8"
_SPACE = " "

Tensors = Mapping[str, npt.NDArray[np.float32]]


@dataclass(frozen=True, slots=True)
class OpenedRecogniser:
    """A published recogniser in two parts."""

    front: bytes
    """An ONNX model: float32 [1, 3, 48, 320] to float32 [1, 384, 1, 40]."""
    tail: Tensors
    """Everything behind it, float32, as torch lays it out; the prediction layer has the rows of ``LATIN`` alone."""


def published_model_path() -> Path:
    """Where the package ``rapidocr`` put the recogniser.

    Raises:
        LearningError: The package is not installed.
    """
    found = importlib.util.find_spec("rapidocr")
    if found is None or found.origin is None:
        raise LearningError("the package rapidocr is not installed", hint="pip install rapidocr")
    return Path(found.origin).parent / "models" / "PP-OCRv6_rec_small.onnx"


def open_recogniser(path: Path) -> OpenedRecogniser:
    """Reads the published file, and cuts it.

    Raises:
        LearningError: The file cannot be read, or is not the published one.
    """
    content = read_published(PP_OCR_V6, path, "PP-OCRv6", "rapidocr==3.10.0")
    model = onnx.load_model_from_string(content)
    front: onnx.ModelProto = onnx.utils.Extractor(model).extract_model([_INPUT], [_CUT])
    weights = {tensor.name: tensor for tensor in model.graph.initializer}
    symbols = next(entry.value for entry in model.metadata_props if entry.key == "character").splitlines()
    return OpenedRecogniser(front.SerializeToString(), _tail(weights, _rows(symbols)))


def _rows(symbols: list[str]) -> list[int]:
    """Rows of the full prediction layer that write ``LATIN``: row 0 is the blank, the last one the space."""
    row_of = {symbol: row for row, symbol in enumerate([*symbols, _SPACE], start=1)}
    return [BLANK, *(row_of[character] for character in LATIN.characters)]


def _tail(weights: Mapping[str, onnx.TensorProto], rows: list[int]) -> dict[str, npt.NDArray[np.float32]]:
    def read(name: str) -> npt.NDArray[np.float32]:
        return np.asarray(onnx.numpy_helper.to_array(weights[name]), dtype=np.float32)

    tail: dict[str, npt.NDArray[np.float32]] = {}
    for layer, convolution, norm in _CONVOLUTIONS:
        scale, shift, mean, variance = (
            read(f"{norm}.{part}").astype(np.float64) for part in ("w_0", "b_0", "w_1", "w_2")
        )
        factor = scale / np.sqrt(variance + _BATCH_NORM_EPSILON)
        kernel = read(f"{convolution}.w_0").astype(np.float64) * factor[:, None, None, None]
        tail[f"{layer}.weight"] = kernel.astype(np.float32)
        tail[f"{layer}.bias"] = (shift - mean * factor).astype(np.float32)
    for layer, number in _NORMS:
        tail[f"{layer}.weight"] = read(f"helper.reshape.{number}").reshape(-1).copy()
        tail[f"{layer}.bias"] = read(f"helper.reshape.{number + 1}").reshape(-1).copy()
    for layer, number in _LINEARS:
        # The graph multiplies from the right, torch's linear layer holds the transpose.
        tail[f"{layer}.weight"] = read(f"linear_{number}.w_0").T.copy()
        tail[f"{layer}.bias"] = read(f"linear_{number}.b_0").copy()
    tail["head.weight"] = read(f"{_HEAD}.w_0").T[rows]
    tail["head.bias"] = read(f"{_HEAD}.b_0")[rows]
    return tail
