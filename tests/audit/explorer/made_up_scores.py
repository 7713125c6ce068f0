"""A scores file of a made-up network: its models learn, and sometimes forget."""

from __future__ import annotations

import math
import random
from collections.abc import Collection

from audit.lineage import generations
from audit.scores import MILLION, Exam, ModelScore, Scores, packed
from learning.evaluation import score_of
from protocol.history import History
from protocol.ports import ChainIdentity
from tests.audit.explorer.made_up import MadeUpNetwork, digest, lineage_id

WORDS = 400


def made_up_scores(network: MadeUpNetwork, identity: ChainIdentity, *, without: Collection[int] = ()) -> Scores:
    """Genesis and every model, but those of some rounds."""
    chance = random.Random(7)
    right = [chance.random() < 0.8 for _ in range(WORDS)]
    lineage = History(network.events).lineages[lineage_id()]
    models = []
    for model in generations(lineage):
        right = [chance.random() < 0.9 if chance.random() < 0.05 else answer for answer in right]
        number = lineage.created.genesis_round if model.round is None else model.round
        found = score_of(sum(right), WORDS)
        interval = math.floor(found.low * MILLION), math.ceil(found.high * MILLION)
        if number not in without:
            models.append(ModelScore(number, model.digest, *interval, packed(right), "fedrx 1"))
    exam = Exam(digest("words"), WORDS, None, lineage.created.backbone_digest, "neck")
    return Scores(identity, lineage_id(), exam, tuple(models))
