"""Pages as pictures for the review: decoded from the sealed original, kept in memory while somebody reviews them."""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np
from sqlalchemy import select

from node.store.tables import Page as PageRow
from prescriptions.load import load_bytes
from protocol.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Callable

    from node.page.store_view import StoredPage
    from node.store.local_store import LocalStore
    from node.store.pages import SealedFile
    from node.store.sealed_files import SealedFiles
    from prescriptions.load import LoadLimits
    from prescriptions.page import Page

_KEPT = 4
KEPT_SECONDS = 180.0
"""After it was decoded a picture is forgotten."""
_JPEG_QUALITY = 82


@dataclass(frozen=True, slots=True)
class Picture:
    """A page as it was loaded; boxes of words are in its pixels."""

    jpeg: bytes
    width: int
    """Pixels."""
    height: int
    """Pixels."""


class PagePictures:
    """The newest few pictures. They are in memory only, as the store's keys are.

    Args:
        store: Says which pages were erased meanwhile.
        originals: Where imported files are kept sealed.
        limits: As at the import: other limits would scale a page to other pixels.
        clock: Seconds of a steady clock.
    """

    def __init__(
        self, store: LocalStore, originals: SealedFiles, limits: LoadLimits, clock: Callable[[], float]
    ) -> None:
        self._store = store
        self._originals = originals
        self._limits = limits
        self._clock = clock
        self._kept: OrderedDict[bytes, tuple[Picture, float]] = OrderedDict()
        """With the time when each was decoded."""
        self._lock = threading.Lock()

    def of(self, page: StoredPage) -> Picture | None:
        """A page's picture; None when its original was deleted.

        Args:
            page: Read from the store just now: it says whether there still is an original.

        Raises:
            QuarantinedError: The file does not decode any more.
            StoreError: The sealed file is damaged.
        """
        with self._lock:
            self._forget_old()
            self._forget_erased()
            if page.original is None:
                return None
            kept = self._kept.get(page.page_id) or (self._decoded(page, page.original), self._clock())
            self._kept[page.page_id] = kept
            self._kept.move_to_end(page.page_id)
            while len(self._kept) > _KEPT:
                self._kept.popitem(last=False)
            return kept[0]

    def forget_old(self) -> None:
        """Drops the pictures that were kept long enough, also when nobody asks for another."""
        with self._lock:
            self._forget_old()

    def _forget_old(self) -> None:
        now = self._clock()
        for page_id in [page_id for page_id, kept in self._kept.items() if now - kept[1] >= KEPT_SECONDS]:
            del self._kept[page_id]

    def _forget_erased(self) -> None:
        query = select(PageRow.id).where(PageRow.id.in_(self._kept), PageRow.original_id.is_not(None))
        with self._store.read() as transaction:
            there = set(transaction.session.scalars(query))
        for page_id in self._kept.keys() - there:
            del self._kept[page_id]

    def _decoded(self, page: StoredPage, original: SealedFile) -> Picture:
        content = self._originals.read(original.file_id, original.key)
        pages = load_bytes(content, self._limits)
        found = next((decoded for decoded in pages if decoded.number == page.number), None)
        if found is None:
            raise StoreError("the original has fewer pages than were imported", hint="import the file again")
        return _picture(found)


def _picture(page: Page) -> Picture:
    pixels = page.pixels if page.pixels.ndim == 2 else cv2.cvtColor(page.pixels, cv2.COLOR_RGB2BGR)
    encoded = cv2.imencode(".jpg", np.asarray(pixels), [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])[1]
    return Picture(encoded.tobytes(), width=page.pixels.shape[1], height=page.pixels.shape[0])
