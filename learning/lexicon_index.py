"""The names that a reading may be, and which of them are near a misread string."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from rapidfuzz import process
from rapidfuzz.distance import Levenshtein


@dataclass(frozen=True, slots=True)
class LexiconEntry:
    """One surface form of a medicine's name."""

    surface: str
    """As it may be written: the name itself, or a synonym."""
    name: str
    """The canonical name that a reading reports."""

    def spellings(self) -> tuple[str, ...]:
        """The casings in which hands write it, without repeats."""
        forms = (self.surface, self.surface.lower(), self.surface.capitalize(), self.surface.upper())
        return tuple(dict.fromkeys(forms))


def _folded(text: str) -> str:
    decomposed = unicodedata.normalize("NFKD", text)
    return "".join(character for character in decomposed if not unicodedata.combining(character)).casefold()


@dataclass(frozen=True, slots=True)
class LexiconIndex:
    """All surface forms, ready to be searched. Build it with ``LexiconIndex.of``."""

    entries: tuple[LexiconEntry, ...]
    _folded: tuple[str, ...]

    @classmethod
    def of(cls, names: Iterable[str], synonyms: Mapping[str, str] | None = None) -> LexiconIndex:
        """Indexes names and synonyms; repeats and blanks are dropped.

        Args:
            names: Canonical names.
            synonyms: Other surface forms, each with its canonical name (``{"acetaminophen": "Paracetamol"}``).
        """
        pairs = dict.fromkeys([(name, name) for name in names] + list((synonyms or {}).items()))
        entries = tuple(LexiconEntry(surface, name) for surface, name in pairs if surface.strip())
        return cls(entries, tuple(_folded(entry.surface) for entry in entries))

    def nearest(self, text: str, limit: int) -> tuple[LexiconEntry, ...]:
        """The entries nearest to a string by normalised Levenshtein similarity, best first; ties keep their order.

        Args:
            text: A string as the recogniser wrote it; case and accents are ignored.
            limit: Most entries to return.
        """
        if limit >= len(self.entries):
            return self.entries
        found = process.extract(_folded(text), self._folded, scorer=Levenshtein.normalized_similarity, limit=limit)
        return tuple(self.entries[position] for _, _, position in found)
