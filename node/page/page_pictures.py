"""Pages as pictures for the review: decoded from the sealed original, kept in memory while somebody reviews them."""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np

from prescriptions.load import load_bytes
from protocol.errors import StoreError

if TYPE_CHECKING:
    from node.page.store_view import StoredPage
    from node.store.pages import SealedFile
    from node.store.sealed_files import SealedFiles
    from prescriptions.load import LoadLimits
    from prescriptions.page import Page

_KEPT = 4
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
        originals: Where imported files are kept sealed.
        limits: As at the import: other limits would scale a page to other pixels.
    """

    def __init__(self, originals: SealedFiles, limits: LoadLimits) -> None:
        self._originals = originals
        self._limits = limits
        self._kept: OrderedDict[bytes, Picture] = OrderedDict()
        self._lock = threading.Lock()

    def of(self, page: StoredPage) -> Picture | None:
        """A page's picture; None when its original was deleted.

        Args:
            page: Read from the store just now: it says whether there still is an original.

        Raises:
            QuarantinedError: The file does not decode any more.
            StoreError: The sealed file is damaged.
        """
        if page.original is None:
            with self._lock:
                self._kept.pop(page.page_id, None)
            return None
        with self._lock:
            kept = self._kept.get(page.page_id) or self._decoded(page, page.original)
            self._kept[page.page_id] = kept
            self._kept.move_to_end(page.page_id)
            while len(self._kept) > _KEPT:
                self._kept.popitem(last=False)
            return kept

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
