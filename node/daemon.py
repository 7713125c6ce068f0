"""The node's process: builds the parts, repeats the loop's step, ends on SIGTERM or SIGINT."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import structlog

from gateways.chain_follower import ChainFollower
from gateways.daemon_block_store import daemon_block_store
from gateways.outbox import Outbox
from gateways.repeating import repeat
from gateways.stopping import stoppable
from node.checkpoints.keeper import CheckpointKeeper
from node.command_options import FEATURES, originals_of, quarantine_of
from node.consent.publication import ConsentPublisher
from node.data.sweeping import sweep
from node.keys.account_switch import AccountSwitch
from node.parts import SiteParts
from node.rounds.loop import NodeLoop
from node.rounds.records import RoundRecords
from node.sent import SentLog
from node.site import AUDIT_KEY, Site, models_of
from node.store.opening import STORE_KEY
from protocol.errors import BlockStoreError, LedgerError, StoreError

if TYPE_CHECKING:
    from collections.abc import Callable

    from learning.device import DeviceProfile
    from node.rounds.preparation import ShowProgress
    from node.settings import TrainingLimits
    from protocol.ports import BlockStore, Ledger

logger = structlog.get_logger(__name__)

_SWEEP_SECONDS = 3600.0
_IMPORT_BUDGET_SECONDS = 20.0
"""No further file of the watched folder is begun in a pass that took so long: rounds and withdrawals wait behind it."""
WAITS_FOR = (LedgerError, BlockStoreError, StoreError)
"""A revert too: it is a race with the clock or another sender, and the chain is read again before the next try."""


def run(site: Site, progress: ShowProgress) -> None:
    """Runs the daemon until SIGTERM or SIGINT.

    A signal ends the process where it stands: what a kill must survive, a request to stop survives too.

    Args:
        site: Open; the caller owns its folder.
        progress: Called while training.

    Raises:
        WrongChainError: The endpoint serves another chain than the deployment file names, or one that was rewritten
            below a block that the site signed.
        FederationError: A failure that waiting does not mend.
    """
    settings = site.settings
    with stoppable():
        # The chain first: "this is another chain" must be said before anything is started.
        follower = ChainFollower(site.ledger)
        with daemon_block_store(settings.ipfs, site.folder) as block_store:
            loop = AccountSwitch(
                site, follower, lambda: NodeLoop(assemble(site, site.ledger, block_store), follower, progress)
            )
            keeper = CheckpointKeeper(site, follower, loop.step)
            step = watching(site, sweeping(site, keeper.step))
            logger.info("node.ready", site=settings.site, lineages=list(settings.lineages))
            repeat(
                step,
                waits_for=WAITS_FOR,
                poll_seconds=settings.poll_seconds,
                max_backoff_seconds=settings.max_backoff_seconds,
            )
    logger.info("node.stopped", site=settings.site)


def sweeping(
    site: Site, step: Callable[[], bool], *, clock: Callable[[], float] = time.monotonic
) -> Callable[[], bool]:
    """The loop's step, before which an hourly sweep removes the sealed files that nobody needs any more.

    Args:
        site: Open.
        step: The loop's.
        clock: Seconds of a steady clock.
    """
    originals, quarantine = originals_of(site), quarantine_of(site)
    settings, due = site.settings, clock()

    def sweep_and_step() -> bool:
        nonlocal due
        if clock() >= due:
            due = clock() + _SWEEP_SECONDS
            try:
                sweep(
                    site.store,
                    originals,
                    quarantine,
                    int(time.time()),
                    keep_originals=settings.reading.keep_originals,
                    quarantine_days=settings.intake.quarantine_days,
                )
            except StoreError as error:
                # A stray file in a folder holds up no round.
                logger.warning("node.sweep_failed", reason=str(error))
        return step()

    return sweep_and_step


def watching(site: Site, step: Callable[[], bool]) -> Callable[[], bool]:
    """The loop's step, behind a look into the watched folder when there is one."""
    folder = site.settings.intake.watch_folder
    if folder is None:
        return step
    from node.data.intake_parts import intake_parts  # noqa: PLC0415 - an engine loads for seconds
    from node.data.watched_folder import WatchedFolder  # noqa: PLC0415

    watched = WatchedFolder(
        folder,
        intake_parts(site),
        settle_seconds=site.settings.intake.settle_seconds,
        budget_seconds=_IMPORT_BUDGET_SECONDS,
    )

    def look_and_step() -> bool:
        # The folder first: pages come in while the chain is away too.
        taken = watched.step_or_wait(int(time.time()))
        return step() or taken

    return look_and_step


def assemble(site: Site, ledger: Ledger, block_store: BlockStore) -> SiteParts:
    """Opens everything that rounds need; a backbone loads when a lineage first needs it."""
    from learning.lexicon_index import LexiconIndex  # noqa: PLC0415 - torch loads for seconds
    from node.rounds.trainers import Trainers  # noqa: PLC0415

    settings = site.settings
    audit_key = site.key_ring.get(AUDIT_KEY)
    trainers = Trainers(
        site.folder.subfolder(FEATURES),
        site.key_ring.get(STORE_KEY),
        site.backbones,
        training_device(settings.training),
        LexiconIndex.of(site.lexicon.names),
    )
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
        trainers=trainers,
        models=models_of(site),
        consents=ConsentPublisher(site.site_id, site.store, audit_key, outbox, site.journal),
        rounds=RoundRecords(site.folder, site.journal),
        sent=SentLog(site.journal),
    )


def training_device(limits: TrainingLimits) -> DeviceProfile:
    """What this machine gives to training under the operator's settings; says it in the log."""
    from learning.device import DeviceSettings, profile_device  # noqa: PLC0415 - torch loads for seconds

    device = profile_device(DeviceSettings(limits.shares_cores, limits.threads, limits.use_accelerator))
    for line in device.lines():
        logger.info("device", says=line)
    return device
