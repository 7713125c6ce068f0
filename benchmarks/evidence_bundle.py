"""How long it takes to write an evidence bundle and to verify it, beside the least that its bytes cost.

    nice python -m benchmarks.evidence_bundle --rounds 10 --sites 5 --out benchmarks/evidence_bundle.md

Real parts on one machine: a Hardhat chain, the contract, the aggregator's coordinator, sites that seal random deltas,
and two Kubo cores in a private swarm: the network's, and the auditor's, into which every byte comes over the swarm. The
limit is a copy of the finished bundle with its SHA-256, read, hashed, written and synced in the same run.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import platform
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from unittest import mock

import structlog

from audit.bundle.checking import BundleFinding, verify_bundle
from audit.bundle.making import BundleOptions, Doing, MadeBundle, Sources, make_bundle
from audit.proofs.checkpoint import Checkpoint, checkpoint_at
from audit.replay import ReplayOptions
from gateways.block_store import KuboBlockStore
from gateways.embedded_kubo.repository import write_swarm_key
from gateways.embedded_kubo.supervisor import EmbeddedKubo
from gateways.ledger.block_reader import BlockReader
from gateways.ledger.deploying import deploy, unlocked_accounts
from gateways.ledger.rpc import RPCEndpoint
from gateways.ledger.signers import UnlockedAccount
from protocol.plan import PlannedTensor
from protocol.tensors import TensorShape
from scripts.local_chain import LocalChain
from tests.aggregator import network as networks
from tests.fixtures_chain import ContractWorld

PARAMETERS = 287_329
"""Of the scope ``last-conv`` of ``english-g2``."""
PIECE_BYTES = 1 << 20


@dataclass
class Run:
    """One finished network, and what was measured on it."""

    network: networks.Network
    checkpoint: Checkpoint
    sources: Sources
    seconds: dict[str, float] = field(default_factory=dict)


@contextmanager
def finished_network(folder: Path, rounds: int, sites: int) -> Iterator[Run]:
    tensors = (PlannedTensor(TensorShape("w", (PARAMETERS,)), 24),)
    with ExitStack() as stack:
        chain = stack.enter_context(LocalChain("hardhat"))
        accounts = unlocked_accounts(chain.url)
        deployment = deploy(chain.url, UnlockedAccount(accounts[0]), governor=accounts[1])
        write_swarm_key(folder / "swarm.key")
        theirs = stack.enter_context(EmbeddedKubo(folder / "network-ipfs", folder / "swarm.key"))
        own = stack.enter_context(
            EmbeddedKubo(folder / "auditor-ipfs", folder / "swarm.key", peers=theirs.peer_addresses)
        )
        stack.enter_context(mock.patch.object(networks, "SMALL_TENSORS", tensors))
        network = networks.Network(
            folder,
            world=ContractWorld(chain, deployment, deployment.governor),
            make_store=lambda: KuboBlockStore(theirs.rpc_url),
            sites=sites,
            max_rounds=rounds,
        )
        member = network.members[0]
        member.start()
        member.settle()
        for _ in range(rounds):
            network.register_all()
            member.settle()
        checkpoint = checkpoint_at(network.governor, None)
        blocks = BlockReader(RPCEndpoint(chain.url, timeout_seconds=60))
        yield Run(network, checkpoint, Sources(deployment, checkpoint, blocks, [KuboBlockStore(own.rpc_url)]))


def make(run: Run, folder: Path, out: Path) -> MadeBundle:
    began_contents: list[float] = []

    def watch(doing: Doing) -> None:
        if doing.what == "contents" and not began_contents:
            began_contents.append(time.perf_counter())

    work = folder / "work"
    work.mkdir()
    started = time.perf_counter()
    made = make_bundle(out, run.sources, work, BundleOptions(progress=watch))
    ended = time.perf_counter()
    run.seconds["make"] = ended - started
    run.seconds["blocks"] = began_contents[0] - started
    return made


def verify(run: Run, bundle: Path, name: str, options: ReplayOptions) -> BundleFinding:
    started = time.perf_counter()
    found = verify_bundle(bundle, run.checkpoint, options)
    run.seconds[name] = time.perf_counter() - started
    assert found.replayed.same
    return found


def plain_copy(bundle: Path, to: Path) -> float:
    started = time.perf_counter()
    state = hashlib.sha256()
    with bundle.open("rb") as source, to.open("wb") as out:
        while piece := source.read(PIECE_BYTES):
            state.update(piece)
            out.write(piece)
        out.flush()
        os.fsync(out.fileno())
    return time.perf_counter() - started


REPORT = """\
# Evidence bundles

    nice python -m benchmarks.evidence_bundle --rounds {rounds} --sites {sites}

{machine}, Python {python}; one run. {rounds} rounds, {sites} sites, {parameters:,} parameters: {blocks} blocks,
{transactions} transactions, {contents} pieces of content, {mebibytes:.1f} MiB.

| step | seconds | times the copy |
|---|---|---|
| make the bundle: whole | {make:.2f} | {make_ratio:.1f} |
| of it: all blocks and receipts from the chain | {blocks_seconds:.2f} | |
| of it: content over the swarm, hashing, writing | {contents_seconds:.2f} | |
| verify without a key | {keyless:.2f} | {keyless_ratio:.1f} |
| verify with the auditor's key: every update opened, every model summed again | {keyed:.2f} | {keyed_ratio:.1f} |
| the limit: copy the same bytes, SHA-256, sync | {copy:.2f} | 1 |

The bar for making is 10 seconds. `verify` hashes each content three times: SHA-256 and CID at first, and the CID once
more when the replay takes the piece. Starting Python, about a second for each command, is not in the figures.
"""


def report(rounds: int, sites: int) -> str:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(40))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        bundle = folder / "bundle"
        with finished_network(folder, rounds, sites) as run:
            made = make(run, folder, bundle)
        # From here on there is no chain and no IPFS.
        found = verify(run, bundle, "keyless", ReplayOptions())
        verify(run, bundle, "keyed", ReplayOptions(keys=[run.network.auditor_key]))
        copy = plain_copy(bundle, folder / "copy")
        size = bundle.stat().st_size
    assert len(made.manifest.members) == found.contents + 3
    seconds = run.seconds
    return REPORT.format(
        rounds=rounds,
        sites=sites,
        machine=platform.processor() or platform.machine(),
        python=platform.python_version(),
        parameters=PARAMETERS,
        blocks=found.chain.blocks,
        transactions=found.chain.transactions,
        contents=found.contents,
        mebibytes=size / 2**20,
        blocks_seconds=seconds["blocks"],
        contents_seconds=seconds["make"] - seconds["blocks"],
        copy=copy,
        make_ratio=seconds["make"] / copy,
        keyless_ratio=seconds["keyless"] / copy,
        keyed_ratio=seconds["keyed"] / copy,
        **{name: seconds[name] for name in ("make", "keyless", "keyed")},
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--sites", type=int, default=5)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    text = report(options.rounds, options.sites)
    print(text)
    if options.out:
        options.out.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
