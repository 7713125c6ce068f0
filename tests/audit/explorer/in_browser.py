"""A running explorer of a made-up network, for a real browser."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import uvicorn

from audit.accuracy import Accuracy
from protocol import ledger_events as ev
from tests.audit.explorer.made_up import (
    MadeUpNetwork,
    ToldChain,
    app_of,
    chronicle_of,
    digest,
    lineage_id,
    site,
)
from tests.audit.explorer.made_up_scores import made_up_scores

FIRST_PAINT = "() => performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? null"


@dataclass(frozen=True)
class Served:
    """Where the explorer answers, and an address of each kind of screen."""

    url: str
    screens: dict[str, str]
    events: int
    fill_seconds: float
    costs_seconds: float


@contextmanager
def served_explorer(folder: Path, rounds: int, sites: int) -> Iterator[Served]:
    network = MadeUpNetwork(rounds, sites)
    began = time.perf_counter()
    chain = ToldChain(network.events)
    chronicle = chronicle_of(chain, folder)
    filled = time.perf_counter()
    while chronicle.learn_costs():
        pass
    learnt = time.perf_counter()
    app = app_of(chronicle, network.names, Accuracy([made_up_scores(network, chain.identity)]))
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        server = uvicorn.Server(uvicorn.Config(app, log_config=None, access_log=False))
        thread = threading.Thread(target=server.run, args=([listening],))
        thread.start()
        while not server.started:
            time.sleep(0.05)
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        try:
            yield Served(url, screens_of(network, rounds), len(network.events), filled - began, learnt - filled)
        finally:
            server.should_exit = True
            thread.join()


def screens_of(network: MadeUpNetwork, rounds: int) -> dict[str, str]:
    registered = next(e for e in network.events if isinstance(e.event, ev.UpdateRegistered))
    return {
        "overview": "/",
        "overview-all": "/?rounds=200",
        "round": f"/round/{lineage_id()}/{rounds - 2}",
        "site": f"/site/{site(1)}",
        "model": f"/model/{network.head}",
        "consent": f"/consent/{digest('root', 1, 1)}",
        "tx": f"/tx/{registered.position.tx_hash}",
    }
