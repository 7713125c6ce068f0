"""The site's global model as the second reader of medicine words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from learning.lexicon_index import LexiconIndex
from protocol.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from learning.recogniser import Reading, Recogniser
    from node.rounds.global_models import GlobalModels, ModelRecord
    from node.site import Site
    from protocol.identifiers import Digest, LineageId


@dataclass(frozen=True, slots=True)
class ModelReader:
    """One model, ready to read."""

    round: int
    """Of the model."""
    recogniser: Recogniser
    names: LexiconIndex
    threshold: float
    """Confidence, 0 to 1, below which it claims no name: ``abstain_below`` of the settings, else of its backbone."""

    def read(self, crops: Sequence[NDArray[np.uint8]]) -> list[Reading]:
        """What is written in each crop, uint8 [height, width]."""
        return self.recogniser.read_crops(crops, self.names, threshold=self.threshold) if crops else []


def open_model_reader(site: Site, models: GlobalModels, lineage_id: LineageId) -> ModelReader:
    """The reader of the model that the site uses for a lineage.

    Raises:
        ConfigError: The site takes no part in the lineage, or holds no model of it yet.
        StoreError: The model's file is damaged.
    """
    slug = site.lineage_ids.get(lineage_id)
    if slug is None:
        raise ConfigError("this site takes no part in that lineage", hint="see lineages in the node's settings")
    record = models.at_hand(lineage_id)
    if record is None:
        raise ConfigError(
            f"this site holds no global model of {slug} yet",
            hint="start the daemon (fedrx node run): it fetches the newest",
        )
    return _reader_of(site, models, record)


def open_other_readers(site: Site, models: GlobalModels, lineage_id: LineageId) -> dict[str, ModelReader]:
    """The readers of the site's other lineages, by slug; a lineage without a model is left out."""
    records = {slug: models.at_hand(other) for other, slug in site.lineage_ids.items() if other != lineage_id}
    return {slug: _reader_of(site, models, record) for slug, record in records.items() if record is not None}


class SecondReader:
    """The models in use, each opened when it is first asked for and again when the site adopts another.

    Args:
        site: Its first lineage with a model is read with; the models of the others check that reading.
        models: The global models that it has seen.
    """

    def __init__(self, site: Site, models: GlobalModels) -> None:
        self._site = site
        self._models = models
        self._open: dict[str, tuple[Digest, ModelReader]] = {}

    def __call__(self) -> ModelReader | None:
        """The reader; None while the site holds no model."""
        return next((self._reader(slug, record) for slug, record in self._held()), None)

    def others(self) -> dict[str, ModelReader]:
        """The readers of the other lineages with a model, by slug."""
        return {slug: self._reader(slug, record) for slug, record in self._held()[1:]}

    def _held(self) -> list[tuple[str, ModelRecord]]:
        found = ((slug, self._models.at_hand(lineage_id)) for lineage_id, slug in self._site.lineage_ids.items())
        return [(slug, record) for slug, record in found if record is not None]

    def _reader(self, slug: str, record: ModelRecord) -> ModelReader:
        opened = self._open.get(slug)
        if opened is None or opened[0] != record.digest:
            opened = self._open[slug] = record.digest, _reader_of(self._site, self._models, record)
        return opened[1]


def _reader_of(site: Site, models: GlobalModels, record: ModelRecord) -> ModelReader:
    parameters = models.parameters_of(record)
    backbone, told = site.backbones.of_model(parameters), site.settings.reading.abstain_below
    return ModelReader(
        round=record.round,
        recogniser=backbone.with_parameters(parameters),
        names=LexiconIndex.of(site.lexicon.names),
        threshold=backbone.calibration.abstain_below if told is None else told,
    )
