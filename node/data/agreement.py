"""Where two readers agree on a name and a person wrote another: labels that are likely wrong.

The page reader and the global model were trained apart, so both seldom make the same mistake. A person looks again;
nothing is changed by itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from node.store.tables import WordStatus

if TYPE_CHECKING:
    from collections.abc import Iterable

    from node.data.proposal import Proposal
    from node.store.words import StoredWord

SURE_TOGETHER = 0.8
"""Certainty of both readers together, 0 to 1, from which on a label that they contradict is doubted."""


@dataclass(frozen=True, slots=True)
class Doubt:
    """A reviewed word whose label both readers contradict."""

    word: StoredWord
    name: str
    """What both readers name."""
    certainty: float
    """Of both together, 0 to 1."""


def agreed_name(proposal: Proposal) -> str | None:
    """The medicine that the page reader and the models name; None where any differ or either names none."""
    return None if proposal.readers_differ or proposal.model_name is None else proposal.engine_name


def doubts(words: Iterable[StoredWord], least_certainty: float = SURE_TOGETHER) -> tuple[Doubt, ...]:
    """Reviewed words that are likely to have a wrong label, the likeliest first.

    Args:
        words: Of the store.
        least_certainty: How sure both readers are together, 0 to 1, before a label is doubted.
    """
    found = [
        Doubt(word, name, word.proposal.certainty)
        for word in words
        if word.status in {WordStatus.ACCEPTED, WordStatus.FIXED}
        and (name := agreed_name(word.proposal)) is not None
        and name.casefold() != word.label.casefold()
        and word.proposal.certainty >= least_certainty
    ]
    return tuple(sorted(found, key=lambda doubt: (-doubt.certainty, doubt.word.word_id)))
