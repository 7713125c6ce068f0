"""How much of a round's wall time the audit trail takes: its transactions and digests, beside the training.

    nice python -m benchmarks.trail_overhead

The network of benchmarks/round_overhead.py with sites that train what a lineage trains where nobody chooses, on drawn
words. The table goes to benchmarks/trail_overhead.md.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from functools import partial
from itertools import pairwise
from pathlib import Path

import numpy as np
import structlog

from benchmarks.overhead_network import AGGREGATOR, LINEAGE, SITES, EchoUpdate, Pace, network
from gateways.block_store import KuboBlockStore
from gateways.chain_follower import ChainFollower
from gateways.ledger.web3_ledger import Web3Ledger
from learning.backbones import make_backbone
from learning.device import profile_device
from learning.published import DEFAULT
from learning.rendering import find_fonts, render_words
from learning.training import TrainingPlan, train
from node.rounds.sealing import seal_update
from prescriptions.lexicon import bundled_lexicon
from prescriptions.words import encode_png
from protocol import ledger_calls as calls
from protocol.dataset import TrainingSample, dataset_tree, sample_content_digest
from protocol.deployment import parse_deployment
from protocol.history import RoundView
from protocol.identifiers import Digest, digest_of, site_id_of
from protocol.parameters import parse_parameters
from protocol.plan import RoundPlan, parse_plan, plan_digest
from protocol.update import TrainingReport

REPORT = Path(__file__).with_suffix(".md")
BAR = 0.05
"""Of the rest of a round, at most."""
FONTS = Path(__file__).parents[1] / "fonts"
OWN_SHARE = 0.75
"""Of a site's words are not those of the site before: enough that no update looks like a copy of another."""
_MAX_BYTES = 1 << 28


def stride(crops: int) -> int:
    return round(OWN_SHARE * crops)


