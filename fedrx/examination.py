"""Words that models read, against the names that compete: prepared once, then asked of one model after another."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from protocol.parameters import parse_parameters

if TYPE_CHECKING:
    from fedrx.labelled_words import LabelledWords
    from learning.backbone import Backbone
    from learning.lexicon_index import LexiconIndex
    from protocol.identifiers import Digest


@dataclass(frozen=True, slots=True)
class Competing:
    """The names that a word may say."""

    names: LexiconIndex
    lexicon_digest: Digest | None
    """None: the labels of the words."""


def competing_names(words: LabelledWords, lexicon: Path | None) -> Competing:
    """The names of a lexicon, or where none is given those of the words.

    Raises:
        ConfigError: The lexicon cannot be read, or is none.
    """
    from learning.lexicon_index import LexiconIndex  # noqa: PLC0415 - loads for as long as the chain answers
    from prescriptions.lexicon import load_lexicon  # noqa: PLC0415

    if lexicon is None:
        return Competing(LexiconIndex.of(words.labels), None)
    found = load_lexicon(lexicon)
    return Competing(LexiconIndex.of(found.names), found.digest)


class Examination:
    """Words before one backbone.

    Args:
        words: What is read; their features are computed here.
        names: What a word may say.
        backbone: With the scope of the models.
    """

    def __init__(self, words: LabelledWords, names: LexiconIndex, backbone: Backbone) -> None:
        self._labels = words.labels
        self._names = names
        self._backbone = backbone
        self._features = backbone.front_features(words.crops)

    def right(self, model: bytes) -> tuple[bool, ...]:
        """Whether each word is read right.

        Args:
            model: As it was published (docs/spec/parameters.md).

        Raises:
            MalformedError: The bytes are no model.
            LearningError: They are none of this backbone and scope.
        """
        from learning.evaluation import right_answers  # noqa: PLC0415 - torch loads for seconds

        recogniser = self._backbone.with_parameters(parse_parameters(model))
        return right_answers(recogniser, self._features, self._labels, self._names)
