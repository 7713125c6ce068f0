"""Connects an auditor's command to the chain and to IPFS."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from gateways.deployment_file import load_deployment
from gateways.ledger.finality import Finality
from protocol.deployment import Deployment
from protocol.errors import ConfigError
from protocol.ledger_events import LocatedEvent
from protocol.ports import BlockStore, Ledger

if TYPE_CHECKING:
    from gateways.ledger.web3_ledger import Web3Ledger


@dataclass(frozen=True, slots=True)
class ChainOptions:
    """Where the chain is."""

    deployment: Path
    rpc_url: str
    compare_rpc_url: str | None = None
    """A second endpoint, of another operator, that must tell the same chain."""
    finality: Finality = "latest"


@dataclass(frozen=True, slots=True)
class IPFSOptions:
    """Where IPFS is: RPC endpoints, or the private swarm that a core of our own joins."""

    urls: tuple[str, ...] = ()
    swarm_key: Path | None = None
    peers: tuple[str, ...] = ()


def ipfs_options(urls: str | None, swarm_key: Path | None, peers: list[str] | None) -> IPFSOptions:
    """Where IPFS is, as the command line says: URLs separated by commas, or a swarm's key file and peers."""
    named = tuple(url.strip() for url in (urls or "").split(",") if url.strip())
    return IPFSOptions(named, swarm_key, tuple(peers or ()))


def connect_ledger(options: ChainOptions, *, signer_key: bytes | None = None) -> Web3Ledger:
    """The chain, checked to be the deployment's.

    Raises:
        ConfigError: The deployment file cannot be read, or is malformed.
        WrongChainError: Another chain, or two endpoints that disagree.
        LedgerUnavailableError: No answer.
    """
    return connect_to(load_deployment(options.deployment), options, signer_key=signer_key)


def connect_to(deployment: Deployment, options: ChainOptions, *, signer_key: bytes | None = None) -> Web3Ledger:
    """As ``connect_ledger``, for a deployment that was read already.

    Raises:
        WrongChainError: Another chain, or two endpoints that disagree.
        LedgerUnavailableError: No answer.
    """
    from gateways.ledger.web3_ledger import Web3Ledger  # noqa: PLC0415 - the ABI loads for half a second

    return Web3Ledger.connect(
        options.rpc_url,
        deployment,
        signer_key=signer_key,
        finality=options.finality,
        compare_rpc_url=options.compare_rpc_url,
    )


def all_events(ledger: Ledger) -> list[LocatedEvent]:
    """Every event log of the deployment up to the newest final block.

    Raises:
        LedgerUnavailableError: No answer.
    """
    return list(ledger.events(ledger.identity.deployment_block_number, ledger.head().number))


@contextmanager
def open_stores(options: IPFSOptions, work_folder: Path | None) -> Iterator[Sequence[BlockStore]]:
    """The IPFS endpoints, or a core of our own in a temporary folder that ends with the block.

    Raises:
        ConfigError: Neither endpoints nor a swarm to join were named.
        BlockStoreUnavailableError: The core does not start.
    """
    from gateways.block_store import KuboBlockStore  # noqa: PLC0415 - the chain's commands need no IPFS
    from gateways.block_store_choice import LocalKuboOptions, resolve_block_store  # noqa: PLC0415

    if options.urls:
        yield [KuboBlockStore(url) for url in options.urls]
        return
    if options.swarm_key is None or not options.peers:
        raise ConfigError(
            "no IPFS endpoint is named",
            hint="give --ipfs URL, or --swarm-key FILE and --peer ADDRESS to join the swarm",
        )
    with tempfile.TemporaryDirectory(prefix="fedrx-audit-ipfs-", dir=work_folder) as folder:
        local = LocalKuboOptions(Path(folder), options.swarm_key, peers=options.peers)
        with resolve_block_store(None, local) as resolved:
            yield [resolved.store]
