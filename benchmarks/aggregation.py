"""Peak memory and time of verifying and summing sealed updates, beside a plain numpy mean of arrays in memory.

    python -m benchmarks.aggregation --parameters 10000000 --sites 8 16

Each measurement runs in a fresh process with one BLAS thread. Memory is the peak resident set above what the process
held before the measured call. The table goes to benchmarks/aggregation.md.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from protocol.aggregation import aggregate
from protocol.identifiers import digest_state
from protocol.judgement import judge_round
from protocol.plan import PlannedTensor
from protocol.tensors import TensorShape
from tests.protocol.builders import Network
from tests.protocol.saved_round import load_round, save_round

MEBI = 1 << 20
REPORT = Path(__file__).with_suffix(".md")


def reset_peak() -> int:
    """Forgets the peak so far; returns the resident set in bytes (Linux)."""
    Path("/proc/self/clear_refs").write_text("5")
    return _status("VmRSS")


def peak() -> int:
    return _status("VmHWM")


def _status(name: str) -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(name + ":"):
            return int(line.split()[1]) * 1024
    raise RuntimeError(name)


def prepare(folder: Path, parameters: int, sites: int) -> None:
    """Seals one random update a site."""
    side = parameters // 4
    tensors = tuple(PlannedTensor(TensorShape(f"layer-{n}.weight", (side,)), 24) for n in range(4))
    network = Network(sites_count=sites, tensors=tensors, plan_changes={"max_norm": "1000000"})
    network.open_round(max_envelope_bytes=1 << 40)
    for site in network.sites:
        index = network.register(site).event.index
        (folder / f"envelope-{index}").write_bytes(network.envelopes.pop((network.round, index)))
        network.blocks.clear()
    save_round(network, folder)


def measure_protocol(folder: Path) -> dict[str, float]:
    context, key, fetched = load_round(folder)
    before = reset_peak()
    started = time.perf_counter()
    judgement = judge_round(context, key, fetched)
    judged = time.perf_counter()
    state = digest_state("parameters")
    with (folder / "parent").open("rb") as parent, (folder / "model").open("wb") as out:
        for piece in aggregate(parent, judgement.accepted, context.plan):
            state.update(piece)
            out.write(piece)
    ended = time.perf_counter()
    assert len(judgement.accepted) == len(context.view.registrations)
    return {"judge": judged - started, "sum": ended - judged, "peak": peak() - before}


def measure_numpy(parameters: int, sites: int) -> dict[str, float]:
    before = reset_peak()
    rng = np.random.default_rng(1)
    arrays = [rng.random(parameters, dtype=np.float32) for _ in range(sites)]
    started = time.perf_counter()
    np.mean(np.stack(arrays), axis=0)
    return {"sum": time.perf_counter() - started, "peak": peak() - before}


def child(*arguments: str) -> dict[str, float]:
    environment = os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "benchmarks.aggregation", *arguments]
    done = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
    return json.loads(done.stdout) if done.stdout else {}


def compare(parameters: int, sites: int) -> str:
    model_bytes = 4 * parameters
    with tempfile.TemporaryDirectory() as name:
        child("--prepare", name, "--parameters", str(parameters), "--sites", str(sites))
        ours = child("--measure", name)
    peer = child("--peer", "--parameters", str(parameters), "--sites", str(sites))
    total = ours["judge"] + ours["sum"]
    return (
        f"| {parameters:,} | {sites} | {ours['judge']:.1f} s | {ours['sum']:.2f} s | {ours['peak'] / MEBI:.0f} MiB "
        f"({ours['peak'] / model_bytes:.2f} models) | {peer['sum']:.2f} s | {peer['peak'] / MEBI:.0f} MiB "
        f"({peer['peak'] / model_bytes:.1f} models) | {total / peer['sum']:.1f} | {peer['peak'] / ours['peak']:.0f} |"
    )


HEADER = """\
| parameters | sites | verify | sum | peak memory | numpy mean | its peak memory | time ratio | memory ratio |
|---|---|---|---|---|---|---|---|---|"""


def report(rows: list[str]) -> str:
    return f"""# Verifying and summing sealed updates

`python -m benchmarks.aggregation`: from sealed envelopes on disk to the new model on disk. *verify* is steps 1 to 12
of [verification](../docs/spec/verification.md) with the search for duplicates; *sum* opens every chunk once more and
writes the new model. Beside it, in the same run, `numpy.mean` over arrays that are already in memory: it decrypts
nothing, checks nothing and reads no disk, so it is a floor, not a rival. Time ratio: verify and sum over numpy. Memory
ratio: numpy over ours. Memory is what a fresh process holds at its peak above what it held before; one thread.

{HEADER}
{chr(10).join(rows)}

Python {platform.python_version()}, numpy {np.__version__}, {platform.machine()}; one run on a machine that was also
doing other work: trust the memory and the ratios, not the seconds.
"""


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--parameters", type=int, default=10_000_000)
    parser.add_argument("--sites", type=int, nargs="+", default=[8, 16])
    parser.add_argument("--prepare", type=Path)
    parser.add_argument("--measure", type=Path)
    parser.add_argument("--peer", action="store_true")
    arguments = parser.parse_args()
    if arguments.prepare:
        prepare(arguments.prepare, arguments.parameters, arguments.sites[0])
    elif arguments.measure:
        print(json.dumps(measure_protocol(arguments.measure)))
    elif arguments.peer:
        print(json.dumps(measure_numpy(arguments.parameters, arguments.sites[0])))
    else:
        text = report([compare(arguments.parameters, sites) for sites in arguments.sites])
        REPORT.write_text(text)
        print(text)


if __name__ == "__main__":
    main()
