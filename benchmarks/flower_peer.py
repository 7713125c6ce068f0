"""Echo rounds of Flower's legacy gRPC server and clients, for benchmarks/round_overhead.py.

    FLOWER_PYTHON benchmarks/flower_peer.py PARAMETERS ROUNDS

Runs under a Python that has flwr, which wants an environment of its own. One process for the server, one for each of
four clients. Prints JSON: the seconds of each round and the server's peak resident set in bytes.
"""

from __future__ import annotations

import json
import multiprocessing
import socket
import sys
import time
from pathlib import Path

import flwr
import numpy as np
from flwr.compat.client.app import start_client

CLIENTS = 4


class Echo(flwr.client.NumPyClient):
    def fit(self, parameters, config):
        del config
        return parameters, 100, {}


class Timed(flwr.server.strategy.FedAvg):
    """From asking the clients of one round to asking those of the next."""

    asked: list[float]

    def configure_fit(self, *arguments, **options):
        self.asked.append(time.perf_counter())
        return super().configure_fit(*arguments, **options)


def serve(address: str, parameters: int, rounds: int, results) -> None:
    rng = np.random.default_rng(99)
    arrays = [rng.standard_normal(parameters // 4, dtype=np.float32) for _ in range(4)]
    strategy = Timed(
        min_fit_clients=CLIENTS,
        min_available_clients=CLIENTS,
        fraction_evaluate=0.0,
        initial_parameters=flwr.common.ndarrays_to_parameters(arrays),
    )
    strategy.asked = []
    # One round more than measured: the last one has no successor that marks its end.
    flwr.server.start_server(
        server_address=address, config=flwr.server.ServerConfig(num_rounds=rounds + 1), strategy=strategy
    )
    status = Path("/proc/self/status").read_text()
    peak = next(int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmHWM:"))
    results.put({"seconds": np.diff(strategy.asked).tolist(), "peak": peak, "version": flwr.__version__})


def take_part(address: str) -> None:
    start_client(server_address=address, client=Echo().to_client(), insecure=True)


def wait_until_listening(address: str) -> None:
    host, port = address.split(":")
    for _ in range(600):
        with socket.socket() as probe:
            if probe.connect_ex((host, int(port))) == 0:
                return
        time.sleep(0.1)
    raise SystemExit("the Flower server does not listen")


def main() -> None:
    parameters, rounds = int(sys.argv[1]), int(sys.argv[2])
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{probe.getsockname()[1]}"
    context = multiprocessing.get_context("spawn")
    results = context.Queue()
    server = context.Process(target=serve, args=(address, parameters, rounds, results))
    server.start()
    wait_until_listening(address)
    clients = [context.Process(target=take_part, args=(address,), daemon=True) for _ in range(CLIENTS)]
    for client in clients:
        client.start()
    print(json.dumps(results.get(timeout=600)))
    server.join()


if __name__ == "__main__":
    main()
