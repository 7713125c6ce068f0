"""How well models read and how that moved, in words: from scores files, because the chain does not hold it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final

from audit.scores import MAX_SCORES_FILE_BYTES, MILLION, Exam, ModelScore, Scores, parse_scores
from audit.small_files import parsed, read_small
from protocol.errors import AuditError, ConfigError
from protocol.identifiers import Digest, LineageId
from protocol.ports import ChainIdentity

CHANCE = 0.05
"""Below it a change is called more than chance."""
_MAKER = "fedrx audit score"


@dataclass(frozen=True, slots=True)
class Movement:
    """From one model to another on the same words."""

    gained: int
    """Words that the second reads right and the first did not."""
    lost: int
    """The other way round."""

    @property
    def p_value(self) -> float:
        """Probability of a split at least as uneven if either way were as likely (``sign_test``)."""
        return sign_test(self.gained, self.lost)

    @property
    def more_than_chance(self) -> bool:
        """Whether that is below ``CHANCE``."""
        return self.p_value < CHANCE


@dataclass(frozen=True, slots=True)
class ScoredModel:
    """How one model reads, and against which other one it is held."""

    exam: Exam
    score: ModelScore
    parent: ModelScore | None
    """The model that it was made from; None where that one was not scored or there is none."""

    @property
    def movement(self) -> Movement | None:
        """Since the parent."""
        return None if self.parent is None else movement(self.parent, self.score)

    @property
    def share(self) -> float:
        """Of the words that are read right, in 0 … 1."""
        return self.score.correct / self.exam.words

    @property
    def low(self) -> float:
        """Where its 95 % interval begins, in 0 … 1."""
        return self.score.low_millionths / MILLION

    @property
    def high(self) -> float:
        """Where its 95 % interval ends, in 0 … 1."""
        return self.score.high_millionths / MILLION

    @property
    def text(self) -> str:
        """``358 of 400 words (89.5 %, 86.1 to 92.1)``."""
        interval = f"{100 * self.low:.1f} to {100 * self.high:.1f}"
        return f"{self.score.correct} of {self.exam.words} words ({100 * self.share:.1f} %, {interval})"

    @property
    def moved(self) -> str:
        """What changed since the parent, such as ``12 more than round 2: …``; empty without a parent."""
        change = self.movement
        if self.parent is None or change is None:
            return ""
        before = f"round {self.parent.round}"
        if not change.gained and not change.lost:
            return f"the same words as {before}"
        more = change.gained - change.lost
        how = f"{more} more than" if more > 0 else f"{-more} fewer than" if more else "as many as"
        verdict = "more than chance" if change.more_than_chance else "could be chance"
        return f"{how} {before}: {change.gained} newly right, {change.lost} newly wrong; {verdict} ({_said(change)})"

    @property
    def sentence(self) -> str:
        """Both, without a full stop."""
        return f"{self.text}, {self.moved}" if self.moved else self.text


class Accuracy:
    """What scores files say of models: for one lineage one file.

    Args:
        files: Of one deployment or of several.

    Raises:
        ConfigError: Two files are about one lineage of one deployment: their exams would be mixed up.
    """

    def __init__(self, files: Sequence[Scores] = ()) -> None:
        self._files: dict[LineageId, Scores] = {}
        for file in files:
            if file.lineage_id in self._files:
                raise ConfigError("two scores files are about one lineage", hint="give one for each lineage")
            self._files[file.lineage_id] = file
        self._by_digest: dict[LineageId, Mapping[Digest, ModelScore]] = {
            lineage_id: {score.model_digest: score for score in file.models} for lineage_id, file in self._files.items()
        }

    def of(self, lineage_id: LineageId, model: Digest, parent: Digest | None) -> ScoredModel | None:
        """How a model reads; None where no file says it.

        Args:
            lineage_id: The model's.
            model: Its digest.
            parent: Of the model that it was made from; None for genesis.
        """
        known = self._by_digest.get(lineage_id, {})
        if model not in known:
            return None
        before = None if parent is None else known.get(parent)
        return ScoredModel(self._files[lineage_id].exam, known[model], before)

    def sources(self, lineage_id: LineageId) -> tuple[str, ...]:
        """Which exam it is and who says so, in a sentence; none where no file is about the lineage."""
        file = self._files.get(lineage_id)
        return () if file is None else (source_of(file.exam),)


NO_SCORES: Final = Accuracy()
"""Nobody scored anything: the chain alone."""


def read_scores(paths: Sequence[Path]) -> tuple[Scores, ...]:
    """Scores files of anybody.

    Raises:
        ConfigError: One cannot be read.
        MalformedError: One is none.
    """
    return tuple(parsed(path, read_small(path, MAX_SCORES_FILE_BYTES), parse_scores, _MAKER) for path in paths)


def accuracy_of(files: Sequence[Scores], deployments: Sequence[ChainIdentity]) -> Accuracy:
    """What scores files say of a deployment's models.

    Args:
        files: As ``read_scores`` gives them.
        deployments: Which they may be about: one, or one and its predecessors.

    Raises:
        AuditError: A file is of another deployment.
        ConfigError: Two files are about one lineage.
    """
    for file in files:
        if file.identity not in deployments:
            raise AuditError(
                f"the scores are of another deployment (chain {file.identity.chain_id}, contract "
                f"{file.identity.contract_address})",
                hint=f"{_MAKER} makes them of this one",
            )
    return Accuracy(files)


def source_of(exam: Exam) -> str:
    """Which words were read, and whose word it is."""
    names = "the words' own labels" if exam.lexicon_digest is None else f"the lexicon {exam.lexicon_digest}"
    return (
        f"Scored on {exam.words} words (digest {exam.words_digest}) among {names}, by whoever made the scores file: "
        f"it is not on the chain, and {_MAKER} computes it anew from the same words."
    )


def movement(before: ModelScore, after: ModelScore) -> Movement:
    """What changed between two models of one exam."""
    old, new = int.from_bytes(before.right, "little"), int.from_bytes(after.right, "little")
    return Movement(gained=(new & ~old).bit_count(), lost=(old & ~new).bit_count())


@lru_cache(maxsize=4096)
def sign_test(gained: int, lost: int) -> float:
    """The exact McNemar test, two-sided: is a change more than what equal odds of either way give?

    Only the words that the models read differently tell anything (Q. McNemar, Psychometrika 12, 1947). With their
    number fixed, those gained follow a binomial distribution of 1/2, whose tail is summed without an approximation.

    Args:
        gained: Words newly right.
        lost: Words newly wrong.

    Returns:
        The p-value, in 0 … 1; 1 where nothing changed.
    """
    changed, fewer = gained + lost, min(gained, lost)
    logs = (_log_choose(changed, count) - changed * math.log(2) for count in range(fewer + 1))
    return min(1.0, 2 * math.fsum(math.exp(log) for log in logs))


def _log_choose(total: int, count: int) -> float:
    return math.lgamma(total + 1) - math.lgamma(count + 1) - math.lgamma(total - count + 1)


def _said(change: Movement) -> str:
    return "p < 0.001" if change.p_value < 0.001 else f"p = {change.p_value:.3f}"
