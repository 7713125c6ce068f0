"""Review: a person says of each word what is written. Only words that a person reviewed train."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import structlog

from gateways.data_folder import store_error, write_atomically
from node.store.pages import finish_page, release_originals
from node.store.redacted import redacted_png
from node.store.tables import WordStatus
from node.store.words import Review, StoredWord, crop_png, find_word, record_review, words_with
from protocol.errors import ConfigError, LearningError

if TYPE_CHECKING:
    from node.store.local_store import LocalStore, Transaction
    from node.store.sealed_files import SealedFiles

logger = structlog.get_logger(__name__)

MAX_LABEL_CHARACTERS = 40
MAX_REASON_CHARACTERS = 200
ACTIONS = ("accept", "fix", "reject")

LabelCheck = Callable[[str], object]
"""Raises an error of the tree for a label that the recogniser cannot write."""


@dataclass(frozen=True, slots=True)
class Decision:
    """What a person said about one word, before it is written."""

    word: str
    """The word's id, or its first digits."""
    action: str
    """Of ``ACTIONS``."""
    text: str = ""
    """The label of ``fix``, the reason of ``reject``; empty for ``accept``."""
    where: str = ""
    """Where it was read, such as a file and a line; begins the message of an error."""


@dataclass(frozen=True, slots=True)
class ReviewCounts:
    """What a batch of decisions did."""

    accepted: int
    fixed: int
    rejected: int
    originals_deleted: int


