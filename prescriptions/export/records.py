"""What an export says of a page: the medicines whose names a person confirmed, and what was read beside them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING
from uuid import UUID

from prescriptions.understand import MedicineLine, flags_of

if TYPE_CHECKING:
    from prescriptions.lexicon import Lexicon

_NOTHING_READ = MedicineLine(
    word_index=0, candidates=(), strength=None, form=None, frequency=None, duration_days=None, flags=()
)


@dataclass(frozen=True, slots=True)
class ReviewedMedicine:
    """One medicine of a reviewed page."""

    request_id: UUID
    """The same in every export of the same word."""
    name: str
    """As a person confirmed or wrote it."""
    line: MedicineLine
    """What was read beside the name and nobody confirmed; generic and flags are those of ``name``."""


@dataclass(frozen=True, slots=True)
class ReviewedPage:
    """One page whose words were all reviewed."""

    page_id: UUID
    """The same in every export of the same page."""
    patient: str
    """The site's own identifier."""
    hospital: str
    """As it was read, or empty."""
    file: str
    """Name of the imported file, without its folder."""
    page: int
    """1-based within the file."""
    medicines: tuple[ReviewedMedicine, ...]
    """From top to bottom."""


def reviewed_medicine(request_id: UUID, name: str, read: MedicineLine | None, lexicon: Lexicon) -> ReviewedMedicine:
    """A medicine as it is exported.

    Args:
        request_id: Names the medicine's word.
        name: What a person said is written. Where it differs from what was proposed, the generic and the flags of the
            proposal are about another medicine: both are taken from the lexicon again.
        read: What was read beside the name; None when nothing was.
        lexicon: The site's.
    """
    line = read or _NOTHING_READ
    medicine = lexicon.find(name)
    generic = medicine.generic if medicine else None
    return ReviewedMedicine(
        request_id, name, replace(line, generic=generic, flags=flags_of(medicine, line.strength, line.form))
    )
