"""A page becomes a ``PageReading``: prepare, read, understand, crop."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from prescriptions import quarantine
from prescriptions.preprocess import PreprocessSettings, prepare
from prescriptions.understand import Prescription, understand
from prescriptions.words import WordCrop, crop_word
from protocol.errors import QuarantinedError

if TYPE_CHECKING:
    from prescriptions.lexicon import Lexicon
    from prescriptions.page import Page
    from prescriptions.preprocess import PreparedPage
    from prescriptions.reading import PageReader, ReadWord
    from protocol.identifiers import Digest

_LONG_WORD = 4
_FEWEST_CHARACTERS = 3
_OTHER_TURNS = (2, 1, 3)


@dataclass(frozen=True, slots=True)
class ReviewWord:
    """A medicine's word, ready for review. The words of private fields are not kept."""

    text: str
    """As the engine read it."""
    confidence: float
    """0 to 1, the engine's."""
    crop: WordCrop


@dataclass(frozen=True, slots=True)
class PageReading:
    """Everything that is kept of a page besides its image."""

    page_digest: Digest
    words: tuple[ReviewWord, ...]
    """One for each line of the prescription, in its order."""
    prescription: Prescription
    """``word_index`` of its lines counts in ``words``."""
    engine: str
    """Name and version of the reader."""
    seconds: float
    """Wall clock, for preparing, reading and understanding."""


def read_page(
    page: Page, reader: PageReader, lexicon: Lexicon, settings: PreprocessSettings | None = None
) -> PageReading:
    """Reads one page. A page that lies on its side or upside down is found by reading it in the other directions.

    Args:
        page: As ``load.load_pages`` gives it.
        reader: Finds and reads words.
        lexicon: The names that may be proposed.
        settings: Of the preprocessing.

    Raises:
        QuarantinedError: ``no-text``.
        PrescriptionError: The reader failed.
    """
    started = time.perf_counter()
    prepared, words = _read_upright(page, reader, settings)
    if sum(character.isalnum() for word in words for character in word.text) < _FEWEST_CHARACTERS:
        raise QuarantinedError(quarantine.NO_TEXT, "no text was found on the page", hint="photograph it again, closer")
    found = understand(words, lexicon)
    kept = [words[line.word_index] for line in found.lines]
    return PageReading(
        page_digest=page.digest,
        words=tuple(
            ReviewWord(word.text, word.confidence, crop_word(prepared, word.box, page.pixels.shape)) for word in kept
        ),
        prescription=replace(
            found, lines=tuple(replace(line, word_index=index) for index, line in enumerate(found.lines))
        ),
        engine=reader.name,
        seconds=time.perf_counter() - started,
    )


def _read_upright(
    page: Page, reader: PageReader, settings: PreprocessSettings | None
) -> tuple[PreparedPage, tuple[ReadWord, ...]]:
    """The page in the direction in which most of it is legible; others are tried only where the first is poor."""
    prepared = prepare(page.pixels, settings)
    words = reader.read(prepared.grey)
    if not words or not _looks_turned(words, reader.turned_below):
        return prepared, words
    tried = [(prepared, words)]
    for turns in _OTHER_TURNS:
        turned = prepare(page.pixels, settings, quarter_turns=turns)
        tried.append((turned, reader.read(turned.grey)))
    return max(tried, key=lambda pair: _legibility(pair[1]))


def _looks_turned(words: tuple[ReadWord, ...], turned_below: float) -> bool:
    """Engines turn tall boxes and may read them: then not the confidence but the words' shape betrays the page."""
    characters = sum(len(word.text) for word in words)
    mean_confidence = sum(word.confidence * len(word.text) for word in words) / characters
    standing = [_stands(word) for word in words if len(word.text) >= _LONG_WORD]
    return mean_confidence < turned_below or 2 * sum(standing) > len(standing)


def _legibility(words: tuple[ReadWord, ...]) -> float:
    """How much is read and how surely; the square prefers few sure words to many doubtful ones."""
    return sum(word.confidence**2 * len(word.text) for word in words if not _stands(word))


def _stands(word: ReadWord) -> bool:
    return len(word.text) >= _LONG_WORD and word.box.height > word.box.width
