"""Who must be asked again: consent that ends soon or has ended, and consent that does not cover the use. Pure.

A patient who withdrew is not in the list: they have answered.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from node.store.tables import ReceiptState

if TYPE_CHECKING:
    from node.store.receipts import StoredReceipt
    from protocol.consent_receipt import ConsentReceipt


class Why(StrEnum):
    """Why a patient is to be asked again."""

    EXPIRED = "expired"
    EXPIRES_SOON = "expires soon"
    OTHER_PURPOSE = "does not cover the purpose"


@dataclass(frozen=True, slots=True)
class Due:
    """A patient to ask again."""

    patient: str
    why: Why
    expires_at: int
    """Of the receipt that lasts longest, seconds since 1970."""


def due(stored: Iterable[StoredReceipt], purpose: str, now: int, until: int) -> tuple[Due, ...]:
    """Patients to ask again, the most urgent first.

    Args:
        stored: Every receipt of the site.
        purpose: The DUO code of what the network trains for.
        now: Seconds since 1970.
        until: A consent that ends before this is due now, seconds since 1970.
    """
    of_patient: dict[str, list[ConsentReceipt]] = defaultdict(list)
    for item in stored:
        if item.state is ReceiptState.IN_FORCE:
            receipt = item.entry.signed.receipt
            of_patient[receipt.patient].append(receipt)
    found = (_due(patient, receipts, purpose, now, until) for patient, receipts in of_patient.items())
    return tuple(sorted(filter(None, found), key=lambda item: (item.expires_at, item.patient)))


def _due(patient: str, receipts: list[ConsentReceipt], purpose: str, now: int, until: int) -> Due | None:
    covering = [receipt.expires_at for receipt in receipts if receipt.covers(purpose)]
    last = max(covering, default=0)
    if last >= until:
        return None
    if last > now:
        return Due(patient, Why.EXPIRES_SOON, last)
    if any(receipt.expires_at > now for receipt in receipts):
        return Due(patient, Why.OTHER_PURPOSE, max(receipt.expires_at for receipt in receipts))
    return Due(patient, Why.EXPIRED, max(receipt.expires_at for receipt in receipts))
