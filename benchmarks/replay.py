"""Peak memory and time of ``fedrx audit replay`` at full size, beside the least that such an audit could do.

    nice python -m benchmarks.replay --parameters 10000000 --sites 8

One round is sealed, summed and attested by the code that sites and aggregators run; its contents go into a real Kubo
core. Each replay runs in a fresh process with one BLAS thread. The tables go to benchmarks/replay.md.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import logging
import os
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import structlog
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from audit.pieces import FetchLimits
from audit.replay import ReplayOptions, replay
from benchmarks.aggregation import MEBI, peak, reset_peak
from gateways.block_store import KuboBlockStore
from gateways.embedded_kubo.repository import write_swarm_key
from gateways.embedded_kubo.supervisor import EmbeddedKubo
from protocol.plan import PlannedTensor
from protocol.recipient_keys import RecipientPrivateKey
from protocol.tensors import TensorShape
from tests.audit.stage import logs_of
from tests.protocol.builders import IDENTITY, Network
from tests.protocol.saved_round import load_events, save_round

REPORT = Path(__file__).with_suffix(".md")
CHUNK_BYTES = 1 << 20
FETCH_SECONDS = 300.0
WAYS = {
    "with the auditor's key, 4 fetches at once": ("--threads", "4"),
    "with the auditor's key, one fetch after the other": ("--threads", "1"),
    "without a key": ("--threads", "4", "--keyless"),
}


def prepare(folder: Path, parameters: int, sites: int) -> None:
    """An honest round: event logs, the auditor's key, and every content that the chain names."""
    tensors = tuple(PlannedTensor(TensorShape(f"layer-{n}.weight", (parameters // 4,)), 24) for n in range(4))
    network = Network(sites_count=sites, tensors=tensors, plan_changes={"max_norm": "1000000"})
    network.open_round(max_envelope_bytes=1 << 40)
    network.register_all()
    network.conclude()
    network.events = logs_of(network)
    (folder / "contents").mkdir()
    for cid, content in network.blocks.items():
        (folder / "contents" / str(cid)).write_bytes(content)
    network.envelopes.clear()
    save_round(network, folder)
    (folder / "auditor.key").write_bytes(network.auditor_key.to_bytes())


def measure_replay(folder: Path, url: str, threads: int, *, keyless: bool) -> dict[str, float]:
    events, store = load_events(folder), KuboBlockStore(url)
    keys = () if keyless else (RecipientPrivateKey.from_bytes((folder / "auditor.key").read_bytes()),)
    limits = FetchLimits(timeout_seconds=FETCH_SECONDS, threads=threads)
    base = reset_peak()
    started = time.perf_counter()
    finding = replay(IDENTITY, events, [store], ReplayOptions(keys=keys, limits=limits, work_folder=folder))
    seconds = time.perf_counter() - started
    assert finding.same, finding
    assert keyless or all(found.model_recomputed for found in finding.rounds)
    return {"seconds": seconds, "peak": peak(), "base": base}


def measure_limit(parameters: int, sites: int) -> dict[str, float]:
    """Digest, decrypt and add the same number of bytes that are in memory already, and nothing else."""
    rng, key = np.random.default_rng(1), AESGCM(bytes(32))
    plain = rng.integers(-(2**20), 2**20, size=parameters, dtype=np.int32).tobytes()
    pieces = [plain[start : start + CHUNK_BYTES] for start in range(0, len(plain), CHUNK_BYTES)]
    sealed = [key.encrypt(number.to_bytes(12, "big"), piece, None) for number, piece in enumerate(pieces)]
    model = rng.random(parameters, dtype=np.float32)
    started = time.perf_counter()
    total = np.zeros(parameters, dtype=np.int64)
    for _ in range(sites):
        digest, position = hashlib.sha256(), 0
        for number, piece in enumerate(sealed):
            digest.update(piece)
            values = np.frombuffer(key.decrypt(number.to_bytes(12, "big"), piece, None), dtype="<i4")
            total[position : position + values.size] += values
            position += values.size
    fresh = (model.astype(np.float64) + total / (sites * 2.0**24)).astype("<f4")
    hashlib.sha256(fresh.tobytes()).digest()
    return {"seconds": time.perf_counter() - started}


def child(*arguments: str) -> dict[str, float]:
    environment = os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "benchmarks.replay", *arguments]
    done = subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(done.stdout) if done.stdout else {}


def rows_of(parameters: int, sites: int) -> list[str]:
    size = ("--parameters", str(parameters), "--sites", str(sites))
    rows = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        child("--prepare", name, *size)
        limit = child("--limit", *size)["seconds"]
        write_swarm_key(folder / "swarm.key")
        with EmbeddedKubo(folder / "ipfs", folder / "swarm.key") as kubo:
            store = KuboBlockStore(kubo.rpc_url)
            for path in (folder / "contents").iterdir():
                store.add(path)
                path.unlink()
            for way, arguments in WAYS.items():
                found = child("--measure", name, "--url", kubo.rpc_url, *arguments)
                seconds, highest, base = found["seconds"], found["peak"], found["base"]
                rows.append(
                    f"| {parameters:,} | {sites} | {way} | {seconds:.1f} s | {limit:.1f} s | {seconds / limit:.1f} "
                    f"| {mib(highest)} ({mib(base)}) | {mib(highest - base)} | {mib(12 * parameters)} |"
                )
                print(rows[-1], file=sys.stderr, flush=True)
    return rows


def mib(num_bytes: float) -> str:
    return f"{num_bytes / MEBI:.0f} MiB"


def report(rows: list[str], command: str) -> str:
    return f"""# Replaying a round of full size

    {command}

One honest round, sealed, summed and attested by the code that sites and aggregators run. Everything that the chain
names lies in a real Kubo core on this machine, and the replay fetches it from there: all envelopes, the parent, the
model, the plan and the list of verdicts. Every verdict is recomputed and the model summed anew; the answer was `same`.

*Limit*: SHA-256, AES-256-GCM and an int64 sum over as many bytes as the envelopes hold, which are in memory already,
and one SHA-256 over the model: it fetches, checks and compares nothing. *Peak* is the highest resident set of the
replaying process, in brackets what it held before the replay began (Python and the libraries); *above it* is what the
replay itself needed, to be held against the bar, *three models*.

| parameters | sites | replay | time | limit | ratio | peak (before) | above it | three models |
|---|---|---|---|---|---|---|---|---|
{chr(10).join(rows)}

The rest of the time is the fetching (IPFS, the CID over every byte, each file synced), and that a chunk is opened three
times: to be verified, to be compared with the other updates, to be summed. Keeping it open would be quicker and would
need a memory that grows with the number of sites. Ciphertext and models lie on disk in `--work-folder`: where
that is a file system in memory, they are to be added.

Python {platform.python_version()}, numpy {np.__version__}, {platform.machine()}; one run on a machine that was also
doing other work: trust the memory and the ratios, not the seconds.

## The same bytes elsewhere

Verdicts, scalar products, norms and the model's digest of one round with values from tiny to the end of their range
are the same with one thread and with two, in any order, with the processor's oldest instructions, and under other
versions of numpy. Tests hold it: `tests/protocol/test_same_bytes_everywhere.py` (the other numpy is of the slow tier)
and `tests/vectors/aggregation.json`, which fixes the bits. By hand, with a numpy of one's choice:

    pip install --no-deps --target /tmp/other-numpy numpy==1.26.4
    PYTHONPATH=/tmp/other-numpy python -m pytest tests/protocol/test_aggregation.py
    PYTHONPATH=/tmp/other-numpy OMP_NUM_THREADS=2 python -m tests.protocol.sum_saved_round FOLDER 1

`FOLDER` is a round as `tests/protocol/saved_round.py` writes it. Run so with numpy 1.26.4 and 2.4.6, with one
thread and with two: four times the same verdicts, products, norms and model (0x530018bb…).
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--parameters", type=int, default=10_000_000)
    parser.add_argument("--sites", type=int, default=8)
    parser.add_argument("--prepare", type=Path)
    parser.add_argument("--measure", type=Path)
    parser.add_argument("--limit", action="store_true")
    parser.add_argument("--url", default="")
    parser.add_argument("--threads", type=int, default=4)
    parser.add_argument("--keyless", action="store_true")
    options = parser.parse_args()
    if options.prepare:
        prepare(options.prepare, options.parameters, options.sites)
    elif options.measure:
        print(json.dumps(measure_replay(options.measure, options.url, options.threads, keyless=options.keyless)))
    elif options.limit:
        print(json.dumps(measure_limit(options.parameters, options.sites)))
    else:
        structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
        command = f"nice python -m benchmarks.replay --parameters {options.parameters} --sites {options.sites}"
        text = report(rows_of(options.parameters, options.sites), command)
        REPORT.write_text(text)
        print(text)


if __name__ == "__main__":
    main()
