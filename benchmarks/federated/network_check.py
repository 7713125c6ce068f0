"""Runs one seed of one row through a real network, and compares every digest with what ``run`` wrote down.

    python -m benchmarks.federated.network_check --words DIR --features DIR --results DIR --row ppocr-head --seed 1

Real: the chain, the contract, an IPFS core a site and one of the aggregator, the aggregator's daemon, and the sites'
training, sealing, registering and pinning. The sites take turns in this process and have no store of their own: what
they train on is what the row trained on.
"""

from __future__ import annotations

import argparse
import json
import logging
import secrets
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import structlog

from benchmarks.federated import data
from benchmarks.federated.features import open_cache
from benchmarks.federated.rounds import GLOBAL, unwatched
from benchmarks.federated.rows import Row, all_rows
from benchmarks.federated.runs import NETWORK_CHECK, place_of, rounds_of, shares_of, steady_device
from benchmarks.overhead_network import LINEAGE, SLUG, admit_aggregator, take_part
from gateways.block_store import KuboBlockStore
from gateways.chain_follower import ChainFollower
from gateways.data_folder import write_atomically
from gateways.embedded_kubo.repository import write_swarm_key
from gateways.embedded_kubo.supervisor import EmbeddedKubo
from gateways.ledger.deploying import deploy, unlocked_accounts
from gateways.ledger.signers import UnlockedAccount
from gateways.ledger.web3_ledger import Web3Ledger
from learning.backbone import Backbone
from learning.backbones import make_backbone
from learning.lexicon_index import LexiconIndex
from node.rounds.local_training import Trainer
from protocol import ledger_calls as calls
from protocol.deployment import Deployment, encode_deployment
from protocol.history import RoundView
from protocol.identifiers import AccountAddress, Digest, digest_of, site_id_of
from protocol.parameters import encode_parameters, parameters_digest, parameters_digest_of_stream
from protocol.plan import MAX_PLAN_BYTES, PLAN_SCHEMA, RoundPlan, parse_plan
from protocol.recipient_keys import RecipientPrivateKey, public_key_digest
from protocol.update import delta_digest, encode_delta
from scripts.local_chain import LocalChain

_MAX_MODEL_BYTES = 1 << 30
_PATIENCE_SECONDS = 300.0
_SETTINGS = """\
aggregator = "aggregator-0"
data_folder = "data"
deployment = "deployment.json"
passphrase_file = "passphrase"
poll_seconds = 0.3
[chain]
rpc_url = "{rpc_url}"
[ipfs]
swarm_key_file = "swarm.key"
peers = {peers}
[[lineages]]
slug = "{slug}"
scope = "{row.scope}"
weighting = "{row.weighting}"
min_sites = {sites}
max_rounds = {row.rounds}
[lineages.training]
epochs = {row.epochs}
learning_rate = "{row.learning_rate}"
seed = {seed}
"""


@dataclass(frozen=True, slots=True)
class NetworkSite:
    """What a site speaks through."""

    slug: str
    ledger: Web3Ledger
    store: KuboBlockStore
    consent_root: Digest


@dataclass(frozen=True, slots=True)
class RealNetwork:
    """What runs."""

    folder: Path
    follower: ChainFollower
    sites: tuple[NetworkSite, ...]
    aggregator: subprocess.Popen[bytes]

    def wait(self, number: int, ready: Callable[[RoundView], bool]) -> RoundView:
        """Until a round is as far as wanted."""
        end = time.monotonic() + _PATIENCE_SECONDS
        while time.monotonic() < end and self.aggregator.poll() is None:
            view = self.follower.sync().lineages[LINEAGE].rounds.get(number)
            if view is not None and ready(view):
                return view
            time.sleep(0.3)
        raise SystemExit(f"round {number} did not come about:\n{(self.folder / 'log').read_text()[-2000:]}")


@contextmanager
def real_network(
    folder: Path, backbone: Backbone, row: Row, seed: int, slugs: tuple[str, ...]
) -> Iterator[RealNetwork]:
    """Chain, contract, IPFS cores, admitted sites with consent roots, and the aggregator's daemon."""
    with ExitStack() as stack:
        chain = stack.enter_context(LocalChain("hardhat"))
        faucet, governor = unlocked_accounts(chain.url)[:2]
        deployment = deploy(chain.url, UnlockedAccount(faucet), governor=governor)
        ledger = Web3Ledger.connect(chain.url, deployment, signer=UnlockedAccount(governor))
        (folder / "deployment.json").write_bytes(encode_deployment(deployment))
        write_swarm_key(folder / "swarm.key")
        kubos = [stack.enter_context(EmbeddedKubo(folder / f"ipfs-{slug}", folder / "swarm.key")) for slug in slugs]
        sites = tuple(_admitted(slug, ledger, chain, deployment, kubo) for slug, kubo in zip(slugs, kubos, strict=True))
        _found_lineage(ledger, sites[0].store, folder, backbone)
        settings = admit_aggregator(ledger, chain, folder)
        peers = json.dumps([address for kubo in kubos for address in kubo.peer_addresses])
        settings.write_text(
            _SETTINGS.format(rpc_url=chain.url, peers=peers, slug=SLUG, row=row, sites=len(sites), seed=seed)
        )
        with (folder / "log").open("wb") as log:
            command = [sys.executable, "-m", "fedrx", "aggregator", "run", "--config", str(settings)]
            daemon = subprocess.Popen(command, stdout=log, stderr=log)
        stack.callback(lambda: (daemon.terminate(), daemon.wait()))
        yield RealNetwork(folder, ChainFollower(ledger), sites, daemon)


