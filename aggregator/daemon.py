"""The aggregator's process: builds the parts, repeats the coordinator's step, ends on SIGTERM or SIGINT."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import structlog

from aggregator.coordinator import Coordinator
from aggregator.fetcher import Fetcher
from aggregator.identity import ACCOUNT_KEY
from aggregator.outbox import Outbox
from aggregator.parts import Parts
from aggregator.round_files import RoundFiles
from aggregator.settings import AggregatorSettings
from gateways.block_store import KuboBlockStore
from gateways.block_store_choice import LocalKuboOptions, resolve_block_store
from gateways.data_folder import DataFolder, write_atomically
from gateways.journal import Journal
from gateways.key_ring import KeyRing
from gateways.ledger.web3_ledger import Web3Ledger
from gateways.stopping import stoppable
from protocol.deployment import Deployment, parse_deployment
from protocol.errors import BlockStoreUnavailableError, ConfigError, LedgerUnavailableError, MalformedError

logger = structlog.get_logger(__name__)

KEYSTORE = "keystore.json"
JOURNAL = "journal.sqlite"
IPFS_URL_FILE = "ipfs.url"
"""Where the Kubo that the daemon started answers, for commands that run beside it."""


def run(settings: AggregatorSettings, key_ring: KeyRing) -> None:
    """Runs the daemon until SIGTERM or SIGINT.

    Args:
        settings: The aggregator's.
        key_ring: Open; holds the account's key.

    Raises:
        StoreLockedError: Another daemon owns the data folder.
        FederationError: A failure that waiting does not mend.
    """
    folder = DataFolder(settings.data_folder)
    with folder.locked(), stoppable(), open_parts(settings, folder, key_ring) as parts:
        logger.info("aggregator.ready", aggregator=settings.aggregator, account=str(parts.ledger.account))
        repeat(
            Coordinator(parts).step,
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
    ipfs = settings.ipfs
    local = LocalKuboOptions(
        repo=folder / "ipfs",
        swarm_key=ipfs.swarm_key_file or folder / "swarm.key",
        rpc_port=ipfs.rpc_port,
        swarm_port=ipfs.swarm_port,
        peers=ipfs.peers,
    )
    journal = Journal(folder / JOURNAL)
    try:
        with resolve_block_store(ipfs.url, local) as resolved:
            write_atomically(folder / IPFS_URL_FILE, resolved.store.url.encode("ascii"))
            yield Parts(
                settings=settings,
                ledger=ledger,
                block_store=resolved.store,
                secrets=key_ring,
                journal=journal,
                files=RoundFiles(folder),
                fetcher=Fetcher(resolved.store, workers=settings.fetch_workers),
                outbox=Outbox(ledger, journal, resend_after_seconds=settings.chain.resend_after_seconds),
            )
    finally:
        (folder / IPFS_URL_FILE).unlink(missing_ok=True)
        journal.close()


def connect(settings: AggregatorSettings, *, signer_key: bytes | None = None) -> Web3Ledger:
    """The chain that the deployment file names.

    Raises:
        ConfigError: There is no such file, or it is malformed.
        WrongChainError: The endpoint serves another chain.
        LedgerUnavailableError: No answer.
    """
    chain = settings.chain
    return Web3Ledger.connect(
        chain.rpc_url,
        load_deployment(settings),
        signer_key=signer_key,
        finality=chain.finality,
        timeout_seconds=chain.timeout_seconds,
        compare_rpc_url=chain.compare_rpc_url,
    )


def load_deployment(settings: AggregatorSettings) -> Deployment:
    """The deployment file.

    Raises:
        ConfigError: There is none, or it is malformed.
    """
    path = settings.deployment
    try:
        return parse_deployment(path.read_bytes())
    except FileNotFoundError as error:
        raise ConfigError(f"there is no deployment file {path}", hint="get it from the governor") from error
    except MalformedError as error:
        raise ConfigError(f"{path}: {error.what}", hint="get it again from the governor") from error


def running_block_store(settings: AggregatorSettings) -> KuboBlockStore | None:
    """The block store at the configured URL, or the one that the running daemon started; None when there is none."""
    url = settings.ipfs.url
    path = settings.data_folder / IPFS_URL_FILE
    if url is None and path.exists():
        url = path.read_text(encoding="ascii").strip()
    if url is None:
        return None
    store = KuboBlockStore(url)
    try:
        store.identity()
    except BlockStoreUnavailableError:
        return None
    return store


def repeat(
    step: Callable[[], bool],
    *,
    poll_seconds: float,
    max_backoff_seconds: float,
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Calls a step for good; waits longer and longer while the chain or IPFS is away."""
    backoff = poll_seconds
    while True:
        try:
            moved = step()
        except (LedgerUnavailableError, BlockStoreUnavailableError) as error:
            logger.warning("aggregator.waiting", reason=str(error), seconds=backoff)
            sleep(backoff)
            backoff = min(backoff * 2, max_backoff_seconds)
        else:
            backoff = poll_seconds
            if not moved:
                sleep(poll_seconds)
