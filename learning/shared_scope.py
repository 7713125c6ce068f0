"""The tensors behind a front: those of the scope, which sites train and share, and those that stay as published."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from protocol.errors import LearningError

if TYPE_CHECKING:
    import torch

    from learning.published import Published


class SharedScope:
    """A tail split in two.

    Args:
        published: Whose tail.
        scope: Which of its scopes.
        tail: Every tensor behind the front, float32, as published.

    Raises:
        LearningError: The backbone has no such scope.
    """

    def __init__(self, published: Published, scope: str, tail: Mapping[str, torch.Tensor]) -> None:
        if scope not in published.scopes:
            raise LearningError(
                f"the backbone {published.name} has no scope {scope!r:.80}",
                hint=f"it has {', '.join(published.scopes)}",
            )
        self.name = scope
        self._names = published.scopes[scope]
        self._tail = MappingProxyType({name: tensor.detach() for name, tensor in tail.items()})

    def tensors(self) -> tuple[tuple[str, tuple[int, ...]], ...]:
        """Name and shape of each shared tensor, sorted by name."""
        return tuple((name, tuple(self._tail[name].shape)) for name in self._names)

    def initial_parameters(self) -> dict[str, npt.NDArray[np.float32]]:
        """A copy of the shared tensors as published, float32."""
        return {name: self._tail[name].numpy().astype("<f4") for name in self._names}

    def completed(self, parameters: Mapping[str, torch.Tensor], device: torch.device) -> dict[str, torch.Tensor]:
        """The whole tail on a device: the caller's tensors, and beside them what is frozen."""
        return {name: parameters.get(name, tensor).to(device) for name, tensor in self._tail.items()}
