"""Who gave the consent receipts below a root: the three counts that its publication names (docs/spec/consent.md)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass

from protocol.consent import ConsentEntry


@dataclass(frozen=True, slots=True)
class ConsentCounts:
    """How many receipts of each kind stand below a consent root."""

    patients: int
    """Receipts that the patients gave themselves."""
    guardians: int
    """Receipts that guardians gave."""
    waivers: int
    """Receipts that stand for a documented ethics waiver."""


def counts_by_giver(entries: Collection[ConsentEntry]) -> ConsentCounts:
    """Counts the receipts below a root by who gave them.

    Args:
        entries: The receipts of one root.
    """
    found = Counter(entry.signed.receipt.given_by for entry in entries)
    return ConsentCounts(patients=found["patient"], guardians=found["guardian"], waivers=found["waiver"])
