"""Brings the site's consent desk onto the chain: withdrawals at once, roots when a round needs them.

A root is published when none is in force and the site has words to train on, and when a round finds grants that the
published root does not hold, at most once a round; never at a visit: no event on the chain tells when a patient was
there. A withdrawal waits for nothing. While the chain knows a withdrawal that the store does not, nothing is published
and nothing trains (node/consent/lost_withdrawals.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import structlog

from gateways.chain_follower import ChainFollower
from gateways.outbox import Outbox
from node.consent.desk import consent_entries, earliest_expiry, mark_withdrawals_published, pending_withdrawals
from node.consent.lost_withdrawals import OLDER, WHAT_TO_DO, lost_withdrawals, note_lost, refuse_lost
from node.consent.published_trees import keep_tree
from node.sent import SentLog
from node.site import AUDIT_KEY, Site
from node.store.withdrawals import know_on_chain, known_on_chain, unknow_on_chain
from protocol.consent import ConsentEntry, consent_tree
from protocol.consent_counts import counts_by_giver
from protocol.errors import ConsentError, LedgerError, StoreLockedError
from protocol.history import ConsentView, History, RoundView
from protocol.identifiers import Digest, TxHash
from protocol.ledger_calls import PublishConsentRoot, WithdrawConsents

if TYPE_CHECKING:
    from gateways.journal import Journal
    from node.store.local_store import LocalStore
    from protocol.identifiers import SiteId
    from protocol.ledger_events import Position
    from protocol.ports import TxReceipt

logger = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class PublishedConsent:
    """A consent root of this site that is in force, and the receipts below it."""

    version: int
    root: Digest
    valid_until: int
    """Seconds since 1970."""
    position: Position
    receipt_ids: frozenset[Digest]


class ConsentPublisher:
    """Publishes for one site. The histories it is given are in step with the chain.

    Args:
        site_id: The site.
        store: Holds receipts.
        audit_key: Keys the leaves.
        outbox: Sends as the site.
        journal: Remembers which receipts are below which root.
    """

    def __init__(self, site_id: SiteId, store: LocalStore, audit_key: bytes, outbox: Outbox, journal: Journal) -> None:
        self._site_id = site_id
        self._store = store
        self._audit_key = audit_key
        self._outbox = outbox
        self._journal = journal
        self._found_clean: tuple[int, int] | None = None
        self._lost = 0

    def publish_withdrawals(self, history: History) -> TxReceipt | None:
        """Voids the published roots when a patient withdrew.

        Returns:
            The receipt of the transaction; None when none was needed, or one sent before may still come into a block.
        """
        pending = pending_withdrawals(self._store)
        consent = self._consent(history)
        self._note_lost(consent)
        if not _in_force(consent):
            if pending:
                # Nothing stands on the chain that a withdrawal could void; the last one there may be this one.
                last = consent.withdrawals[-1][1].tx_hash if consent.withdrawals else None
                mark_withdrawals_published(self._store, [item.withdrawal_id for item in pending], last)
            return None
        if not pending and not self._names_withdrawn(consent):
            return None
        receipt = self._send_withdrawal(consent)
        if receipt is not None:
            mark_withdrawals_published(self._store, [item.withdrawal_id for item in pending], receipt.tx_hash)
            logger.info("consent.withdrawn", tx=str(receipt.tx_hash))
        return receipt

    def ensure_root(self, history: History, now: int) -> bool:
        """Publishes a root when none is in force and a patient consents; returns whether a transaction was sent."""
        if self.root_in_force(history, now) is not None or lost_withdrawals(self._store, self._consent(history)):
            return False
        entries = consent_entries(self._store, now)
        return bool(entries) and self._publish(history, entries)

    def needs_root_for(self, history: History, view: RoundView, now: int) -> bool:
        """Whether a round takes a newer root than the one that is published.

        Raises:
            ConsentError: The chain knows a withdrawal that the store does not.
        """
        refuse_lost(self._store, self._consent(history))
        published = self.published(history, now)
        if published is None or published.valid_until < view.opened.deadline:
            return True
        if published.position > view.opened_at:
            # One root a round: what was granted since waits for the next, so that no event marks a visit.
            return False
        return not published.receipt_ids >= _ids(consent_entries(self._store, view.opened.deadline))

    def publish_root_for(self, history: History, view: RoundView) -> bool:
        """Publishes the receipts that outlast a round; returns whether a transaction was sent.

        Raises:
            ConsentError: No patient's consent outlasts the round, or the chain knows a withdrawal that the store does
                not.
        """
        refuse_lost(self._store, self._consent(history))
        entries = consent_entries(self._store, view.opened.deadline)
        if not entries:
            raise ConsentError(
                "no patient has a consent in force until the round's end",
                hint="record one: fedrx node consent grant",
            )
        return self._publish(history, entries)

    def root_in_force(self, history: History, now: int) -> int | None:
        """The newest consent version that an update may name, or None."""
        consent = self._consent(history)
        if not _in_force(consent) or consent.roots[consent.latest_version][0].valid_until < now:
            return None
        return consent.latest_version

    def may_name(self, history: History, version: int, now: int) -> bool:
        """Whether the contract takes an update under a version now, and the store knows every withdrawal."""
        consent = self._consent(history)
        published = consent.roots.get(version)
        if lost_withdrawals(self._store, consent):
            return False
        return published is not None and version >= consent.min_version and published[0].valid_until >= now

    def published(self, history: History, now: int) -> PublishedConsent | None:
        """The root in force and its receipts; None without one, or when its receipts are not known any more."""
        version = self.root_in_force(history, now)
        if version is None:
            return None
        event, position = history.consents[self._site_id].roots[version]
        receipt_ids = self._receipts_below(event.root)
        if receipt_ids is None:
            return None
        return PublishedConsent(version, event.root, event.valid_until, position, receipt_ids)

    def _consent(self, history: History) -> ConsentView:
        return history.consents.get(self._site_id, ConsentView())

    def _note_lost(self, consent: ConsentView) -> None:
        lost = len(lost_withdrawals(self._store, consent))
        note_lost(self._journal, lost)
        if lost and lost != self._lost:
            logger.error("consent.store_older_than_chain", says=OLDER, hint=WHAT_TO_DO, withdrawals=lost)
        self._lost = lost

    def _send_withdrawal(self, consent: ConsentView) -> TxReceipt | None:
        number = len(consent.withdrawals) + 1
        # Before it is sent: in a block, and unknown to the store, it would mean that the store is older.
        with self._store.write() as transaction:
            new = number not in known_on_chain(transaction)
            know_on_chain(transaction, [number])
        try:
            return self._outbox.send(f"withdraw/{consent.latest_version}", WithdrawConsents())
        except LedgerError:
            if new:
                # Nothing is under way: a backup made now must not take a later one for its own.
                with self._store.write() as transaction:
                    unknow_on_chain(transaction, number)
            raise

    def _names_withdrawn(self, consent: ConsentView) -> bool:
        """Whether the newest root holds a receipt that was withdrawn: it came into a block after the withdrawal."""
        seen = (self._store.withdrawal_count(), consent.latest_version)
        if seen == self._found_clean:
            return False
        below = self._receipts_below(consent.roots[consent.latest_version][0].root)
        if below is not None and not below <= _ids(consent_entries(self._store, now=0)):
            return True
        self._found_clean = seen
        return False

    def _receipts_below(self, root: Digest) -> frozenset[Digest] | None:
        found = cast("list[str] | None", self._journal.get(f"consent-root/{root.hex()}"))
        return None if found is None else frozenset(Digest.from_hex(item) for item in found)

    def _publish(self, history: History, entries: Sequence[ConsentEntry]) -> bool:
        tree = consent_tree(entries, self._audit_key)
        root = tree.root
        keep_tree(self._journal, tree)
        counts = counts_by_giver(entries)
        call = PublishConsentRoot(
            root=root,
            valid_until=earliest_expiry(entries) or 0,
            patients=counts.patients,
            guardians=counts.guardians,
            waivers=counts.waivers,
        )
        latest = self._consent(history).latest_version
        # Before it is sent: a root in a block whose receipts nobody knows could not be trained under.
        self._journal.record(f"consent-root/{root.hex()}", sorted(item.hex() for item in _ids(entries)))
        receipt = self._outbox.send(f"consent-root/{latest + 1}", call)
        if receipt is not None:
            logger.info("consent.root_published", version=latest + 1, tx=str(receipt.tx_hash))
        return receipt is not None


def publish_pending(site: Site) -> TxHash | None:
    """Tells the chain of recorded withdrawals now, for a command that runs while no daemon does.

    Returns:
        The transaction; None when there was nothing to tell, or the running daemon tells it at its next step, which
        also ends a training that is under way.

    Raises:
        LedgerError: The chain cannot be reached or the account cannot pay; the withdrawal stays recorded and the
            daemon tells it when it starts.
    """
    if not pending_withdrawals(site.store):
        return None
    try:
        # The daemon and a command must not sign with one account at the same time: they would take the same nonce.
        with site.folder.locked():
            receipt = publisher_of(site).publish_withdrawals(ChainFollower(site.ledger).sync())
    except StoreLockedError:
        return None
    if receipt is None:
        return None
    SentLog(site.journal).add("consent withdrawal", tx_hash=receipt.tx_hash, at=receipt.position.timestamp)
    return receipt.tx_hash


def publisher_of(site: Site) -> ConsentPublisher:
    """The publisher of an open site."""
    outbox = Outbox(site.ledger, site.journal, resend_after_seconds=site.settings.resend_after_seconds)
    return ConsentPublisher(site.site_id, site.store, site.key_ring.get(AUDIT_KEY), outbox, site.journal)


def _in_force(consent: ConsentView) -> bool:
    return 0 < consent.latest_version >= consent.min_version


def _ids(entries: Sequence[ConsentEntry]) -> frozenset[Digest]:
    return frozenset(entry.signed.receipt.receipt_id for entry in entries)
