"""What a site's sealed files may not outlive: an import that died, their review, and the age that the settings allow.

The store forgets a file's key first: where a process is killed between the two, what is left on the disk is noise, and
the next sweep removes it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from node.store.pages import forget_empty_originals, known_files, release_originals
from node.store.quarantine import forget_old_copies
from protocol.consent_receipt import DAY_SECONDS

if TYPE_CHECKING:
    from node.store.local_store import LocalStore
    from node.store.sealed_files import SealedFiles

_ABANDONED_SECONDS = 24 * 3600


def sweep(
    store: LocalStore,
    originals: SealedFiles,
    quarantine: SealedFiles,
    now: int,
    *,
    keep_originals: bool,
    quarantine_days: int,
) -> None:
    """Removes what nobody needs any more.

    Args:
        store: Of the site.
        originals: Imported files.
        quarantine: Copies of what could not be imported.
        now: Seconds since 1970.
        keep_originals: Whether imported files stay after their words were reviewed.
        quarantine_days: How old a copy in quarantine may become; its record and reason stay.

    Raises:
        StoreError: The store or a folder cannot be written.
    """
    with store.write() as transaction:
        forget_empty_originals(transaction, now - _ABANDONED_SECONDS)
        forget_old_copies(transaction, now - quarantine_days * DAY_SECONDS)
        if not keep_originals:
            release_originals(transaction)

    def known(which: int) -> frozenset[bytes]:
        with store.read() as transaction:
            return known_files(transaction)[which]

    originals.sweep(lambda: known(0))
    quarantine.sweep(lambda: known(1))
