"""Pages that a site already has. A duplicate must not train twice.

Today exact: the same decoded pixels, whatever the file's name, container or metadata. A perceptual fingerprint for
near duplicates would be one more key beside ``Page.digest`` and one more reason in ``Repeated``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from prescriptions.page import Page
    from protocol.identifiers import Digest

SAME_PIXELS = "same-pixels"


@dataclass(frozen=True, slots=True)
class Repeated:
    """A page that is there already."""

    page: Page
    first: Digest
    """Of the page that it repeats."""
    reason: str
    """``same-pixels``."""


@dataclass(frozen=True, slots=True)
class SortedPages:
    """Pages told apart; both in the order in which they came."""

    new: tuple[Page, ...]
    repeated: tuple[Repeated, ...]


def sort_out_duplicates(pages: Iterable[Page], known: Collection[Digest]) -> SortedPages:
    """Tells new pages from those that the site has, or that come twice in ``pages``."""
    seen = set(known)
    new, repeated = [], []
    for page in pages:
        if page.digest in seen:
            repeated.append(Repeated(page, page.digest, SAME_PIXELS))
        else:
            seen.add(page.digest)
            new.append(page)
    return SortedPages(tuple(new), tuple(repeated))