def prepare(folder: Path, crops: int) -> None:
    """Drawn words, their features and content digests, and round 0."""
    backbone = make_backbone(DEFAULT.name)
    np.savez(folder / "genesis.npz", **backbone.initial_parameters())
    if not crops:
        return
    count = crops + stride(crops) * (SITES - 1)
    names = [name for name in bundled_lexicon("demo").names if backbone.alphabet.spell(name) == name]
    words = render_words(names, find_fonts(FONTS), -(-count // len(names)), 7)
    order = np.random.default_rng(7).permutation(len(words))[:count]
    chosen = [words[place] for place in order]
    np.save(folder / "features.npy", backbone.front_features([word.crop for word in chosen]))
    (folder / "labels.json").write_text(json.dumps([word.label for word in chosen]))
    digests = [sample_content_digest(encode_png(word.crop), word.label).hex() for word in chosen]
    (folder / "digests.json").write_text(json.dumps(digests))


def training_site(
    crops: int, slug: str, key: bytes, folder: Path, rpc_url: str, ipfs_url: str, _parameters: int, rounds: int,
    poll: float,
) -> None:  # fmt: skip
    """A site's process: consents, trains, seals, registers, pins, under the clock."""
    from benchmarks.trail_clock import install  # noqa: PLC0415 - only here: the clock changes the whole process

    clock = install(folder / f"{slug}.notes")
    deployment = parse_deployment((folder / "deployment.json").read_bytes())
    ledger, store = Web3Ledger.connect(rpc_url, deployment, signer_key=key), KuboBlockStore(ipfs_url)
    site = Site(slug, folder, crops)
    consent = 1
    ledger.send(calls.PublishConsentRoot(site.root(consent), ledger.head().timestamp + 10_000_000, 1, 0, 0))
    follower, done = ChainFollower(ledger), 0
    while done < rounds:
        lineage = follower.sync().lineages.get(LINEAGE)
        live = None if lineage is None else lineage.live_round()
        if lineage is None or live is None or live.opened.round <= done:
            time.sleep(poll)
            continue
        done, consent = live.opened.round, consent + 1
        plan = site.fetched_plan(live, store)
        store.fetch(lineage.head_cid, site.model, max_bytes=_MAX_BYTES, timeout_seconds=120)
        # At worst a site renews its consent root in every round.
        until = ledger.head().timestamp + 10_000_000
        ledger.send(calls.PublishConsentRoot(site.root(consent), until, 1, 0, 0))
        started = time.time()
        update = site.trained(plan)
        clock.note("training", started, round=done)
        samples = dataset_tree(site.samples, site.audit_key)
        sealed = seal_update(
            update, plan, live, ledger.identity, site_id_of(slug), samples.root, (consent, site.root(consent)), 0,
            site.envelope,
        )  # fmt: skip
        call = calls.RegisterUpdate(
            LINEAGE, plan.round, sealed.envelope_digest, sealed.envelope_cid, sealed.parameters_commitment,
            sealed.weight, sealed.dataset_root, sealed.consent_version,
        )  # fmt: skip
        ledger.send(call)
        store.add(site.envelope)


class Site:
    """What a site has at home."""

    def __init__(self, slug: str, folder: Path, crops: int) -> None:
        self._slug, self._folder, self._crops = slug, folder, crops
        self._number = int(slug.rpartition("-")[2])
        self.model, self.envelope = folder / f"{slug}.model", folder / f"{slug}.envelope"
        self.audit_key = os.urandom(32)
        self.samples: list[TrainingSample] = []
        if crops:
            mine = slice(self._number * stride(crops), self._number * stride(crops) + crops)
            self._backbone = make_backbone(DEFAULT.name)
            self._features = np.array(np.load(folder / "features.npy", mmap_mode="r", allow_pickle=False)[mine])
            self._labels = json.loads((folder / "labels.json").read_text())[mine]
            receipt = digest_of("benchmark-receipt")
            for content in json.loads((folder / "digests.json").read_text())[mine]:
                digest = Digest(bytes.fromhex(content))
                self.samples.append(TrainingSample(os.urandom(16), digest, os.urandom(32), receipt))

    def root(self, version: int) -> Digest:
        return digest_of("benchmark-consent", self._slug.encode(), bytes([version]))

    def fetched_plan(self, live: RoundView, store: KuboBlockStore) -> RoundPlan:
        path = self._folder / f"{self._slug}.plan"
        store.fetch(live.opened.plan_cid, path, max_bytes=_MAX_BYTES, timeout_seconds=60)
        assert plan_digest(path.read_bytes()) == live.opened.plan_digest
        return parse_plan(path.read_bytes())

    def trained(self, plan: RoundPlan) -> EchoUpdate:
        """A training as the plan says it, or, without words, noise of the same shape at once."""
        parent = parse_parameters(self.model.read_bytes())
        seed = plan.round * 100 + self._number
        if not self._crops:
            rng = np.random.default_rng(seed)
            delta = {name: rng.normal(scale=1e-3, size=values.shape).astype("f4") for name, values in parent.items()}
            return EchoUpdate(delta, TrainingReport(1, 0, "1.000000", "1.000000"))
        said = plan.training
        settings = TrainingPlan(
            said.epochs, said.batch_size, float(said.learning_rate), float(said.clip_norm), seed=seed
        )
        result = train(self._backbone, parent, self._features, self._labels, settings, profile_device())
        losses = f"{result.losses[0]:.6f}", f"{result.losses[-1]:.6f}"
        return EchoUpdate(dict(result.delta), TrainingReport(result.epochs, int(result.seconds), *losses), self._crops)


def measure(crops: int, rounds: int, pace: Pace) -> dict[str, float]:
    """Medians over the rounds after the first."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        prepared = [sys.executable, "-m", "benchmarks.trail_overhead", "--prepare", name, "--crops", str(crops)]
        subprocess.run(prepared, check=True)
        with np.load(folder / "genesis.npz", allow_pickle=False) as stored:
            genesis = dict(stored)
        daemon = ("benchmarks.trail_clock", str(folder / f"{AGGREGATOR}.notes"))
        site = partial(training_site, crops)
        with network(folder, 0, rounds + 1, pace, site=site, fedrx=daemon, genesis=genesis) as net:
            net.wait(rounds + 1)
            time.sleep(1.0)  # the chain is ahead of the notes by a moment
            notes = {path.stem: _read(path) for path in folder.glob("*.notes")}
    found = [_round(notes, number) for number in range(2, rounds + 2)]
    return {key: statistics.median(one[key] for one in found) for key in found[0]}


def _read(path: Path) -> list[dict[str, float | str]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def _round(notes: Mapping[str, list[dict]], number: int) -> dict[str, float]:
    """One round, from the last result on the chain to its own."""
    ours = notes[AGGREGATOR]
    ends = [note for note in ours if note["what"] == "AttestResult"]
    start, end = next((a, b) for a, b in pairwise(ends) if b["round"] == number)
    aggregator = sum(note["to"] - note["from"] for note in ours if start["to"] < note["to"] <= end["to"])
    sites = [_site_round(found, number) for slug, found in notes.items() if slug != AGGREGATOR]
    wall = end["to"] - start["to"]
    sends = aggregator + max(site["sends"] for site in sites)
    digests = end["digests"] - start["digests"] + max(site["digests"] for site in sites)
    return {
        "wall": wall,
        "training": max(site["training"] for site in sites),
        "aggregator sends": aggregator,
        "site sends": sends - aggregator,
        "digests": digests,
        "share": (sends + digests) / wall,
        "without": wall - sends - digests,
    }


def _site_round(found: list[dict], number: int) -> dict[str, float]:
    registered = [note for note in found if note["what"] == "RegisterUpdate"]
    before, after = next((a, b) for a, b in pairwise(registered) if b["round"] == number)
    mine = [note for note in found if before["to"] < note["to"] <= after["to"]]
    training = sum(note["to"] - note["from"] for note in mine if note["what"] == "training")
    sends = sum(note["to"] - note["from"] for note in mine if note["what"] != "training")
    return {"training": training, "sends": sends, "digests": after["digests"] - before["digests"]}


def row(what: str, found: dict[str, float]) -> str:
    shown = ("wall", "training", "aggregator sends", "site sends", "digests")
    cells = " | ".join(f"{found[key]:.3f} s" if key == "digests" else f"{found[key]:.2f} s" for key in shown)
    trail = found["wall"] - found["without"]
    added = f"{100 * trail / found['without']:.1f} %"
    return f"| {what} | {cells} | {100 * found['share']:.1f} % | {added} | {trail / BAR:.0f} s |"


def report(rows: list[str], command: str, rounds: int) -> str:
    return f"""# What the audit trail adds to a round

    {command}

{SITES} sites, one aggregator's daemon, a Hardhat chain with the contract, a Kubo core for each of the five, all on one
machine. The sites train what a lineage trains where nobody chooses ({DEFAULT.name}, scope {DEFAULT.default_scope}, one
pass) over their own drawn words, whose features are known, as from a node's second round on; then they seal, register
and pin. A round is from one result on the chain to the next; median of {rounds} after one that is dropped. Both sides
look for work every 0.1 s; a block comes with each transaction.

*Trail* is what the chain and the digests take: every transaction until it is in a block (by the aggregator a new round
key, the opening and the attestation; by the slowest site a new consent root, in every round, which is more often than a
site does, and the registration), and every SHA-256 of aggregator and slowest site, of all their threads together: CIDs,
envelopes, commitments, Merkle trees, plans and models. Nothing is taken off for what a plain federated round would hash
too, or for what runs while somebody else is waited for: it is an upper bound. *Share* is of the round's wall time;
*added* is against the same round without it. The bar is 5 % added; the last column says how long the rest of a round
must be for that.

| words a site | a round | training | aggregator's txs | a site's txs | digests | share | added | in the bar from |
|---|---|---|---|---|---|---|---|---|
{chr(10).join(rows)}

Not in it: sealing, opening and verifying (they keep an update secret and keep bad ones out), IPFS, and the waiting for
the next look, which a round without a chain has as well: [round_overhead](round_overhead.md) has the whole of it beside
Flower. Without a training the share is high, because nothing is left of the round to compare it with.

Where blocks come every t seconds, each transaction waits up to t for one. Four of them follow each other in a round
(opening, consent root, registration, attestation; the key is announced while sites work): by that count, which was not
measured, a network with a block a second keeps the bar from rounds of 80 s on.

Python {platform.python_version()}, {platform.machine()}, {os.cpu_count()} cores for all parties and the chain together.
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--crops", type=int, nargs="+", default=[3000, 600, 0], help="words of a site; 0: no training")
    parser.add_argument("--rounds", type=int, default=3, help="measured, after one that is dropped")
    parser.add_argument("--prepare", type=Path, help="used by the benchmark itself")
    options = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    if options.prepare:
        prepare(options.prepare, options.crops[0])
        return
    rows = []
    for crops in options.crops:
        rows.append(row(f"{crops}" if crops else "none: no training", measure(crops, options.rounds, Pace())))
        print(rows[-1], file=sys.stderr, flush=True)
    given = " ".join(str(crops) for crops in options.crops)
    command = f"nice python -m benchmarks.trail_overhead --crops {given} --rounds {options.rounds}"
    text = report(rows, command, options.rounds)
    REPORT.write_text(text)
    print(text)


if __name__ == "__main__":
    main()
