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


@dataclass(frozen=True, slots=True)
class Doubt:
    """A reviewed word whose label both readers contradict."""

    word: StoredWord
    name: str
    """What both readers name."""
    certainty: float
    """Of both together, 0 to 1."""


def agreed_name(proposal: Proposal) -> str | None:
    """The medicine that the page reader and the model both name; None where they differ or one names none."""
    model = None if proposal.model is None else proposal.model.name
    return model if model == proposal.engine_name else None


def doubts(words: Iterable[StoredWord], least_certainty: float) -> tuple[Doubt, ...]:
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