class ReviewDesk:
    """Takes what a person says and deletes originals that nobody needs any more.

    Args:
        store: The site's local store.
        originals: Where the imported files are kept sealed.
        keep_originals: Whether they stay after review.
        check_label: Refuses labels that the recogniser cannot write.
    """

    def __init__(
        self, store: LocalStore, originals: SealedFiles, *, keep_originals: bool, check_label: LabelCheck | None = None
    ) -> None:
        self._store = store
        self._originals = originals
        self._keep_originals = keep_originals
        self._check_label = check_label or check_printable

    def waiting(self) -> tuple[StoredWord, ...]:
        """Words that nobody has looked at, the least certain first."""
        with self._store.read() as transaction:
            words = words_with(transaction, WordStatus.PROPOSED)
        return tuple(sorted(words, key=lambda word: (word.proposal.certainty, word.word_id)))

    def words(self) -> tuple[StoredWord, ...]:
        """All words, in the order of ``waiting``; reviewed ones last."""
        with self._store.read() as transaction:
            words = words_with(transaction, *WordStatus)
        return tuple(
            sorted(words, key=lambda w: (w.status is not WordStatus.PROPOSED, w.proposal.certainty, w.word_id))
        )

    def accept(self, word: str, reviewer: str, now: int) -> ReviewCounts:
        """Says that the proposal is what is written.

        Raises:
            ConfigError: No such word, or its proposal cannot be a label.
        """
        return self.apply([Decision(word, "accept")], reviewer, now)

    def fix(self, word: str, label: str, reviewer: str, now: int) -> ReviewCounts:
        """Says what is written.

        Raises:
            ConfigError: No such word, or a label that the recogniser cannot write.
        """
        return self.apply([Decision(word, "fix", label)], reviewer, now)

    def reject(self, word: str, reason: str, reviewer: str, now: int) -> ReviewCounts:
        """Says that the word is no medicine or cannot be read; its crop goes with the page's review.

        Raises:
            ConfigError: No such word.
        """
        return self.apply([Decision(word, "reject", reason)], reviewer, now)

    def apply(self, decisions: Iterable[Decision], reviewer: str, now: int) -> ReviewCounts:
        """Writes all decisions in one transaction, or none of them.

        Args:
            decisions: What was said.
            reviewer: Who said it.
            now: Seconds since 1970.

        Raises:
            ConfigError: A decision that cannot be written; the first one is named.
        """
        name = reviewer.strip()
        if not name:
            raise ConfigError("a review names its reviewer", hint="give --reviewer")
        counts = dict.fromkeys(WordStatus, 0)
        pages: set[bytes] = set()
        with self._store.write() as transaction:
            for decision in decisions:
                status, page_id = self._take(transaction, decision, name, now)
                counts[status] += 1
                pages.add(page_id)
            for page_id in pages:
                finish_page(transaction, page_id)
            released = [] if self._keep_originals else release_originals(transaction)
        # The keys are deleted: a crash before the next line leaves noise, which the next import sweeps.
        for original_id in released:
            self._originals.remove(original_id)
        logger.info("review.recorded", words=sum(counts.values()), originals_deleted=len(released))
        return ReviewCounts(
            accepted=counts[WordStatus.ACCEPTED],
            fixed=counts[WordStatus.FIXED],
            rejected=counts[WordStatus.REJECTED],
            originals_deleted=len(released),
        )

    def write_crops(self, words: Iterable[StoredWord], folder: Path) -> dict[bytes, str]:
        """Writes the words' pictures as PNG files, in clear: the caller has warned the person.

        Returns:
            File names by word id; a rejected word whose picture is gone has none.

        Raises:
            StoreError: The folder cannot be written.
        """
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise store_error(error, folder) from error
        names: dict[bytes, str] = {}
        for word in words:
            with self._store.read() as transaction:
                crop = crop_png(transaction, word.word_id)
            if crop is not None:
                names[word.word_id] = f"{word.short_id}.png"
                write_atomically(folder / names[word.word_id], crop)
        return names

    def write_page(self, word: str, file: Path) -> None:
        """Writes the redacted page of a word as a PNG file, in clear: the caller has warned the person.

        Raises:
            ConfigError: No such word, or its page is a single word's picture.
            StoreError: The file cannot be written.
        """
        with self._store.read() as transaction:
            picture = redacted_png(transaction, find_word(transaction, word).page_id)
        if picture is None:
            raise ConfigError(
                "the word was imported alone: there is no page around it", hint="see it with review list --crops"
            )
        write_atomically(file, picture)

    def _take(self, transaction: Transaction, decision: Decision, reviewer: str, now: int) -> tuple[WordStatus, bytes]:
        try:
            word = find_word(transaction, decision.word)
            review = self._review_of(word, decision, reviewer)
            record_review(transaction, word, review, now)
        except (ConfigError, LearningError) as error:
            what = f"{decision.where}: {error.what}" if decision.where else error.what
            raise type(error)(what, hint=error.hint) from error
        return review.status, word.page_id

    def _review_of(self, word: StoredWord, decision: Decision, reviewer: str) -> Review:
        match decision.action:
            case "accept" if word.proposal.readers_differ:
                raise ConfigError(
                    "the readers name different medicines: there is nothing to accept",
                    hint="look at the word and say what is written",
                )
            case "accept":
                return Review(WordStatus.ACCEPTED, reviewer, label=self._label(word.proposal.label))
            case "fix":
                return Review(WordStatus.FIXED, reviewer, label=self._label(decision.text))
            case "reject":
                return Review(WordStatus.REJECTED, reviewer, reason=decision.text.strip()[:MAX_REASON_CHARACTERS])
            case _:
                raise ConfigError(f"{decision.action!r} is no action", hint=f"use one of {', '.join(ACTIONS)}")

    def _label(self, text: str) -> str:
        label = unicodedata.normalize("NFC", text).strip()
        if not 0 < len(label) <= MAX_LABEL_CHARACTERS:
            raise ConfigError(
                f"a label has 1 to {MAX_LABEL_CHARACTERS} characters, not {len(label)}", hint="write what is written"
            )
        self._check_label(label)
        return label


def check_printable(label: str) -> None:
    """Refuses what the shipped recogniser cannot write: anything but printable ASCII.

    Raises:
        ConfigError: Another character; the message names it by its code only, for a label is about a patient.
    """
    for character in label:
        if not " " <= character <= "~":
            raise ConfigError(
                f"a label cannot hold the character U+{ord(character):04X}", hint="use Latin letters, digits and signs"
            )
