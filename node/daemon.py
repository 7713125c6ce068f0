"""The node's process: one loop over the chain, until it is told to end."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

import structlog

from gateways.block_store_choice import LocalKuboOptions, resolve_block_store
from gateways.chain_follower import ChainFollower
from gateways.data_folder import write_atomically
from node.adoption import adopt_head
from node.consent_publication import ConsentPublisher
from node.features import FeatureCache
from node.global_models import GlobalModels
from node.local_training import Trainer
from node.participation import Participation, SiteParts
from node.samples import trainable
from node.sent import SentLog
from node.site import AUDIT_KEY, IPFS_URL_FILE, STORE_KEY, SWARM_KEY_FILE, Site
from protocol.errors import BlockStoreError, LedgerUnavailableError, ReceiptTimeoutError, TransactionRevertedError

if TYPE_CHECKING:
    from learning.training import TrainingProgress
    from protocol.history import History, LineageView
    from protocol.identifiers import RoundId
    from protocol.ports import BlockStore

logger = structlog.get_logger(__name__)

PAUSED = "paused"
_MAX_BACKOFF_SECONDS = 60.0
_PIN_LOOKBACK_ROUNDS = 8


def assemble(site: Site, block_store: BlockStore) -> SiteParts:
    """Opens everything that rounds need; loads the backbone."""
    from learning.device import DeviceSettings, profile_device  # noqa: PLC0415 - torch loads for seconds
    from learning.lexicon_index import LexiconIndex  # noqa: PLC0415

    settings = site.settings
    sent = SentLog(site.journal)
    audit_key = site.key_ring.get(AUDIT_KEY)
    device = profile_device(DeviceSettings(threads=settings.training.threads))
    for line in device.lines():
        logger.info("device", says=line)
    cache = FeatureCache(site.folder.subfolder("features"), site.key_ring.get(STORE_KEY), site.backbone)
    models = GlobalModels(
        site.folder,
        site.journal,
        max_model_bytes=settings.max_model_bytes,
        timeout_seconds=settings.fetch_timeout_seconds,
    )
    return SiteParts(
        settings=settings,
        site_id=site.site_id,
        identity=site.identity,
        folder=site.folder,
        journal=site.journal,
        store=site.store,
        audit_key=audit_key,
        ledger=site.ledger,
        block_store=block_store,
        backbone=site.backbone,
        trainer=Trainer(site.backbone, cache, device, LexiconIndex.of(site.lexicon.names)),
        models=models,
        consents=ConsentPublisher(site.site_id, site.store, audit_key, site.ledger, sent),
        sent=sent,
    )


class NodeLoop:
    """What the daemon does again and again.

    Args:
        parts: The site.
        follower: The chain.
        progress: Called while training.
    """

    def __init__(
        self, parts: SiteParts, follower: ChainFollower, progress: Callable[[RoundId, TrainingProgress], None]
    ) -> None:
        self._parts = parts
        self._follower = follower
        self._participation = Participation(parts, progress)

    def step(self) -> bool:
        """One pass; returns whether anything was done, so that the caller comes back at once."""
        history = self._follower.sync()
        now = self._follower.head.timestamp
        if self._parts.site_id not in history.sites:
            return False
        if self._parts.consents.publish_withdrawals(history):
            self._forget_withdrawn(now)
            return True
        if history.sites[self._parts.site_id].active and self._parts.consents.ensure_root(history, now):
            return True
        done = False
        for slug in self._parts.settings.lineages:
            done |= self._step_lineage(history, slug, now)
        return done

    def _step_lineage(self, history: History, slug: str, now: int) -> bool:
        from protocol.identifiers import lineage_id_of  # noqa: PLC0415

        lineage = history.lineages.get(lineage_id_of(slug))
        if lineage is None:
            return False
        done = self._resume_pinning(lineage)
        done |= adopt_head(self._parts, lineage, now)
        live = lineage.live_round()
        if live is not None and not self._parts.journal.get(PAUSED):
            done |= self._participation.step(history, live, now)
        return done

    def _resume_pinning(self, lineage: LineageView) -> bool:
        recent = sorted(lineage.rounds)[-_PIN_LOOKBACK_ROUNDS:]
        return any(self._participation.resume_pinning(lineage.rounds[number]) for number in recent)

    def _forget_withdrawn(self, now: int) -> None:
        samples = trainable(self._parts.store, now, self._parts.settings.training.held_out_percent)
        keep = frozenset(sample.sample_id for sample in (*samples.train, *samples.held_out))
        self._parts.trainer.forget_all_but(keep)


def run(site: Site, progress: Callable[[RoundId, TrainingProgress], None]) -> None:
    """Runs the daemon until SIGTERM or SIGINT.

    Raises:
        StoreLockedError: Another daemon owns the data folder.
        FederationError: A failure that waiting does not mend.
    """
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    with ExitStack() as stack:
        stack.enter_context(site.folder.locked())
        # The chain first: "this is another chain" must be said before anything is started.
        follower = ChainFollower(site.ledger)
        block_store = stack.enter_context(_block_store(site))
        loop = NodeLoop(assemble(site, block_store), follower, progress)
        logger.info("node.ready", site=site.settings.site, lineages=list(site.settings.lineages))
        repeat(loop.step, stop, site.settings.poll_seconds)
    logger.info("node.stopped", site=site.settings.site)


def repeat(step: Callable[[], bool], stop: threading.Event, poll_seconds: float) -> None:
    """Calls a step until told to stop; waits longer and longer while the chain or IPFS is away."""
    backoff = poll_seconds
    while not stop.is_set():
        try:
            busy = step()
            backoff = poll_seconds
            if not busy:
                stop.wait(poll_seconds)
        except (LedgerUnavailableError, BlockStoreError, ReceiptTimeoutError, TransactionRevertedError) as error:
            # A revert here is a race with the clock or another sender: the chain is read again before the next try.
            logger.warning("node.waiting", reason=str(error), seconds=backoff)
            stop.wait(backoff)
            backoff = min(backoff * 2, _MAX_BACKOFF_SECONDS)


@contextmanager
def _block_store(site: Site) -> Iterator[BlockStore]:
    ipfs = site.settings.ipfs
    local = LocalKuboOptions(
        repo=site.folder / "ipfs",
        swarm_key=ipfs.swarm_key_file or site.folder / SWARM_KEY_FILE,
        rpc_port=ipfs.rpc_port,
        swarm_port=ipfs.swarm_port,
        peers=ipfs.peers,
    )
    with resolve_block_store(ipfs.url, local) as resolved:
        # Commands that run beside the daemon find the core that it started here.
        write_atomically(site.folder / IPFS_URL_FILE, resolved.store.url.encode("ascii"))
        try:
            yield resolved.store
        finally:
            (site.folder / IPFS_URL_FILE).unlink(missing_ok=True)
