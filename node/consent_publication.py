"""Brings the site's consent desk onto the chain: withdrawals at once, roots when they are needed.

A root is published when none is in force and when a round opens for which the desk has changed, never at a visit: no
event on the chain tells when a patient was there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog

from node.consent_desk import consent_entries, mark_withdrawals_published, pending_withdrawals
from node.sent import SentLog
from protocol.consent import consent_tree
from protocol.errors import ConsentError
from protocol.history import ConsentView, History
from protocol.identifiers import Digest
from protocol.ledger_calls import PublishConsentRoot, WithdrawConsents

if TYPE_CHECKING:
    from node.local_store import LocalStore
    from protocol.identifiers import SiteId
    from protocol.ports import Ledger

logger = structlog.get_logger(__name__)


class ConsentPublisher:
    """Publishes for one site.

    Args:
        site_id: The site.
        store: Holds receipts.
        audit_key: Keys the leaves.
        ledger: Signs as the site.
        sent: Takes a line for everything that leaves.
    """

    def __init__(self, site_id: SiteId, store: LocalStore, audit_key: bytes, ledger: Ledger, sent: SentLog) -> None:
        self._site_id = site_id
        self._store = store
        self._audit_key = audit_key
        self._ledger = ledger
        self._sent = sent

    def publish_withdrawals(self, history: History) -> bool:
        """Voids the published roots when a patient withdrew; returns whether a transaction was sent.

        The history must be in step with the chain, so that after a crash nothing is sent twice.
        """
        pending = pending_withdrawals(self._store)
        if not pending:
            return False
        consent = history.consents.get(self._site_id, ConsentView())
        if consent.latest_version < consent.min_version or not consent.roots:
            # Nothing in force on the chain: the withdrawal is already in effect there.
            mark_withdrawals_published(self._store, [item.withdrawal_id for item in pending], tx_hash=None)
            return False
        receipt = self._ledger.send(WithdrawConsents())
        mark_withdrawals_published(self._store, [item.withdrawal_id for item in pending], tx_hash=receipt.tx_hash)
        self._sent.add("consent withdrawal", tx_hash=receipt.tx_hash)
        logger.info("consent.withdrawn", tx=str(receipt.tx_hash))
        return True

    def ensure_root(self, history: History, now: int) -> bool:
        """Publishes a first root, or a new one when none is in force; returns whether a transaction was sent."""
        if self.root_in_force(history, now) is not None or not consent_entries(self._store, now):
            return False
        self._publish(now)
        return True

    def ensure_current_root(self, history: History, now: int) -> bool:
        """Publishes a new root when the desk has changed since the last; returns whether a transaction was sent.

        Raises:
            ConsentError: No patient has a consent in force.
        """
        entries = consent_entries(self._store, now)
        if not entries:
            raise ConsentError("no patient has a consent in force", hint="record one: fedrx node consent grant")
        version = self.root_in_force(history, now)
        if version is not None:
            published = history.consents[self._site_id].roots[version][0].root
            if published == consent_tree(entries, self._audit_key).root:
                return False
        self._publish(now)
        return True

    def root_in_force(self, history: History, now: int) -> int | None:
        """The newest consent version that an update may name, or None."""
        consent = history.consents.get(self._site_id, ConsentView())
        version = consent.latest_version
        if version == 0 or version < consent.min_version or consent.roots[version][0].valid_until < now:
            return None
        return version

    def root_of(self, history: History, version: int) -> Digest:
        """The published root of a version."""
        return history.consents[self._site_id].roots[version][0].root

    def _publish(self, now: int) -> None:
        entries = consent_entries(self._store, now)
        root = consent_tree(entries, self._audit_key).root
        valid_until = min(entry.signed.receipt.expires_at for entry in entries)
        receipt = self._ledger.send(PublishConsentRoot(root, valid_until))
        self._sent.add("consent root", digest=root, tx_hash=receipt.tx_hash)
        logger.info("consent.root_published", tx=str(receipt.tx_hash))
