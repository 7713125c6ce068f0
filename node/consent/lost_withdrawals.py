"""Withdrawals that the chain knows and the store does not: the store was put back from a backup made before them.

Such a store still counts patients as consenting who withdrew. The chain does not say who: only a person can enter them
again, and say that it was done.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from node.store.withdrawals import know_on_chain, known_on_chain
from protocol.errors import ConsentError

if TYPE_CHECKING:
    from gateways.journal import Journal
    from node.store.local_store import LocalStore
    from protocol.history import ConsentView
    from protocol.ledger_events import Position

OLDER = "the chain knows a withdrawal that this store does not: the store is older than the chain"
WHAT_TO_DO = (
    "withdraw again whoever withdrew since the backup (fedrx node consent withdraw PATIENT), "
    "then fedrx node consent restored"
)
_NOTE = "lost-withdrawals"


def lost_withdrawals(store: LocalStore, consent: ConsentView) -> dict[int, Position]:
    """The site's withdrawals on the chain that its store never recorded, by their number, oldest first."""
    with store.read() as transaction:
        known = known_on_chain(transaction)
    return {number: at for number, (_, at) in enumerate(consent.withdrawals, start=1) if number not in known}


def refuse_lost(store: LocalStore, consent: ConsentView) -> None:
    """Refuses to go on with a store that is older than the chain.

    Raises:
        ConsentError: The chain knows a withdrawal that the store does not.
    """
    if lost_withdrawals(store, consent):
        raise ConsentError(OLDER, hint=WHAT_TO_DO)


def answer_for(store: LocalStore, numbers: dict[int, Position]) -> None:
    """A person has entered these withdrawals again."""
    with store.write() as transaction:
        know_on_chain(transaction, numbers)


def note_lost(journal: Journal, count: int) -> None:
    """Keeps how many are lost, for those who have no key to the store."""
    if count != lost_noted(journal):
        journal.record(_NOTE, count)


def lost_noted(journal: Journal) -> int:
    """How many withdrawals the daemon last found lost."""
    return cast("int | None", journal.get(_NOTE)) or 0
