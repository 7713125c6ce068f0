"""A new page is compared with those that the site has; where it may be one of them, a person is asked.

The index of fingerprints is in memory and follows the store: pages that other processes imported are taken in before
each look-up, and what the store has forgotten is passed over.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from node.data.proposal import nfc
from node.store.duplicates import (
    PairKind,
    add_fingerprint,
    add_pair,
    fingerprints_after,
    prescribed_of_patient,
    stored_look,
)
from node.store.tables import Page
from prescriptions.duplicates import NEAR, likeness
from prescriptions.fingerprint import decode_fingerprint, encode_fingerprint
from prescriptions.fingerprint_index import FingerprintIndex
from prescriptions.reissue import (
    Prescribed,
    PrescribedMedicine,
    Reissue,
    decode_prescribed,
    encode_prescribed,
    reissue_of,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import date

    from node.store.local_store import LocalStore, Transaction
    from prescriptions.fingerprint import Fingerprint, PageLook
    from prescriptions.understand import Prescription


@dataclass(frozen=True, slots=True)
class NearPage:
    """A page of the store that a new one may repeat."""

    page_id: bytes
    kind: PairKind
    likeness: float
    """0 to 1; 0 for a prescription that was written again."""


class SeenPages:
    """The fingerprints of a store, indexed in memory. A process keeps one."""

    def __init__(self) -> None:
        self._index = FingerprintIndex()
        self._page_ids: list[bytes] = []
        self._last = 0

    def catch_up(self, store: LocalStore) -> None:
        """Takes in what was stored, before a page is added.

        The first time it can take minutes, and a writer would keep all others waiting.
        """
        with store.read() as transaction:
            self.refresh(transaction)

    def refresh(self, transaction: Transaction) -> None:
        """Takes in what was stored since."""
        found: list[tuple[int, bytes]] = []
        self._index.extend(self._unseen(transaction, found))
        # Not before: a store that fails half-way would leave ids without fingerprints, and all later ones shifted.
        for number, page_id in found:
            self._page_ids.append(page_id)
            self._last = number

    def candidates(self, fingerprint: Fingerprint) -> tuple[bytes, ...]:
        """Ids of the pages that a page is most like, in the order of their import; some may be gone."""
        return tuple(self._page_ids[number] for number in sorted(self._index.candidates(fingerprint)))

    def _unseen(self, transaction: Transaction, found: list[tuple[int, bytes]]) -> Iterator[Fingerprint]:
        for number, page_id, content in fingerprints_after(transaction, self._last):
            found.append((number, page_id))
            yield decode_fingerprint(content)


def note_page(
    transaction: Transaction,
    seen: SeenPages,
    page_id: bytes,
    look: PageLook,
    prescribed: Prescribed,
    now: int,
) -> tuple[NearPage, ...]:
    """Keeps a new page's fingerprint and records which pages it may repeat, in the transaction that stores the page.

    Until a person has decided, ``undecided_or_same_pages`` keeps it from training.

    Args:
        transaction: A writing transaction in which the page was added.
        seen: The process's index.
        page_id: Of the page.
        look: Of the page as it was prepared, of ``fingerprint.look_at``.
        prescribed: What it says, of ``prescribed_on``.
        now: Seconds since 1970.

    Returns:
        The earliest page that it looks like, and of those that it may reissue the likeliest; a page that looks the same
        is not also named as reissued.
    """
    # The page itself is taken in by the next look-up: this transaction may still be undone.
    seen.refresh(transaction)
    page = transaction.session.get_one(Page, page_id)
    near = _looks_like(transaction, seen, look)
    reissued = _says_like(transaction, page.patient_id, prescribed)
    add_fingerprint(transaction, page, encode_fingerprint(look.fingerprint), encode_prescribed(prescribed))
    found = [near] if near else []
    if reissued and (near is None or near.page_id != reissued.page_id):
        found.append(reissued)
    for other in found:
        text = f"{other.likeness:.2f}" if other.kind is PairKind.NEAR else ""
        add_pair(transaction, other.page_id, page, other.kind, text, now)
    return tuple(found)


def prescribed_on(written_on: date | None, prescription: Prescription) -> Prescribed:
    """What a page prescribes, of its reading; lines that are near no medicine say nothing.

    Args:
        written_on: Of ``page_date.find_page_date``.
        prescription: Of ``understand.understand``.
    """
    return Prescribed(
        written_on,
        tuple(
            PrescribedMedicine(nfc(line.candidates[0].name), _text(line.strength), _text(line.frequency))
            for line in prescription.lines
            if line.candidates
        ),
    )


def _looks_like(transaction: Transaction, seen: SeenPages, look: PageLook) -> NearPage | None:
    for page_id in seen.candidates(look.fingerprint):
        stored = stored_look(transaction, page_id)
        if stored is not None:
            score = likeness(look, decode_fingerprint(stored.fingerprint))
            if score >= NEAR:
                return NearPage(page_id, PairKind.NEAR, score)
    return None


def _says_like(transaction: Transaction, patient_id: bytes, prescribed: Prescribed) -> NearPage | None:
    earliest: dict[Reissue, bytes] = {}
    for page_id, content in prescribed_of_patient(transaction, patient_id):
        reason = reissue_of(decode_prescribed(content), prescribed)
        if reason is not None:
            earliest.setdefault(reason, page_id)
    best = next((earliest[reason] for reason in Reissue if reason in earliest), None)
    return None if best is None else NearPage(best, PairKind.REISSUED, 0.0)


def _text(part: object | None) -> str:
    return "" if part is None else nfc(str(part))
