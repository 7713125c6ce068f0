"""Forgetting a patient for good: what the desk keeps of them, and what the daemon derived from their words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateways.data_folder import store_error
from node.rounds.features import erase_features

if TYPE_CHECKING:
    from pathlib import Path

    from node.consent.desk import ConsentDesk, Erasure
    from node.store.sealed_files import SealedFiles


def erase_for_good(
    desk: ConsentDesk, patient: str, now: int, *, originals: SealedFiles, quarantine: SealedFiles, features: Path
) -> Erasure:
    """Withdraws what is in force, then deletes the patient's key, rows, salts, files and cached features.

    Args:
        desk: The site's consent desk.
        patient: The site's own identifier.
        now: Seconds since 1970.
        originals: Imported files.
        quarantine: Files that were kept aside.
        features: Folder of the daemon's feature cache, which may not be there yet.

    Raises:
        ConsentError: There is no such patient.
        StoreError: A file cannot be removed; the patient's key is gone all the same.
    """
    erasure = desk.erase(patient, now, originals, quarantine)
    try:
        # A daemon that runs does the same at its next step; one that does not would keep them.
        erase_features(features, erasure.word_ids)
    except OSError as error:
        raise store_error(error, features) from error
    return erasure
