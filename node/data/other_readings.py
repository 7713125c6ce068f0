"""What the models of a site's other lineages read in the same words: readers trained apart check each other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from node.data.model_reader import ModelReader


@dataclass(frozen=True, slots=True)
class OtherReading:
    """One word as another lineage's model reads it."""

    lineage: str
    """Slug."""
    round: int
    """Of the model."""
    medicine: str | None
    """A name of the lexicon; None when the model is not sure enough."""
    confidence: float
    """Of its best name, 0 to 1, whether it is claimed or not."""
    text: str
    """The letters as it read them, free of any lexicon."""

    def __str__(self) -> str:
        named = "" if self.medicine is None else f" → {self.medicine} {self.confidence:.0%}"
        return f"{self.lineage}: {self.text}{named}"


def other_readings(
    readers: Mapping[str, ModelReader], crops: Sequence[NDArray[np.uint8]]
) -> list[tuple[OtherReading, ...]]:
    """For each crop what each reader says, in the readers' order.

    Args:
        readers: By the slug of their lineage; there may be none.
        crops: uint8 [rows, columns] each.
    """
    by_reader = [
        [OtherReading(slug, reader.round, found.name, found.confidence, found.text) for found in reader.read(crops)]
        for slug, reader in readers.items()
    ]
    return [tuple(said[position] for said in by_reader) for position in range(len(crops))]
