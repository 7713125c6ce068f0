"""What a round costs besides the training, with four sites: seconds, where they go, the aggregator's peak memory.

    nice python -m benchmarks.round_overhead --flower-python /tmp/flower/bin/python

Real parts on one machine: a Hardhat chain, the contract, five embedded Kubo cores in a private swarm, the aggregator's
daemon, four processes that echo a prepared delta. Beside it, in the same run, echo rounds of Flower's legacy gRPC.
Needs ``npm ci`` in hardhat-local. The tables go to benchmarks/round_overhead.md.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import platform
import re
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import datetime
from itertools import pairwise
from pathlib import Path

import structlog

from benchmarks.overhead_network import SITES, Pace, RunningNetwork, network

MEBI = 1 << 20
REPORT = Path(__file__).with_suffix(".md")
STEPS = {
    "open": "open",
    "planned": "get plan",
    "sealed": "seal",
    "registered": "register",
    "pinned": "pin",
    "held": "fetch",
    "accepted": "verify",
    "summed": "sum",
    "published": "pin model",
    "attested": "attest",
}
"""Each mark of a round and the name of the step that it ends."""
EARLIER_PEER = {10_000: "0.015 to 0.022 s", 1_000_000: "0.21 to 0.25 s", 10_000_000: "4.0 to 5.4 s"}
_LINE = re.compile(r"^(\S+)Z \[\w+ *\] (\S+) +(.*)$", re.MULTILINE)


def peak_of(pid: int) -> int:
    """Peak resident set of a process in bytes (Linux)."""
    status = Path(f"/proc/{pid}/status").read_text()
    return next(int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmHWM:"))


def marks_of(net: RunningNetwork, rounds: int) -> list[dict[str, float]]:
    """When each step of each round ended, from the daemon's own log, the sites' notes and a file's time."""
    held: dict[str, float] = {}
    marks: list[dict[str, float]] = [{} for _ in range(rounds)]
    for stamp, event, rest in _LINE.findall(net.log):
        at, said = datetime.fromisoformat(stamp + "+00:00").timestamp(), dict(re.findall(r"(\w+)=(\S+)", rest))
        if event == "content.held":
            held.setdefault(said["cid"], at)
            continue
        key = {"OpenRound": "open", "AttestResult": "attested"}.get(said.get("call", ""))
        key = {"update.accepted": "accepted", "model.pinned": "published"}.get(event, key)
        if key is not None:
            marks[int(said["round"]) - 1][key] = at
        if key == "published":
            model = net.folder / "data" / "models" / said["cid"]
            marks[int(said["round"]) - 1]["summed"] = model.stat().st_mtime
    notes = [json.loads(line) for path in net.folder.glob("*.times") for line in path.read_text().splitlines()]
    for number, mark in enumerate(marks, start=1):
        mine = [note for note in notes if note["round"] == number]
        last = max(mine, key=lambda note: note["pinned"])
        mark |= {key: last[key] for key in ("planned", "sealed", "registered", "pinned")}
        mark["held"] = max(held[note["cid"]] for note in mine)
    return marks


def measure(parameters: int, rounds: int, pace: Pace) -> dict[str, float]:
    """Medians over the rounds after the first."""
    with tempfile.TemporaryDirectory() as name, network(Path(name), parameters, rounds + 1, pace) as net:
        pid = net.aggregator.pid
        net.wait_until_open()
        start_peak = peak_of(pid)
        Path(f"/proc/{pid}/clear_refs").write_text("5")  # the peak starts anew
        net.wait(rounds + 1)
        core = int(Path(f"/proc/{pid}/task/{pid}/children").read_text().split()[0])
        result = {"start peak": start_peak, "peak": peak_of(pid), "core peak": peak_of(core)}
        time.sleep(2.0)  # the chain is ahead of the log by a moment
        marks = marks_of(net, rounds + 1)
    ends = [mark["attested"] for mark in marks]
    lengths = [later - earlier for earlier, later in pairwise(ends)]
    result |= {"total": statistics.median(lengths), "fastest": min(lengths), "slowest": max(lengths)}
    for before, step in zip([None, *STEPS], STEPS, strict=False):
        spans = [m[step] - (m[before] if before else end) for m, end in zip(marks[1:], ends, strict=False)]
        result[step] = statistics.median(spans)
    return result


def peer(python: Path | None, parameters: int, rounds: int) -> tuple[str, str]:
    """Seconds and peak memory of Flower's server, for the table."""
    if python is None:
        return f"{EARLIER_PEER.get(parameters, '–')} (not in this run)", "–"
    command = [str(python), str(Path(__file__).with_name("flower_peer.py")), str(parameters), str(rounds + 1)]
    environment = os.environ | {"FLWR_TELEMETRY_ENABLED": "0"}
    done = subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    found = json.loads(done.stdout)
    seconds = found["seconds"][1:]
    return f"{statistics.median(seconds):.2f} s ({min(seconds):.2f} to {max(seconds):.2f})", mib(found["peak"])


