"""Pages that may be there twice: shown side by side, decided by a person. Until then the later one does not train."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import structlog

from gateways.data_folder import store_error, write_atomically
from node.store.duplicates import (
    MAX_REVIEWER_CHARACTERS,
    PairKind,
    PairStatus,
    StoredPair,
    decide_pair,
    pairs,
    pairs_with_prefix,
    stored_look,
)
from node.store.redacted import redacted_png
from node.store.sealing import Place
from node.store.tables import Page
from prescriptions.reissue import Prescribed, decode_prescribed, reissue_of
from protocol.canonical_json import expect_int, expect_str, parse_object
from protocol.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import date
    from pathlib import Path

    from node.store.local_store import LocalStore, Transaction

logger = structlog.get_logger(__name__)

SHORT_ID_CHARACTERS = 8
_MIN_PREFIX_CHARACTERS = 4
_PAGE_KEYS = frozenset({"file", "page", "hospital", "engine"})


@dataclass(frozen=True, slots=True)
class PageSide:
    """One page of a pair, as a person compares it."""

    page_id: bytes
    patient: str
    """The site's own identifier."""
    file: str
    """Name of the imported file."""
    page_number: int
    """1-based within the file."""
    imported_at: int
    """Seconds since 1970."""
    prescribed: Prescribed
    """As read; without a day and medicines where nothing is kept of the page's look."""

    @property
    def written_on(self) -> date | None:
        """The day that stands on the page."""
        return self.prescribed.written_on

    @property
    def medicines(self) -> tuple[str, ...]:
        """Name, strength and frequency of each line."""
        lines = self.prescribed.medicines
        return tuple(" ".join(part for part in (line.name, line.strength, line.frequency) if part) for line in lines)


@dataclass(frozen=True, slots=True)
class ShownPair:
    """A pair with both pages."""

    pair: StoredPair
    earlier: PageSide
    later: PageSide

    @property
    def why(self) -> str:
        """What the two have in common, in words."""
        if self.pair.kind is PairKind.NEAR:
            return f"they look alike ({self.pair.likeness})"
        # None where another rule found the pair.
        return reissue_of(self.earlier.prescribed, self.later.prescribed) or "the same medicines"

    @property
    def short_id(self) -> str:
        """What a person types: the first eight hex digits of the pair's id."""
        return self.pair.pair_id.hex()[:SHORT_ID_CHARACTERS]


class DuplicateDesk:
    """Shows pairs and takes what a person says of them.

    Args:
        store: The site's local store.
    """

    def __init__(self, store: LocalStore) -> None:
        self._store = store

    def waiting(self) -> tuple[ShownPair, ...]:
        """The pairs that nobody has decided, oldest first."""
        return self._shown(PairStatus.WAITING)

    def pairs(self) -> tuple[ShownPair, ...]:
        """All pairs, oldest first."""
        return self._shown(*PairStatus)

    def say_same(self, typed_ids: Sequence[str], reviewer: str, now: int) -> int:
        """The later page repeats the earlier one: its words do not train. Returns how many pairs were decided.

        Raises:
            ConfigError: No such pair, or no reviewer; nothing is written.
        """
        return self._decide(typed_ids, PairStatus.SAME, reviewer, now)

    def say_different(self, typed_ids: Sequence[str], reviewer: str, now: int) -> int:
        """Two pages: both may train. Returns how many pairs were decided.

        Raises:
            ConfigError: No such pair, or no reviewer; nothing is written.
        """
        return self._decide(typed_ids, PairStatus.DIFFERENT, reviewer, now)

    def picture(self, pair: StoredPair) -> bytes | None:
        """Both pages side by side as PNG, the earlier on the left, without their private fields.

        Returns:
            None where the store holds no picture of a page: it was a single word, or its patient was erased.
        """
        # Imported here: the image libraries load for a second, and deciding needs none of them.
        from node.data.pair_picture import side_by_side  # noqa: PLC0415

        with self._store.read() as transaction:
            earlier = redacted_png(transaction, pair.earlier_page_id)
            later = redacted_png(transaction, pair.later_page_id)
        return None if earlier is None or later is None else side_by_side(earlier, later)

    def write_pictures(self, shown: Iterable[ShownPair], folder: Path) -> dict[bytes, str]:
        """Writes each pair's picture as a PNG file, in clear: the caller has warned the person.

        Returns:
            File names by pair id; a pair without a picture has none.

        Raises:
            StoreError: The folder cannot be written.
        """
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise store_error(error, folder) from error
        names: dict[bytes, str] = {}
        for one in shown:
            picture = self.picture(one.pair)
            if picture is not None:
                names[one.pair.pair_id] = f"{one.short_id}.png"
                write_atomically(folder / names[one.pair.pair_id], picture)
        return names

    def _shown(self, *statuses: PairStatus) -> tuple[ShownPair, ...]:
        with self._store.read() as transaction:
            return tuple(
                ShownPair(pair, _side(transaction, pair.earlier_page_id), _side(transaction, pair.later_page_id))
                for pair in pairs(transaction, *statuses)
            )

    def _decide(self, typed_ids: Sequence[str], status: PairStatus, reviewer: str, now: int) -> int:
        name = reviewer.strip()[:MAX_REVIEWER_CHARACTERS]
        if not name:
            raise ConfigError("a decision names who decided", hint="give --reviewer")
        with self._store.write() as transaction:
            chosen = {pair.pair_id: pair for pair in (_find(transaction, typed) for typed in typed_ids)}
            for pair in chosen.values():
                decide_pair(transaction, pair, status, name, now)
        logger.info("duplicates.decided", status=str(status), pairs=len(chosen))
        return len(chosen)


def _find(transaction: Transaction, typed_id: str) -> StoredPair:
    digits = typed_id.strip().lower()
    if not _MIN_PREFIX_CHARACTERS <= len(digits) <= 32 or set(digits) - set("0123456789abcdef"):
        raise ConfigError(f"{typed_id!r} is no pair's id", hint="ids are in the list: fedrx node duplicates list")
    low, high = bytes.fromhex(digits.ljust(32, "0")), bytes.fromhex(digits.ljust(32, "f"))
    found = pairs_with_prefix(transaction, low, high)
    if len(found) != 1:
        raise ConfigError(f"{len(found)} pairs begin with {digits}", hint="ids are in fedrx node duplicates list")
    return found[0]


def _side(transaction: Transaction, page_id: bytes) -> PageSide:
    page = transaction.session.get_one(Page, page_id)
    place = Place("pages", "sealed_fields", page_id)
    fields = parse_object(transaction.patient_key(page.patient_id).open(page.sealed_fields, place), _PAGE_KEYS)
    look = stored_look(transaction, page_id)
    return PageSide(
        page_id=page_id,
        patient=transaction.patient_of(page.patient_id),
        file=expect_str(fields["file"]),
        page_number=expect_int(fields["page"], low=1),
        imported_at=page.imported_at,
        prescribed=Prescribed(None, ()) if look is None else decode_prescribed(look.prescribed),
    )
