"""What the daemon does again and again: one pass over the chain, the consent desk and every lineage."""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING

import structlog

from node.consent.desk import pending_withdrawals
from node.data.samples import trainable_sample_ids
from node.rounds.adoption import adopt_head
from node.rounds.participation import Participation
from protocol.errors import BlockStoreError
from protocol.identifiers import lineage_id_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from gateways.chain_follower import ChainFollower
    from node.parts import SiteParts
    from node.rounds.preparation import ShowProgress
    from protocol.history import History, LineageView, SiteView
    from protocol.ledger_events import Position

logger = structlog.get_logger(__name__)

PAUSED = "paused"
"""Journal entry: no new update leaves this site while it is true."""


class NodeLoop:
    """The loop of one site.

    Args:
        parts: The site.
        follower: The chain.
        progress: Called while training.
    """

    def __init__(self, parts: SiteParts, follower: ChainFollower, progress: ShowProgress) -> None:
        self._parts = parts
        self._follower = follower
        self._participation = Participation(parts, progress)
        self._forgotten_at: int | None = None
        self._listed_to: Position | None = None
        self._warned = False

    def step(self) -> bool:
        """One pass; returns whether anything was done, so that the caller comes back at once.

        Raises:
            LedgerError: The chain does not answer, or did not take a transaction.
            BlockStoreError: IPFS does not answer or deliver, and nothing else could be done.
            StoreError: The disk is full or refuses.
        """
        # At the site a withdrawal waits for nothing, not even for the chain or its clock.
        self._forget_withdrawn(int(time.time()))
        history = self._follower.sync()
        now = self._follower.head.timestamp
        site = history.sites.get(self._parts.site_id)
        if site is None:
            return False
        self._list_sent(history)
        if not self._is_our_account(site):
            return False
        if self._parts.consents.publish_withdrawals(history) is not None:
            return True
        if site.left:
            return self._over_lineages(history, lambda lineage: [partial(self._settle, lineage, now)])
        if site.active and self._ensure_root(history, now):
            return True
        return self._over_lineages(history, lambda lineage: self._acts(history, lineage, now))

    def _acts(self, history: History, lineage: LineageView, now: int) -> list[Callable[[], bool]]:
        acts: list[Callable[[], bool]] = [
            partial(self._settle, lineage, now),
            partial(adopt_head, self._parts, lineage, now),
        ]
        live = lineage.live_round()
        # While a withdrawal is not yet in a block nothing new is made under the roots that it will void.
        if live is not None and not self._parts.journal.get(PAUSED) and not pending_withdrawals(self._parts.store):
            acts.append(partial(self._participation.step, history, live, now))
        return acts

    def _over_lineages(self, history: History, acts: Callable[[LineageView], list[Callable[[], bool]]]) -> bool:
        """Does every act of every lineage: content that nobody delivers holds up nothing that does not need it."""
        done = False
        failures: list[BlockStoreError] = []
        for slug in self._parts.settings.lineages:
            lineage = history.lineages.get(lineage_id_of(slug))
            for act in [] if lineage is None else acts(lineage):
                try:
                    done |= act()
                except BlockStoreError as error:
                    logger.warning("node.ipfs", lineage=slug, reason=str(error))
                    failures.append(error)
        if failures and not done:
            raise failures[0]
        return done

    def _settle(self, lineage: LineageView, now: int) -> bool:
        done = self._participation.settle(lineage, now)
        self._parts.rounds.drop_old_files(lineage, self._parts.site_id, self._parts.settings.keep_rounds)
        return done

    def _ensure_root(self, history: History, now: int) -> bool:
        """A root of a site that has too few words to train would only tell when its first patient was there."""
        consents = self._parts.consents
        if consents.root_in_force(history, now) is not None:
            return False
        if len(self._trainable_ids(now)) < self._parts.settings.training.min_examples:
            return False
        return consents.ensure_root(history, now)

    def _forget_withdrawn(self, now: int) -> None:
        count = self._parts.store.withdrawal_count()
        if count != self._forgotten_at:
            self._parts.trainers.forget_all_but(self._trainable_ids(now))
            self._forgotten_at = count

    def _trainable_ids(self, now: int) -> frozenset[bytes]:
        return trainable_sample_ids(self._parts.store, now, purpose=self._parts.settings.consent.purpose)

    def _list_sent(self, history: History) -> None:
        if history.position != self._listed_to:
            self._parts.sent.add_from_chain(history, self._parts.site_id)
            self._listed_to = history.position

    def _is_our_account(self, site: SiteView) -> bool:
        """A site whose account was rotated elsewhere must not send: every call would be refused."""
        if site.account == self._parts.account:
            return True
        if not self._warned:
            logger.error("node.account_rotated", ours=str(self._parts.account), on_chain=str(site.account))
            self._warned = True
        return False