def mib(num_bytes: float) -> str:
    return f"{num_bytes / MEBI:.0f} MiB"


def total_row(what: str, ours: dict[str, float], theirs: tuple[str, str]) -> str:
    seconds = f"{ours['total']:.1f} s ({ours['fastest']:.1f} to {ours['slowest']:.1f})"
    memory = f"{mib(ours['peak'])} ({mib(ours['start peak'])})"
    return f"| {what} | {seconds} | {memory} | {mib(ours['core peak'])} | {theirs[0]} | {theirs[1]} |"


def step_row(what: str, ours: dict[str, float]) -> str:
    return f"| {what} | " + " | ".join(f"{ours[step]:.2f}" for step in STEPS) + " |"


def report(totals: list[str], steps: list[str], rounds: int) -> str:
    return f"""# Seconds a round costs besides the training

`nice python -m benchmarks.round_overhead --flower-python PYTHON`: {SITES} sites that echo a prepared delta, one
aggregator's daemon, a Hardhat chain with the contract, a Kubo core for each of the five, all on one machine. A round
is from one result on the chain to the next; median of {rounds} rounds (fastest to slowest) after one that is dropped.
Every update is sealed, registered, pinned, fetched, verified and summed as in production; both daemons look for work
every 0.1 s and a block comes with each transaction, except where the row says otherwise.

Beside it, in the same run, Flower's legacy gRPC server with four echo clients: parameters go over loopback in clear;
nothing is recorded, verified or kept on disk. What is between the two is the price of the trail. Memory is the peak
resident set of the process: our aggregator's during the rounds (and before them, when it unlocks its keystore), its
Kubo core's, Flower's server's.

| parameters | a round | aggregator (its start) | its Kubo core | Flower, a round | Flower's server |
|---|---|---|---|---|---|
{chr(10).join(totals)}

Where the time goes, in seconds along the site that was last; the steps follow each other, medians of each:

| parameters | {" | ".join(STEPS.values())} |
|---|{"---|" * len(STEPS)}
{chr(10).join(steps)}

*open*: from the last result: own result compared, round key announced (mostly while sites worked on the round before),
plan pinned, `openRound` in a block. *get plan*: the site notices, fetches the new model (if it had not yet) and the
plan. *seal*: fixed point, commitment, encryption, file synced, CID. *register*: one transaction. *pin*: the envelope
goes to the site's Kubo. *fetch*: to the aggregator's disk, CID checked, pinned. *verify*: steps 1 to 12 over all
updates. *sum*: opened again, summed, written and synced. *pin model*, *attest*: the new model to IPFS, the result to
the chain.

Three transactions follow each other in a round (open, register, attest; the key is announced meanwhile), so blocks
every t seconds add between one and three t. With the polls as shipped a small round mostly waits for the next look.
A step can come out just below zero: a site may see a block before the aggregator's log says that it was mined.

Flower's deployment mode (SuperLink and SuperNodes, 1.41, four echo clients) took 10.9 to 11.9 s, 8.6 to 10.8 s and 23
to 25 s at 10^4, 10^6 and 10^7 parameters: measured earlier on such a machine, not in this run.

Python {platform.python_version()}, {platform.machine()}, {os.cpu_count()} cores for all parties and the chain together,
busy with other work as well: the ratios hold better than the seconds.
"""


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--parameters", type=int, nargs="+", default=[10_000, 1_000_000, 10_000_000])
    parser.add_argument("--rounds", type=int, default=3, help="measured, after one that is dropped")
    parser.add_argument("--flower-python", type=Path, help="a Python with flwr, for the comparison in the same run")
    options = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    totals, steps = [], []
    small = min(options.parameters)
    paces = {f"{size:,}": (size, Pace()) for size in options.parameters}
    paces[f"{small:,}, a block a second"] = (small, Pace(block_seconds=1))
    paces[f"{small:,}, polls as shipped (2 s, 5 s)"] = (small, Pace(aggregator_poll=2.0, site_poll=5.0))
    for what, (size, pace) in paces.items():
        ours = measure(size, options.rounds, pace)
        theirs = peer(options.flower_python, size, options.rounds) if pace == Pace() else ("", "")
        totals.append(total_row(what, ours, theirs))
        steps.append(step_row(what, ours))
        print(totals[-1], steps[-1], sep="\n", file=sys.stderr, flush=True)
    text = report(totals, steps, options.rounds)
    REPORT.write_text(text)
    print(text)


if __name__ == "__main__":
    main()
