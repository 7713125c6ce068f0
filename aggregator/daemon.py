"""The aggregator's process: builds the parts, repeats the coordinator's step, ends on SIGTERM or SIGINT."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import structlog

from aggregator.coordinator import Coordinator
from aggregator.fetcher import Fetcher
from aggregator.identity import ACCOUNT_KEY
from aggregator.parts import Parts
from aggregator.round_files import RoundFiles
from aggregator.settings import AggregatorSettings
from gateways.block_store import KuboBlockStore
from gateways.daemon_block_store import block_store_beside_daemon, daemon_block_store
from gateways.data_folder import DataFolder
from gateways.deployment_file import load_deployment
from gateways.journal import Journal
from gateways.key_ring import KeyRing
from gateways.ledger import connecting
from gateways.outbox import Outbox
from gateways.repeating import repeat
from gateways.stopping import stoppable
from protocol.errors import BlockStoreUnavailableError, LedgerUnavailableError, StoreError

if TYPE_CHECKING:
    from gateways.ledger.web3_ledger import Web3Ledger

logger = structlog.get_logger(__name__)

KEYSTORE = "keystore.json"
JOURNAL = "journal.sqlite"
WAITS_FOR = (LedgerUnavailableError, BlockStoreUnavailableError, StoreError)
"""A full disk too: a step that could not write is made again from the chain and the journal."""


def run(settings: AggregatorSettings, key_ring: KeyRing) -> None:
    """Runs the daemon until SIGTERM or SIGINT.

    Args:
        settings: The aggregator's; the caller owns its data folder.
        key_ring: Open; holds the account's key.

    Raises:
        FederationError: A failure that waiting does not mend.
    """
    folder = DataFolder(settings.data_folder)
    with stoppable(), open_parts(settings, folder, key_ring) as parts:
        logger.info("aggregator.ready", aggregator=settings.aggregator, account=str(parts.ledger.account))
        repeat(
            Coordinator(parts).step,
            waits_for=WAITS_FOR,
            poll_seconds=settings.poll_seconds,
            max_backoff_seconds=settings.max_backoff_seconds,
        )
    logger.info("aggregator.stopped", aggregator=settings.aggregator)


@contextmanager
def open_parts(settings: AggregatorSettings, folder: DataFolder, key_ring: KeyRing) -> Iterator[Parts]:
    """Everything that the coordinator works with; what was started ends with the block.

    Raises:
        WrongChainError: The endpoint serves another chain than the deployment file names.
        BlockStoreUnavailableError: No IPFS, and none could be started.
    """
    # The chain first: "this is another chain" must be said before anything is started.
    ledger = connect(settings, signer_key=key_ring.get(ACCOUNT_KEY))
    journal = Journal(folder / JOURNAL)
    try:
        with daemon_block_store(settings.ipfs, folder) as block_store:
            yield Parts(
                settings=settings,
                ledger=ledger,
                block_store=block_store,
                secrets=key_ring,
                journal=journal,
                files=RoundFiles(folder),
                fetcher=Fetcher(block_store, workers=settings.fetch_workers),
                outbox=Outbox(ledger, journal, resend_after_seconds=settings.chain.resend_after_seconds),
            )
    finally:
        journal.close()


def connect(settings: AggregatorSettings, *, signer_key: bytes | None = None) -> Web3Ledger:
    """The chain that the deployment file names.

    Raises:
        ConfigError: There is no such file, or it is malformed.
        WrongChainError: The endpoint serves another chain.
        LedgerUnavailableError: No answer.
    """
    return connecting.connect(settings.chain, load_deployment(settings.deployment), signer_key=signer_key)


def running_block_store(settings: AggregatorSettings) -> KuboBlockStore | None:
    """The block store at the configured URL, or the one that the running daemon started; None when none answers."""
    try:
        store = block_store_beside_daemon(settings.ipfs, DataFolder(settings.data_folder))
        store.identity()
    except BlockStoreUnavailableError:
        return None
    return store
