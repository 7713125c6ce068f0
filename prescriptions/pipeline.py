"""A page becomes a ``PageReading``: prepare, take the text layer or read, understand, crop."""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from itertools import groupby
from typing import TYPE_CHECKING

from prescriptions import quarantine
from prescriptions.fingerprint import look_at
from prescriptions.page_date import find_page_date
from prescriptions.preprocess import PreprocessSettings, prepare
from prescriptions.redaction import redact
from prescriptions.segmentation import segment
from prescriptions.text_layer import believed_layer
from prescriptions.understand import Prescription, understand
from prescriptions.word_seams import part_words
from prescriptions.words import WordCrop, crop_word
from protocol.errors import QuarantinedError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    import numpy as np
    from numpy.typing import NDArray

    from prescriptions.fingerprint import PageLook
    from prescriptions.lexicon import Lexicon
    from prescriptions.page import Page
    from prescriptions.preprocess import PreparedPage
    from prescriptions.reading import PageReader, ReadWord
    from prescriptions.segmentation import Segments
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
    """Name and version of the reader; or that a PDF's text layer was taken, and what checked it."""
    seconds: float
    """Wall clock, for preparing, reading and understanding."""
    redacted: NDArray[np.uint8] | None = field(default=None, compare=False)
    """The prepared page without what is not kept (``redaction``); None where the page is one word's crop."""
    look: PageLook | None = field(default=None, compare=False)
    """By which the page is known again; its picture is never stored. None where the page is one word's crop."""
    written_on: date | None = None
    """The day that stands on the page."""


@dataclass(frozen=True, slots=True, eq=False)
class ExaminedPage:
    """A page with all that was found on it. It holds private text and does not outlive the call that asked for it."""

    prepared: PreparedPage
    words: tuple[ReadWord, ...]
    """Every word, in prepared pixels."""
    segments: Segments
    prescription: Prescription
    """``word_index`` of its lines counts in ``words``."""
    source: str
    """What read the words: the engine, or the text layer and the engine that checked it."""
    seconds: float
    """Wall clock, for preparing, reading and understanding."""


def examine_page(
    page: Page,
    reader: PageReader,
    lexicon: Lexicon,
    settings: PreprocessSettings | None = None,
    *,
    keep_views: bool = False,
) -> ExaminedPage:
    """Reads one page. A page that lies on its side or upside down is found by reading it in the other directions.

    Args:
        page: As ``load.load_pages`` gives it.
        reader: Finds and reads words.
        lexicon: The names that may be proposed.
        settings: Of the preprocessing.
        keep_views: Whether the picture of every stage is kept.

    Raises:
        QuarantinedError: ``no-text``.
        PrescriptionError: The reader failed.
    """
    started = time.perf_counter()
    settings = settings or PreprocessSettings()
    prepared = prepare(page.pixels, settings, keep_views=keep_views)
    segments = segment(prepared.grey)
    words = believed_layer(page, prepared, segments, reader, lexicon) if page.layer else ()
    source = f"text layer, checked by {reader.name}"
    if not words:
        source = reader.name
        upright, words = _read_upright(page, prepared, reader, settings)
        if upright is not prepared:
            prepared, segments = upright, segment(upright.grey)
        words = part_words(words, segments) if settings.words else words
    if sum(character.isalnum() for word in words for character in word.text) < _FEWEST_CHARACTERS:
        raise QuarantinedError(quarantine.NO_TEXT, "no text was found on the page", hint="photograph it again, closer")
    found = understand(words, lexicon)
    return ExaminedPage(prepared, words, segments, found, source, time.perf_counter() - started)


def read_page(
    page: Page,
    reader: PageReader,
    lexicon: Lexicon,
    settings: PreprocessSettings | None = None,
    *,
    day_first: bool = True,
) -> PageReading:
    """As ``examine_page``, and keeps only what a review needs.

    Args:
        page: As ``load.load_pages`` gives it.
        reader: Finds and reads words.
        lexicon: The names that may be proposed.
        settings: Of the preprocessing.
        day_first: Whether ``05/04/2025`` is the fifth of April.

    Raises:
        QuarantinedError: ``no-text``.
        PrescriptionError: The reader failed.
    """
    examined = examine_page(page, reader, lexicon, settings)
    found = examined.prescription
    kept = [examined.words[line.word_index] for line in found.lines]
    return PageReading(
        page_digest=page.digest,
        words=tuple(
            ReviewWord(word.text, word.confidence, crop_word(examined.prepared, word.box, page.pixels.shape))
            for word in kept
        ),
        prescription=replace(
            found, lines=tuple(replace(line, word_index=index) for index, line in enumerate(found.lines))
        ),
        engine=examined.source,
        seconds=examined.seconds,
        redacted=redact(examined.prepared.grey, examined.words, found),
        look=look_at(examined.prepared.grey),
        written_on=find_page_date(_texts_by_line(examined.words), day_first=day_first),
    )


def _texts_by_line(words: Sequence[ReadWord]) -> list[list[str]]:
    return [[word.text for word in line] for _, line in groupby(words, key=lambda word: word.line)]


def _read_upright(
    page: Page, prepared: PreparedPage, reader: PageReader, settings: PreprocessSettings
) -> tuple[PreparedPage, tuple[ReadWord, ...]]:
    """The page in the direction in which most of it is legible; others are tried only where the first is poor."""
    words = reader.read(prepared.grey)
    if not words or not _looks_turned(words, reader.turned_below):
        return prepared, words
    tried = [(prepared, words)]
    for turns in _OTHER_TURNS:
        turned = prepare(page.pixels, settings, quarter_turns=turns, keep_views=bool(prepared.views))
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
