"""The node's process: builds the parts, repeats the loop's step, ends on SIGTERM or SIGINT."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import structlog

from gateways.block_store_choice import LocalKuboOptions, resolve_block_store
from gateways.chain_follower import ChainFollower
from gateways.data_folder import write_atomically
from gateways.stopping import stoppable
from node.consent_publication import ConsentPublisher
from node.loop import NodeLoop
from node.outbox import Outbox
from node.parts import SiteParts
from node.round_records import RoundRecords
from node.sent import SentLog
from node.site import AUDIT_KEY, IPFS_URL_FILE, STORE_KEY, SWARM_KEY_FILE, Site, models_of
from protocol.errors import BlockStoreError, LedgerError, StoreError, WrongChainError

if TYPE_CHECKING:
    from node.preparation import ShowProgress
    from protocol.ports import BlockStore, Ledger

logger = structlog.get_logger(__name__)


def run(site: Site, progress: ShowProgress) -> None:
    """Runs the daemon until SIGTERM or SIGINT.

    A signal ends the process where it stands: what a kill must survive, a request to stop survives too.

    Args:
        site: Open; its folder is owned until this returns.
        progress: Called while training.

    Raises:
        StoreLockedError: Another daemon owns the data folder.
        WrongChainError: The endpoint serves another chain than the deployment file names.
        FederationError: A failure that waiting does not mend.
    """
    settings = site.settings
    with stoppable(), site.folder.locked():
        # The chain first: "this is another chain" must be said before anything is started.
        follower = ChainFollower(site.ledger)
        with _block_store(site) as block_store:
            loop = NodeLoop(assemble(site, site.ledger, block_store), follower, progress)
            logger.info("node.ready", site=settings.site, lineages=list(settings.lineages))
            repeat(loop.step, poll_seconds=settings.poll_seconds, max_backoff_seconds=settings.max_backoff_seconds)
    logger.info("node.stopped", site=settings.site)


def assemble(site: Site, ledger: Ledger, block_store: BlockStore) -> SiteParts:
    """Opens everything that rounds need; loads the backbone."""
    from learning.device import DeviceSettings, profile_device  # noqa: PLC0415 - torch loads for seconds
    from learning.lexicon_index import LexiconIndex  # noqa: PLC0415
    from node.features import FeatureCache  # noqa: PLC0415
    from node.local_training import Trainer  # noqa: PLC0415

    settings = site.settings
    device = profile_device(DeviceSettings(threads=settings.training.threads))
    for line in device.lines():
        logger.info("device", says=line)
    audit_key = site.key_ring.get(AUDIT_KEY)
    cache = FeatureCache(site.folder.subfolder("features"), site.key_ring.get(STORE_KEY), site.backbone)
    outbox = Outbox(ledger, site.journal, resend_after_seconds=settings.resend_after_seconds)
    return SiteParts(
        settings=settings,
        site_id=site.site_id,
        account=site.account,
        identity=site.identity,
        journal=site.journal,
        store=site.store,
        audit_key=audit_key,
        outbox=outbox,
        block_store=block_store,
        backbone=site.backbone,
        trainer=Trainer(site.backbone, cache, device, LexiconIndex.of(site.lexicon.names)),
        models=models_of(site),
        consents=ConsentPublisher(site.site_id, site.store, audit_key, outbox, site.journal),
        rounds=RoundRecords(site.folder, site.journal),
        sent=SentLog(site.journal),
    )


def repeat(
    step: Callable[[], bool],
    *,
    poll_seconds: float,
    max_backoff_seconds: float,
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Calls a step for good; waits longer and longer while the chain, IPFS or the disk is not there.

    Raises:
        WrongChainError: The chain was replaced by another one.
        FederationError: Another failure that waiting does not mend.
    """
    backoff = poll_seconds
    while True:
        try:
            busy = step()
        except WrongChainError:
            raise
        except (LedgerError, BlockStoreError, StoreError) as error:
            # A revert is a race with the clock or another sender: the chain is read again before the next try.
            logger.warning("node.waiting", reason=str(error), seconds=backoff)
            sleep(backoff)
            backoff = min(backoff * 2, max_backoff_seconds)
            continue
        backoff = poll_seconds
        if not busy:
            sleep(poll_seconds)


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