def _admitted(
    slug: str, governor: Web3Ledger, chain: LocalChain, deployment: Deployment, kubo: EmbeddedKubo
) -> NetworkSite:
    ledger = Web3Ledger.connect(chain.url, deployment, signer_key=secrets.token_bytes(32))
    chain.rpc("hardhat_setBalance", str(ledger.account), hex(10**21))
    governor.send(calls.AdmitSite(site_id_of(slug), ledger.account, digest_of("benchmark-key", slug.encode())))
    root = digest_of("benchmark-consent", slug.encode())
    ledger.send(calls.PublishConsentRoot(root, ledger.head().timestamp + 10_000_000, 1, 0, 0))
    return NetworkSite(slug, ledger, KuboBlockStore(kubo.rpc_url), root)


def _found_lineage(ledger: Web3Ledger, store: KuboBlockStore, folder: Path, backbone: Backbone) -> None:
    """Round 0 as published, and the auditor's key."""
    model, public = encode_parameters(backbone.initial_parameters()), RecipientPrivateKey.generate().public_key()
    (folder / "genesis").write_bytes(model)
    (folder / "auditor.pub").write_bytes(public)
    cid = store.add(folder / "genesis")
    ledger.send(calls.CreateLineage(LINEAGE, 0, parameters_digest(model), cid, backbone.digest, PLAN_SCHEMA))
    auditor = AccountAddress(digest_of("benchmark-auditor")[:20])
    ledger.send(calls.PublishAuditorKey(auditor, public_key_digest(public), store.add(folder / "auditor.pub")))


def one_round(network: RealNetwork, trainer: Trainer, shares: data.Shares, number: int) -> tuple[dict[str, str], str]:
    """Every site takes part; returns the digests of the deltas by site, and of the model that the chain names."""
    live = network.wait(number, lambda _: True)
    deltas = {}
    for site in network.sites:
        parent, plan = _fetched(network, site, live)
        update = trainer.fit(parent, shares[site.slug], plan, site_id_of(site.slug), unwatched)
        deltas[site.slug] = delta_digest(encode_delta(update.delta, plan)).hex()
        envelope = network.folder / f"{site.slug}.envelope"
        take_part(live, site.ledger, site.store, update, site.consent_root, site.slug, envelope)
    outcome = network.wait(number, lambda view: view.outcome is not None).outcome
    if outcome.codes != bytes(len(network.sites)):
        raise SystemExit(f"round {number}: an update was refused: {outcome.codes.hex()}")
    return deltas, outcome.model_digest.hex()


def _fetched(network: RealNetwork, site: NetworkSite, live: RoundView) -> tuple[Path, RoundPlan]:
    parent, plan = network.folder / f"{site.slug}.model", network.folder / f"{site.slug}.plan"
    site.store.fetch(live.opened.plan_cid, plan, max_bytes=MAX_PLAN_BYTES, timeout_seconds=60)
    parsed = parse_plan(plan.read_bytes())
    site.store.fetch(parsed.parent_cid, parent, max_bytes=_MAX_MODEL_BYTES, timeout_seconds=120)
    with parent.open("rb") as stream:
        assert parameters_digest_of_stream(stream) == live.opened.parent_digest
    return parent, parsed


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.federated.network_check")
    for name in ("--words", "--features", "--results"):
        parser.add_argument(name, type=Path, required=True)
    parser.add_argument("--row", default="ppocr-head")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--limit", type=int, help="as in the run to compare with")
    arguments = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    row = all_rows()[arguments.row]
    place = place_of(arguments.results, row.name, arguments.seed)
    written = rounds_of(place)
    if not written or row.mode != "federated":
        raise SystemExit(f"{row.name} has no federated rounds of seed {arguments.seed} to compare with")
    words = data.load(arguments.words, "Validation", limit=arguments.limit)
    shares, _ = shares_of(words, row, arguments.seed)
    backbone = make_backbone(row.backbone, row.scope)
    cache = open_cache(arguments.features, backbone)
    trainer = Trainer(backbone, cache, steady_device(), LexiconIndex.of(words.names))
    with (
        tempfile.TemporaryDirectory() as name,
        real_network(Path(name), backbone, row, arguments.seed, tuple(shares)) as network,
    ):
        for before in written:
            deltas, model = one_round(network, trainer, shares, before["round"])
            same = model == before["models"][GLOBAL]["digest"]
            same &= deltas == {slug: site["delta_digest"] for slug, site in before["sites"].items()}
            print(f"round {before['round']}: model {model}: {'the same' if same else 'ANOTHER'}", flush=True)
            if not same:
                raise SystemExit(1)
    write_atomically(place / NETWORK_CHECK, json.dumps({"rounds": len(written), "model_digest": model}).encode())


if __name__ == "__main__":
    main()
