"""The daemon's part: before each pass the chain is compared with what was signed, and what is new is signed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import structlog

from node.checkpoints.kept import FIRST, KeptCheckpoints
from node.checkpoints.rewrites import note_rewrite, refuse_rewritten, rewrites
from node.keys.documents import ACCOUNT_KEY
from protocol.checkpoint import Checkpoint
from protocol.cosigning import CosignedCheckpoint, cosign

if TYPE_CHECKING:
    from gateways.chain_follower import ChainFollower
    from node.site import Site
    from protocol.history import History
    from protocol.identifiers import BlockHash

logger = structlog.get_logger(__name__)


class CheckpointKeeper:
    """Steps a loop behind the comparison.

    Args:
        site: Its folder is owned by this process.
        follower: Of the loop: its history holds nothing but final blocks.
        step: The loop's.
    """

    def __init__(self, site: Site, follower: ChainFollower, step: Callable[[], bool]) -> None:
        self._site = site
        self._follower = follower
        self._step = step
        self._kept: KeptCheckpoints | None = None

    def step(self) -> bool:
        """One pass of the loop, on a chain that still holds every block that the site signed.

        Raises:
            WrongChainError: It does not, or did not once, and no operator has decided.
            FederationError: As the loop's step.
        """
        refuse_rewritten(self._site.journal)
        if self._kept is None:
            kept = KeptCheckpoints(self._site.folder, self._site.identity)
            self._refuse_rewrite(kept)
            self._kept = kept
        elif not self._newest_stands(self._kept):
            self._refuse_rewrite(self._kept)
        # What the last pass has read: the loop must be the first to meet a new account (``AccountSwitch``).
        self._sign_new(self._kept)
        return self._step()

    def _newest_stands(self, kept: KeptCheckpoints) -> bool:
        """The newest block's hash covers all blocks before it."""
        newest = kept.all()[-1:]
        return all(self._is_on_chain(one.checkpoint.number, one.checkpoint.block_hash) for one in newest)

    def _refuse_rewrite(self, kept: KeptCheckpoints) -> None:
        for rewrite in rewrites(kept.all(), self._site.ledger):
            note_rewrite(self._site.journal, rewrite)
            logger.error("checkpoint.history_rewritten", block=rewrite.kept.checkpoint.number, kept=rewrite.kept.name)
            refuse_rewritten(self._site.journal)

    def _sign_new(self, kept: KeptCheckpoints) -> None:
        history = self._follower.history
        on_chain = history.sites.get(self._site.site_id)
        if on_chain is None or on_chain.left:
            return
        due = [one for one in self._due(history, kept) if kept.get(one[0]) is None]
        if not due or on_chain.account != self._site.account:
            return
        for name, number, block_hash in due:
            if self._is_on_chain(number, block_hash):
                self._sign(kept, name, number, block_hash)

    def _due(self, history: History, kept: KeptCheckpoints) -> Iterator[tuple[str, int, BlockHash]]:
        """Names and blocks: the newest at first, then of each round the one that holds its outcome.

        Every site signs the same block for a round, so that their signatures fit under one note.
        """
        first = kept.get(FIRST)
        if first is None:
            head = self._follower.head
            yield FIRST, head.number, head.block_hash
            return
        for lineage_id, slug in self._site.lineage_ids.items():
            lineage = history.lineages.get(lineage_id)
            for number, view in lineage.rounds.items() if lineage else ():
                at = view.outcome_at
                if at is not None and at.block_number > first.checkpoint.number:
                    yield f"{slug}.{number}", at.block_number, at.block_hash

    def _sign(self, kept: KeptCheckpoints, name: str, number: int, block_hash: BlockHash) -> None:
        site, identity = self._site, self._site.identity
        checkpoint = Checkpoint(identity.chain_id, identity.contract_address, number, block_hash)
        signature = cosign(checkpoint, site.settings.site, site.key_ring.get(ACCOUNT_KEY))
        kept.keep(name, CosignedCheckpoint(checkpoint, (signature,)))
        logger.info("checkpoint.kept", name=name, block=number)

    def _is_on_chain(self, number: int, block_hash: BlockHash) -> bool:
        return self._site.ledger.block_hash(number) == block_hash
