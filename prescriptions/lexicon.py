"""The medicines that may be proposed: an immutable list loaded from a CSV file that a site may replace by its own.

The format is docs/spec/lexicon.md: UTF-8 with the header ``name,generics,strengths,forms,routes``; every column but the
first holds a list separated by ``|`` and may be empty. Names are unique when case is ignored.
"""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass, field
from importlib import resources
from typing import TYPE_CHECKING

from rapidfuzz import process
from rapidfuzz.distance import Levenshtein

from prescriptions.dose_form import FORMS, same_form
from prescriptions.strength import parse_strength
from protocol import canonical_json
from protocol.errors import ConfigError
from protocol.identifiers import Digest, digest_of

if TYPE_CHECKING:
    from pathlib import Path

    from prescriptions.strength import Strength

HEADER = ("name", "generics", "strengths", "forms", "routes")
MAX_LEXICON_BYTES = 16 * 2**20
MAX_NAME_CHARACTERS = 64
MAX_ENTRY_CHARACTERS = 120
_LOOKALIKES = str.maketrans({"0": "o", "1": "l", "5": "s", "8": "b", "|": "l"})


@dataclass(frozen=True, slots=True)
class Medicine:
    """One prescribable name and what it is sold as."""

    name: str
    """As it is written, such as ``Amoxil``; 1 to 64 characters."""
    generics: tuple[str, ...]
    """Active ingredients in lower case; other names of one follow it behind ``=`` (``acetaminophen=paracetamol``)."""
    strengths: tuple[str, ...]
    """Canonical strengths such as ``500 mg``; the parts of a combination are joined by `` + ``."""
    forms: tuple[str, ...]
    """Of ``dose_form.FORMS``."""
    routes: tuple[str, ...]
    """Such as ``oral``, ``topical``."""

    @property
    def generic(self) -> str | None:
        """The active ingredients as they are shown: ``amoxicillin + clavulanate``, ``acetaminophen (paracetamol)``."""
        shown = []
        for ingredient in self.generics:
            name, *others = ingredient.split("=")
            shown.append(f"{name} ({', '.join(others)})" if others else name)
        return " + ".join(shown) or None

    def knows_strength(self, strength: Strength) -> bool:
        """Whether it is sold in this strength: as one ingredient's amount, or as the sum of a combination's."""
        for text in self.strengths:
            parts = [parse_strength(part) for part in text.split(" + ")]
            known = [part for part in parts if part is not None]
            if any(part.same_as(strength) for part in known):
                return True
            total = known[0] if known else None
            for part in known[1:]:
                total = total.plus(part) if total is not None else None
            if total is not None and total.same_as(strength):
                return True
        return False

    def knows_form(self, form: str) -> bool:
        """Whether it is sold in this form; oral liquids stand for each other."""
        return any(same_form(known, form) for known in self.forms)


@dataclass(frozen=True, slots=True)
class NameMatch:
    """A medicine name that a written word may mean."""

    name: str
    """A name of the lexicon."""
    score: float
    """Normalised Levenshtein similarity without case, 0 to 1; 1 is the same spelling."""


@dataclass(frozen=True, slots=True)
class Lexicon:
    """Medicines sorted by name. Build one with ``load_lexicon``, ``parse_lexicon`` or ``bundled_lexicon``."""

    medicines: tuple[Medicine, ...]
    digest: Digest
    """Over the canonical JSON of the medicines: the same list in another file order has the same digest."""
    _by_name: dict[str, Medicine] = field(repr=False, compare=False)
    _folded: tuple[str, ...] = field(repr=False, compare=False)

    @property
    def names(self) -> tuple[str, ...]:
        """Every name, sorted without case."""
        return tuple(medicine.name for medicine in self.medicines)

    def find(self, name: str) -> Medicine | None:
        """The medicine of exactly this name, case ignored."""
        return self._by_name.get(name.casefold())

    def shortlist(self, text: str, *, limit: int = 5, floor: float = 0.0) -> tuple[NameMatch, ...]:
        """The names nearest to a written word.

        Args:
            text: A word as it was read.
            limit: At most so many.
            floor: Least score, 0 to 1.

        Returns:
            Best first; equal scores in the order of the names, so the answer does not depend on the file's order.
        """
        query = fold_word(text)
        if not query:
            return ()
        found = process.extract(
            query, self._folded, scorer=Levenshtein.normalized_similarity, limit=limit, score_cutoff=floor or None
        )
        ranked = sorted(found, key=lambda hit: (-hit[1], hit[2]))
        return tuple(NameMatch(self.medicines[index].name, round(score, 6)) for _, score, index in ranked)


