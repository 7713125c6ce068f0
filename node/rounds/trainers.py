"""A site's trainers: one for each backbone and scope that its lineages name, opened when it is first needed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from node.rounds.features import FeatureCache, forget_features
from node.rounds.local_training import Trainer
from protocol.errors import LearningError
from protocol.parameters import parse_parameters

if TYPE_CHECKING:
    from learning.backbones import OpenBackbones
    from learning.device import DeviceProfile
    from learning.lexicon_index import LexiconIndex
    from protocol.identifiers import Digest


class Trainers:
    """Finds the trainer of a lineage by what the chain and the lineage's models say, never by a setting.

    Args:
        folder: Private folder of cached features.
        store_key: 32 bytes; see ``FeatureCache``.
        backbones: Opens them.
        device: Threads and batch.
        names: The site's medicine names.
    """

    def __init__(
        self, folder: Path, store_key: bytes, backbones: OpenBackbones, device: DeviceProfile, names: LexiconIndex
    ) -> None:
        self._folder = folder
        self._store_key = store_key
        self._backbones = backbones
        self._device = device
        self._names = names
        self._trainers: dict[tuple[Digest, str], Trainer] = {}

    def of(self, backbone_digest: Digest, scope: str) -> Trainer:
        """The trainer of a backbone, as its lineage names it on chain, and of a scope, as a plan names it.

        Raises:
            LearningError: This version knows no such backbone or scope, or the weights are not the published ones.
        """
        key = (backbone_digest, scope)
        if key not in self._trainers:
            backbone = self._backbones.of(backbone_digest, scope)
            cache = FeatureCache(self._folder, self._store_key, backbone)
            self._trainers[key] = Trainer(backbone, cache, self._device, self._names)
        return self._trainers[key]

    def of_model(self, backbone_digest: Digest, model: Path) -> Trainer:
        """The trainer of a lineage's model: its tensors tell the scope.

        Raises:
            LearningError: The model is of no known scope, or of another backbone than its lineage.
            MalformedError: The file is no model.
        """
        backbone = self._backbones.of_model(parse_parameters(model.read_bytes()))
        if backbone.digest != backbone_digest:
            raise LearningError(f"the model is one of {backbone.name}, its lineage names another backbone")
        return self.of(backbone_digest, backbone.scope)

    def forget_all_but(self, sample_ids: frozenset[bytes]) -> None:
        """Removes cached features of samples that no longer train, whichever backbone made them."""
        forget_features(self._folder, sample_ids)
