"""What sites reach without each other: the same training from the same plans, and each keeps its own update."""

from __future__ import annotations

import time

from aggregator.models import shapes_of_file
from aggregator.planning import build_plan
from aggregator.round_files import RoundFiles, WrittenModel
from aggregator.settings import LineageSettings
from benchmarks.federated.data import Shares
from benchmarks.federated.event_log import AGGREGATOR, EventLog
from benchmarks.federated.rounds import Numbers, trained_numbers, unwatched
from learning.backbone import Backbone
from learning.training import applied
from node.rounds.local_training import Trainer
from protocol.identifiers import Digest, site_id_of
from protocol.parameters import encode_parameters, parse_parameters
from protocol.plan import Recipient
from protocol.recipient_keys import RecipientPrivateKey


class AloneRun:
    """Sites that never share anything; with one site this is central training.

    Args:
        settings: Of the aggregator whose plans they follow.
        shares: The sites' words.
        backbone: Theirs.
        trainer: Theirs.
        files: Where their models go.
        models: Each site's model to go on from.
    """

    def __init__(
        self,
        settings: LineageSettings,
        shares: Shares,
        backbone: Backbone,
        trainer: Trainer,
        files: RoundFiles,
        models: dict[str, WrittenModel],
    ) -> None:
        self._settings, self._shares, self._trainer, self._files = settings, shares, trainer, files
        self._models = models
        public = RecipientPrivateKey.generate().public_key()
        self._recipients = (Recipient("aggregator", Digest(AGGREGATOR), public),)
        first = next(iter(models.values()))
        head = (first.digest, first.cid)
        self._log = EventLog(settings.lineage_id, tuple(shares), backbone.digest, public, head, 0)

    def round(self, number: int) -> tuple[dict[str, WrittenModel], Numbers]:
        """Every site trains on; the new models are complete on disk when it returns."""
        sites = {}
        for slug, parent in self._models.items():
            started = time.monotonic()
            shapes = shapes_of_file(parent.path)
            plan = build_plan(self._log.lineage, self._settings, number, shapes, self._recipients)
            update = self._trainer.fit(parent.path, self._shares[slug], plan, site_id_of(slug), unwatched)
            own = encode_parameters(applied(parse_parameters(parent.path.read_bytes()), update.delta))
            self._models[slug] = self._files.write_model(slug, number, [own])
            sites[slug] = trained_numbers(update, time.monotonic() - started)
        return dict(self._models), {"sites": sites}