def fold_word(text: str) -> str:
    """A word as it is compared: lower case, letters and digits only, digits that look like letters read as such."""
    kept = "".join(character for character in text.casefold() if character.isalnum() or character == "|")
    letters = sum(character.isalpha() for character in kept)
    return kept.translate(_LOOKALIKES) if letters * 2 > len(kept) else kept


def load_lexicon(path: Path) -> Lexicon:
    """Reads a lexicon file.

    Raises:
        ConfigError: It cannot be read, is over 16 MiB, or is no lexicon (the message names the line).
    """
    try:
        if path.stat().st_size > MAX_LEXICON_BYTES:
            raise ConfigError(f"the lexicon {path.name} is over {MAX_LEXICON_BYTES} bytes", hint="give a shorter list")
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"the lexicon {path} cannot be read ({type(error).__name__})", hint="give the path of a UTF-8 CSV file"
        ) from error
    return parse_lexicon(text, source=path.name)


def bundled_lexicon(name: str) -> Lexicon:
    """A lexicon that comes with the package: ``demo`` (about 200 names) or ``drugsfda`` (about 5,000).

    Raises:
        ConfigError: There is none of this name.
    """
    file = resources.files("prescriptions") / "lexicons" / f"{name}.csv"
    if "/" in name or not file.is_file():
        raise ConfigError(f"there is no bundled lexicon {name!r}", hint="use demo, drugsfda or the path of a CSV file")
    return parse_lexicon(file.read_text(encoding="utf-8"), source=f"{name}.csv")


def parse_lexicon(text: str, *, source: str) -> Lexicon:
    """A lexicon from the text of its file.

    Args:
        text: The CSV text.
        source: What to call the file in messages.

    Raises:
        ConfigError: A wrong header, row, name, strength or form, with its line; or no medicine at all.
    """
    reader = csv.reader(io.StringIO(text), strict=True)
    medicines: dict[str, Medicine] = {}
    try:
        header = tuple(next(reader, ()))
        if header != HEADER:
            raise ConfigError(
                f"{source} is no lexicon: its first line is not {','.join(HEADER)!r}",
                hint="write this header first, with commas",
            )
        for row in reader:
            medicine = _medicine_of(row, f"{source} line {reader.line_num}")
            if medicines.setdefault(medicine.name.casefold(), medicine) is not medicine:
                raise ConfigError(
                    f"{source} line {reader.line_num}: {medicine.name!r} is listed twice",
                    hint="keep one line for each name; upper and lower case are the same",
                )
    except csv.Error as error:
        raise ConfigError(
            f"{source} line {reader.line_num} is not CSV: {error}", hint="close every quotation mark"
        ) from error
    if not medicines:
        raise ConfigError(f"{source} lists no medicine", hint="add a line for every medicine")
    ordered = tuple(medicines[key] for key in sorted(medicines))
    return Lexicon(
        medicines=ordered,
        digest=_digest_of_medicines(ordered),
        _by_name=medicines,
        _folded=tuple(fold_word(medicine.name) for medicine in ordered),
    )


def _medicine_of(row: list[str], where: str) -> Medicine:
    if len(row) != len(HEADER):
        raise ConfigError(
            f"{where}: expected {len(HEADER)} columns, found {len(row)}", hint="quote a cell that holds a comma"
        )
    name, *columns = (cell.strip() for cell in row)
    if not 0 < len(name) <= MAX_NAME_CHARACTERS or not name.isprintable() or not fold_word(name):
        raise ConfigError(
            f"{where}, column name: {name!r} is not 1 to {MAX_NAME_CHARACTERS} printable characters",
            hint="write the name as it is prescribed",
        )
    generics, strengths, forms, routes = (tuple(filter(None, map(str.strip, cell.split("|")))) for cell in columns)
    for form in forms:
        if form not in FORMS:
            raise ConfigError(f"{where}, column forms: unknown form {form!r}", hint=f"use one of {', '.join(FORMS)}")
    for strength in strengths:
        if any(parse_strength(part) is None for part in strength.split(" + ")):
            raise ConfigError(
                f"{where}, column strengths: {strength!r} is no strength", hint="write it as 500 mg, 5 mg/5 ml or 0.5 %"
            )
    for column, entries in (("generics", generics), ("routes", routes)):
        for entry in entries:
            if not entry.isprintable() or len(entry) > MAX_ENTRY_CHARACTERS or "" in entry.split("="):
                raise ConfigError(
                    f"{where}, column {column}: {entry!r} is not 1 to {MAX_ENTRY_CHARACTERS} characters",
                    hint="separate entries by |, and names of one ingredient by =",
                )
    return Medicine(name, generics, strengths, forms, routes)


def _digest_of_medicines(medicines: tuple[Medicine, ...]) -> Digest:
    rows = [[m.name, list(m.generics), list(m.strengths), list(m.forms), list(m.routes)] for m in medicines]
    return digest_of("lexicon", canonical_json.encode(rows))
