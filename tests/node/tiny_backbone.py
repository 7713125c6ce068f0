"""Backbones that train in milliseconds, and the device that they train on."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch.nn import functional

from learning.alphabet import Alphabet
from learning.backbone import check_parameters
from learning.calibration import Calibration
from learning.device import DeviceProfile
from learning.recogniser import Recogniser
from learning.word_image import fit_word
from protocol.errors import LearningError
from protocol.identifiers import Digest, digest_of


class TinyBackbone:
    """A backbone that trains in milliseconds: a crop of 8 x 24 pixels, a linear layer over each column."""

    name = "tiny"
    digest = Digest(digest_of("tiny-backbone"))
    calibration = Calibration(temperature=0.4, none_of_these=-2.5, abstain_below=0.5)
    scope = "last-conv"
    layer = "head"
    alphabet = Alphabet("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
    threads = 1
    input_shape = (8, 24)
    feature_shape = (1, 8, 24)
    frames = 24

    def scope_tensors(self) -> tuple[tuple[str, tuple[int, ...]], ...]:
        rows, _ = self.input_shape
        return ((f"{self.layer}.bias", (self.alphabet.size,)), (f"{self.layer}.weight", (self.alphabet.size, rows)))

    def initial_parameters(self) -> dict[str, np.ndarray]:
        rng = np.random.default_rng(5)
        return {name: rng.normal(scale=0.1, size=shape).astype(np.float32) for name, shape in self.scope_tensors()}

    def front_features(self, crops: Sequence[np.ndarray]) -> np.ndarray:
        return np.stack([fit_word(crop, *self.input_shape)[np.newaxis].astype(np.float16) for crop in crops])

    def frame_logits(self, parameters: Mapping[str, torch.Tensor], features: torch.Tensor) -> torch.Tensor:
        weight, bias = parameters[f"{self.layer}.weight"], parameters[f"{self.layer}.bias"]
        return functional.linear(features[:, 0].transpose(1, 2), weight, bias)

    def with_parameters(self, parameters: Mapping[str, np.ndarray]) -> Recogniser:
        check_parameters(self, parameters)
        return Recogniser(self, {name: torch.from_numpy(np.array(value)) for name, value in parameters.items()})


class OtherBackbone(TinyBackbone):
    """A second one: another digest, other tensors, another grid."""

    name = "other"
    digest = Digest(digest_of("other-backbone"))
    scope = "tail"
    layer = "tail"
    input_shape = (6, 26)
    feature_shape = (1, 6, 26)
    frames = 26


class FewBackbones:
    """What ``learning.backbones.OpenBackbones`` does, for these alone."""

    def __init__(self, *backbones: Any) -> None:
        self.backbones = backbones

    def of(self, digest: Digest, scope: str) -> Any:
        return self._first(lambda backbone: (backbone.digest, backbone.scope) == (digest, scope))

    def of_model(self, tensors: Collection[str]) -> Any:
        return self._first(lambda backbone: {name for name, _ in backbone.scope_tensors()} == set(tensors))

    def _first(self, fits: Callable[[Any], bool]) -> Any:
        for backbone in self.backbones:
            if fits(backbone):
                return backbone
        raise LearningError("this version knows no such backbone or scope")


DEVICE = DeviceProfile(
    cores=1,
    memory_total_bytes=2**33,
    memory_available_bytes=2**32,
    accelerator=None,
    threads=1,
    torch_device="cpu",
    batch_size=32,
)
