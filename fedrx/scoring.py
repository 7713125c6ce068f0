"""The making of a scores file: one model after another, written after each, gone on with where an earlier run ended."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from audit.published_models import PublishedModel, published_models
from audit.scores import MILLION, Exam, ModelScore, Scores, encode_scores, packed, words_digest
from fedrx.examination import Competing, Examination
from gateways.data_folder import write_atomically
from protocol.errors import AuditError, ConfigError, LearningError
from protocol.parameters import parse_parameters

if TYPE_CHECKING:
    from fedrx.labelled_words import LabelledWords
    from protocol.history import LineageView
    from protocol.identifiers import LineageId
    from protocol.ports import ChainIdentity

_ANOTHER_FILE = "name another file with -o, or move this one away"


class Scoring:
    """A scores file in the making.

    Args:
        words: The exam.
        competing: Names that a word may say.
        identity: The deployment.
        lineage: Whose models are scored.
        out: The file; it is whole after every model.
        software: What scores, with its version.
    """

    def __init__(
        self,
        words: LabelledWords,
        competing: Competing,
        identity: ChainIdentity,
        lineage: LineageView,
        out: Path,
        software: str,
    ) -> None:
        self._words = words
        self._competing = competing
        self._identity = identity
        self._lineage = lineage
        self._out = out
        self._software = software
        self._digest = words_digest(tuple(zip(words.files, words.labels, strict=True)))
        self._opened: tuple[Examination, str] | None = None
        self._scores: Scores | None = None

    @property
    def lineage_id(self) -> LineageId:
        """Whose models are scored."""
        return self._lineage.created.lineage_id

    @property
    def scores(self) -> Scores | None:
        """What is scored so far; None before the first model."""
        return self._scores

    def go_on_from(self, earlier: Scores) -> None:
        """Takes over what an earlier run scored.

        Raises:
            ConfigError: It is of another deployment, lineage or exam: nothing of it is overwritten.
            AuditError: It names a model that the chain does not have there.
        """
        if earlier.identity != self._identity or earlier.lineage_id != self.lineage_id:
            raise ConfigError(f"{self._out} holds scores of another deployment or lineage", hint=_ANOTHER_FILE)
        if earlier.exam != self._exam(earlier.exam.scope):
            raise ConfigError(f"{self._out} holds scores of another exam", hint=_ANOTHER_FILE)
        known = {(model.round, model.digest) for model in published_models(self._lineage)}
        for score in earlier.models:
            if (score.round, score.model_digest) not in known:
                raise AuditError(
                    f"{self._out} scores {score.model_digest} as round {score.round}, which published no such model",
                    hint=_ANOTHER_FILE,
                )
        self._scores = earlier

    def has(self, model: PublishedModel) -> bool:
        """Whether a model is scored already."""
        return self._scores is not None and any(score.round == model.round for score in self._scores.models)

    def score(self, model: PublishedModel, content: bytes) -> None:
        """Scores one model and writes the file.

        Args:
            model: Which.
            content: Its published bytes, checked against its digest.

        Raises:
            ConfigError: What was taken over is of another scope.
            LearningError: This version knows no backbone and scope of such a model, or they are not the lineage's.
            MalformedError: The bytes are no model.
            StoreError: The file cannot be written.
        """
        from learning.evaluation import score_of  # noqa: PLC0415 - torch loads for seconds

        if self._opened is None:
            self._opened = self._open(content)
        examination, scope = self._opened
        scores = self._scores or Scores(self._identity, self.lineage_id, self._exam(scope), ())
        if scores.exam.scope != scope:
            raise ConfigError(f"{self._out} holds scores of another scope than {scope}", hint=_ANOTHER_FILE)
        right = examination.right(content)
        found = score_of(sum(right), len(right))
        scored = ModelScore(
            model.round,
            model.digest,
            math.floor(found.low * MILLION),
            math.ceil(found.high * MILLION),
            packed(right),
            self._software,
        )
        models = sorted([*scores.models, scored], key=lambda one: one.round)
        self._scores = replace(scores, models=tuple(models))
        write_atomically(self._out, encode_scores(self._scores))

    def _open(self, content: bytes) -> tuple[Examination, str]:
        """The words before the backbone that these tensors belong to, and their scope: the chain does not name it."""
        from learning.backbones import backbone_of, scope_of  # noqa: PLC0415 - torch loads for seconds

        published, scope = scope_of(parse_parameters(content).keys())
        if published.digest != self._lineage.created.backbone_digest:
            raise LearningError(
                f"it is a model of {published.name}, which is not the lineage's backbone", hint="run fedrx audit replay"
            )
        return Examination(self._words, self._competing.names, backbone_of(published.digest, scope)), scope

    def _exam(self, scope: str) -> Exam:
        return Exam(
            self._digest,
            len(self._words.labels),
            self._competing.lexicon_digest,
            self._lineage.created.backbone_digest,
            scope,
        )
