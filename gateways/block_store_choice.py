"""Which IPFS a process uses: the configured endpoint, else ``ipfs`` on PATH, else the embedded core."""

from __future__ import annotations

import shutil
from contextlib import ExitStack
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Self

import structlog

from gateways.block_store import KuboBlockStore
from gateways.embedded_kubo.supervisor import EmbeddedKubo
from gateways.local_kubo import LocalKubo
from gateways.stock_kubo import StockKubo

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import TracebackType

_LOG = structlog.get_logger(__name__)


class BlockStoreSource(Enum):
    """Where the block store comes from; said to the operator at each start."""

    CONFIGURED = "configured URL"
    STOCK = "ipfs on PATH"
    EMBEDDED = "embedded core"


@dataclass(frozen=True, slots=True)
class LocalKuboOptions:
    """What a Kubo that we start ourselves needs; not read when a URL is configured."""

    repo: Path
    """Folder below which repositories are kept, one per kind of Kubo."""
    swarm_key: Path
    rpc_port: int | None = None
    """On 127.0.0.1; None takes a free one."""
    swarm_port: int | None = None
    """On 127.0.0.1; None takes a free one, so peers cannot be told a lasting address."""
    peers: Sequence[str] = ()
    """Multiaddresses of peers to connect to."""


@dataclass(slots=True)
class ResolvedBlockStore:
    """A block store that is ready; as a context manager it ends the process that it started, if any."""

    store: KuboBlockStore
    source: BlockStoreSource
    _processes: ExitStack = field(default_factory=ExitStack)

    def close(self) -> None:
        """Ends the Kubo process that was started for this store."""
        self._processes.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def resolve_block_store(
    configured_url: str | None, local: LocalKuboOptions, *, search_path: str | None = None
) -> ResolvedBlockStore:
    """Finds or starts the block store and asks it for its identity.

    A Kubo that was started here and that dies is started again before its next use; one that others run never is.

    Args:
        configured_url: RPC endpoint of a Kubo that others run; wins over everything.
        local: For a Kubo that is started here.
        search_path: Where ``ipfs`` is looked for; None is the PATH.

    Raises:
        ConfigError: The URL or the swarm key is none.
        BlockStoreUnavailableError: Nothing answers, or the local Kubo does not start. There is no silent fall back
            from one kind to the next: content pinned in one repository is not in the other.
    """
    if configured_url is not None:
        store = KuboBlockStore(configured_url)
        store.identity()
        _LOG.info("block store found", source=BlockStoreSource.CONFIGURED.value, url=configured_url)
        return ResolvedBlockStore(store, BlockStoreSource.CONFIGURED)
    program = shutil.which("ipfs", path=search_path)
    kubo: LocalKubo
    if program is not None:
        source = BlockStoreSource.STOCK
        kubo = StockKubo(
            Path(program),
            local.repo / "stock",
            local.swarm_key,
            rpc_port=local.rpc_port,
            swarm_port=local.swarm_port,
            peers=local.peers,
        )
    else:
        source = BlockStoreSource.EMBEDDED
        kubo = EmbeddedKubo(
            local.repo / "embedded",
            local.swarm_key,
            rpc_port=local.rpc_port,
            swarm_port=local.swarm_port,
            peers=local.peers,
        )
    processes = ExitStack()
    processes.enter_context(kubo)
    _LOG.info("block store started", source=source.value, url=kubo.rpc_url)
    return ResolvedBlockStore(KuboBlockStore(kubo.rpc_url, before_call=kubo.revive), source, processes)
