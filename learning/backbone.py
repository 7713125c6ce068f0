"""What a backbone promises: a frozen front, a small shared scope, and a tail that can be trained.

A backbone is split once. The *front* never changes, so its output is computed once for each crop and cached. The
*scope* is what sites train and share. Whatever lies between and behind (a BiLSTM, a neck) is frozen too, but gradients
pass through it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

import numpy as np
import numpy.typing as npt

from protocol.errors import LearningError

if TYPE_CHECKING:
    import torch

    from learning.alphabet import Alphabet
    from learning.calibration import Calibration
    from learning.recogniser import Recogniser
    from protocol.identifiers import Digest

Parameters = Mapping[str, npt.NDArray[np.float32]]
"""The tensors of the scope by name, float32, as ``scope_tensors`` lists them."""

GreyCrop = npt.NDArray[np.uint8]
"""One word image: uint8 [height, width], 0 is black."""

Features = npt.NDArray[np.float16] | npt.NDArray[np.float32]
"""Output of a front: [crops, channels, height, width]."""


class Backbone(Protocol):
    """A published network whose digest a lineage names at genesis."""

    @property
    def name(self) -> str:
        """Slug, such as ``"english-g2"``."""

    @property
    def digest(self) -> Digest:
        """SHA-256 of the published weights file, as ``sha256sum`` prints it."""

    @property
    def scope(self) -> str:
        """Slug of what is shared, such as ``"last-conv"``; a round's plan names it."""

    @property
    def alphabet(self) -> Alphabet:
        """What the prediction layer writes."""

    @property
    def calibration(self) -> Calibration:
        """What its scores mean."""

    @property
    def input_shape(self) -> tuple[int, int]:
        """Rows and columns to which a crop is fitted before the front."""

    @property
    def threads(self) -> int:
        """Threads of one torch operation outside training."""

    @property
    def feature_shape(self) -> tuple[int, int, int]:
        """Channels, height and width of one crop's features."""

    @property
    def frames(self) -> int:
        """Time steps of the prediction: no label with more symbols can be written."""

    def scope_tensors(self) -> tuple[tuple[str, tuple[int, ...]], ...]:
        """Name and shape of each shared tensor, sorted by name."""

    def initial_parameters(self) -> dict[str, npt.NDArray[np.float32]]:
        """A copy of the scope as published, before any training."""

    def front_features(self, crops: Sequence[GreyCrop]) -> npt.NDArray[np.float16]:
        """Runs the frozen front.

        Args:
            crops: Word images of any size.

        Returns:
            float16 [crops, *feature_shape]; a crop's features do not depend on the other crops.

        Raises:
            LearningError: A crop is not a non-empty uint8 [height, width] array.
        """

    def frame_logits(self, parameters: Mapping[str, torch.Tensor], features: torch.Tensor) -> torch.Tensor:
        """The part behind the front, differentiable in ``parameters``.

        Args:
            parameters: The scope as float32 tensors.
            features: float32 [crops, *feature_shape].

        Returns:
            float32 [crops, frames, alphabet.size], before the softmax.
        """

    def with_parameters(self, parameters: Parameters) -> Recogniser:
        """A reader with these parameters; they are copied.

        Raises:
            LearningError: The tensors are not those of the scope.
        """


def check_parameters(backbone: Backbone, parameters: Parameters) -> None:
    """Checks names, shapes, dtype and finiteness against the scope.

    Raises:
        LearningError: The first difference found.
    """
    expected = dict(backbone.scope_tensors())
    if set(parameters) != set(expected):
        odd = ", ".join(sorted(set(parameters) ^ set(expected)))
        raise LearningError(f"the parameters do not fit {backbone.name}: missing or unknown {odd}")
    for name, shape in expected.items():
        tensor = parameters[name]
        if tensor.shape != shape or tensor.dtype != np.float32:
            raise LearningError(f"{name} must be float32 {shape}, not {tensor.dtype} {tensor.shape}")
        if not np.isfinite(tensor).all():
            raise LearningError(f"{name} holds a value that is not finite")
