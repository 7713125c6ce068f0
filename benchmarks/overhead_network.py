"""The network of benchmarks/round_overhead.py: real parts, and sites that echo a prepared delta instead of training."""

from __future__ import annotations

import json
import multiprocessing
import os
import secrets
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from gateways.block_store import KuboBlockStore
from gateways.chain_follower import ChainFollower
from gateways.embedded_kubo.repository import write_swarm_key
from gateways.embedded_kubo.supervisor import EmbeddedKubo
from gateways.ledger.deploying import deploy, unlocked_accounts
from gateways.ledger.signers import UnlockedAccount
from gateways.ledger.web3_ledger import Web3Ledger
from node.rounds.sealing import seal_update
from protocol import ledger_calls as calls
from protocol.deployment import encode_deployment, parse_deployment
from protocol.history import History, RoundView
from protocol.identifiers import AccountAddress, Digest, aggregator_id_of, digest_of, lineage_id_of, site_id_of
from protocol.parameters import encode_parameters, parameters_digest, parameters_digest_of_stream
from protocol.plan import PLAN_SCHEMA, parse_plan, plan_digest
from protocol.recipient_keys import RecipientPrivateKey, public_key_digest
from protocol.update import TrainingReport
from scripts.local_chain import LocalChain

SLUG, AGGREGATOR, SITES = "overhead", "aggregator-0", 4
LINEAGE = lineage_id_of(SLUG)
_MAX_BYTES = 1 << 30
_SETTINGS = """\
aggregator = "{aggregator}"
data_folder = "data"
deployment = "deployment.json"
passphrase_file = "passphrase"
poll_seconds = {poll}
[chain]
rpc_url = "{rpc_url}"
[ipfs]
swarm_key_file = "swarm.key"
peers = {peers}
[[lineages]]
slug = "{slug}"
scope = "last-conv"
min_sites = {sites}
max_rounds = {rounds}
"""


@dataclass(frozen=True)
class EchoUpdate:
    """What a training would leave behind."""

    delta: dict[str, np.ndarray]
    report: TrainingReport
    num_examples: int = 100


@dataclass(frozen=True)
class Pace:
    """What the daemons wait for."""

    block_seconds: int = 0
    """0: a block for each transaction, at once."""
    aggregator_poll: float = 0.1
    site_poll: float = 0.1


@dataclass
class RunningNetwork:
    folder: Path
    aggregator: subprocess.Popen[bytes]
    sites: list[multiprocessing.Process]
    follower: ChainFollower

    def wait_until_open(self) -> None:
        """Until round 1 is open: the aggregator has unlocked its keys."""
        while 1 not in self.follower.sync().lineages[LINEAGE].rounds:
            self._check_alive()
            time.sleep(0.2)

    @property
    def log(self) -> str:
        return (self.folder / "log").read_text()

    def wait(self, rounds: int) -> History:
        """Until the last round ends; every update must have been accepted."""
        while True:
            history = self.follower.sync()
            found = history.lineages[LINEAGE].rounds
            if rounds in found and found[rounds].outcome is not None:
                break
            self._check_alive()
            time.sleep(1.0)
        if any(view.outcome.codes != bytes(SITES) for view in found.values()):
            raise SystemExit(f"an update was refused:\n{self.log[-2000:]}")
        return history

    def _check_alive(self) -> None:
        if self.aggregator.poll() is not None or any(site.exitcode for site in self.sites):
            raise SystemExit(f"the aggregator or a site ended:\n{self.log[-2000:]}")


def tensors(parameters: int, seed: int) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    return {f"layer-{n}": rng.standard_normal(parameters // 4, dtype=np.float32) * np.float32(1e-3) for n in range(4)}


@contextmanager
def network(
    folder: Path, parameters: int, rounds: int, pace: Pace, *, site: Callable[..., None] | None = None,
    fedrx: Sequence[str] = ("fedrx",), genesis: Mapping[str, np.ndarray] | None = None,
) -> Iterator[RunningNetwork]:  # fmt: skip
    """Chain, five Kubo cores, contract, four sites and the aggregator's daemon; round 1 starts by itself.

    Args:
        folder: Takes everything.
        parameters: Values of the model.
        rounds: The lineage's last round.
        pace: What the daemons wait for.
        site: A site's process, with the arguments of ``echo_site``; that one when None.
        fedrx: The module, and its first arguments, that the aggregator's daemon is started with.
        genesis: Round 0; random values when None.
    """
    with ExitStack() as stack:
        chain = stack.enter_context(LocalChain("hardhat"))
        faucet, governor = unlocked_accounts(chain.url)[:2]
        deployment = deploy(chain.url, UnlockedAccount(faucet), governor=governor)
        ledger = Web3Ledger.connect(chain.url, deployment, signer=UnlockedAccount(governor))
        (folder / "deployment.json").write_bytes(encode_deployment(deployment))
        write_swarm_key(folder / "swarm.key")
        kubos = [stack.enter_context(EmbeddedKubo(folder / f"ipfs-{n}", folder / "swarm.key")) for n in range(SITES)]
        sites: list[multiprocessing.Process] = []
        for number, kubo in enumerate(kubos):
            key, slug = secrets.token_bytes(32), f"site-{number}"
            account = Web3Ledger.connect(chain.url, deployment, signer_key=key).account
            chain.rpc("hardhat_setBalance", str(account), hex(10**21))
            ledger.send(calls.AdmitSite(site_id_of(slug), account, digest_of("benchmark-key", slug.encode())))
            # Handed over as arguments of a forked process: the key is never on a command line or a disk.
            arguments = (slug, key, folder, chain.url, kubo.rpc_url, parameters, rounds, pace.site_poll)
            process = multiprocessing.get_context("fork").Process(target=site or echo_site, args=arguments, daemon=True)
            process.start()
            sites.append(process)
            stack.callback(process.terminate)
        found_lineage(ledger, KuboBlockStore(kubos[0].rpc_url), folder, genesis or tensors(parameters, 99))
        settings = admit_aggregator(ledger, chain, folder)
        peers = json.dumps([address for kubo in kubos for address in kubo.peer_addresses])
        text = _SETTINGS.format(
            aggregator=AGGREGATOR, poll=pace.aggregator_poll, rpc_url=chain.url, peers=peers, slug=SLUG, sites=SITES,
            rounds=rounds,
        )  # fmt: skip
        settings.write_text(text)
        follower = ChainFollower(ledger)
        while len(follower.sync().consents) < SITES:
            time.sleep(0.2)
        if pace.block_seconds:
            chain.rpc("evm_setAutomine", False)
            chain.rpc("evm_setIntervalMining", 1000 * pace.block_seconds)
        with (folder / "log").open("wb") as log:
            command = [sys.executable, "-m", *fedrx, "aggregator", "run", "--config", str(settings)]
            daemon = subprocess.Popen(command, stdout=log, stderr=log)
        stack.callback(lambda: (daemon.terminate(), daemon.wait()))
        yield RunningNetwork(folder, daemon, sites, follower)


def found_lineage(ledger: Web3Ledger, store: KuboBlockStore, folder: Path, genesis: Mapping[str, np.ndarray]) -> None:
    """Round 0 and the auditor's key."""
    model, public = encode_parameters(genesis), RecipientPrivateKey.generate().public_key()
    (folder / "genesis").write_bytes(model)
    (folder / "auditor.pub").write_bytes(public)
    cid, digest = store.add(folder / "genesis"), parameters_digest(model)
    ledger.send(calls.CreateLineage(LINEAGE, 0, digest, cid, digest_of("benchmark-backbone"), PLAN_SCHEMA))
    auditor, key_cid = AccountAddress(os.urandom(20)), store.add(folder / "auditor.pub")
    ledger.send(calls.PublishAuditorKey(auditor, public_key_digest(public), key_cid))


def admit_aggregator(ledger: Web3Ledger, chain: LocalChain, folder: Path) -> Path:
    """Makes the aggregator's keystore by its own command, and admits it; returns where its settings go."""
    settings, passphrase = folder / "aggregator.toml", folder / "passphrase"
    passphrase.touch(0o600)
    passphrase.write_text(secrets.token_urlsafe(24))
    command = [sys.executable, "-m", "fedrx", "aggregator", "init", "--aggregator", AGGREGATOR, "--json"]
    command += ["--deployment", "deployment.json", "--lineage", f"{SLUG}:last-conv", "--swarm-key", "swarm.key"]
    command += ["--passphrase-file", str(passphrase), "--config", str(settings)]
    made = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    account, me = AccountAddress.from_hex(made["account"]), aggregator_id_of(AGGREGATOR)
    chain.rpc("hardhat_setBalance", str(account), hex(10**21))
    ledger.send(calls.AdmitAggregator(me, account, Digest.from_hex(made["key_digest"])))
    ledger.send(calls.SetAggregators((me,), 1))
    return settings


def echo_site(
    slug: str, key: bytes, folder: Path, rpc_url: str, ipfs_url: str, parameters: int, rounds: int, poll: float
) -> None:
    """A site's process without training: seals, registers, then pins, as node/rounds/participation.py does."""
    deployment = parse_deployment((folder / "deployment.json").read_bytes())
    ledger, store = Web3Ledger.connect(rpc_url, deployment, signer_key=key), KuboBlockStore(ipfs_url)
    root = digest_of("benchmark-consent", slug.encode())
    ledger.send(calls.PublishConsentRoot(root, ledger.head().timestamp + 10_000_000, 1, 0, 0))
    report = TrainingReport(epochs=1, seconds=0, first_loss="1.000000", last_loss="1.000000")
    update = EchoUpdate(tensors(parameters, int(slug[-1])), report)
    model, envelope, follower, done = folder / f"{slug}.model", folder / f"{slug}.envelope", ChainFollower(ledger), 0
    head: Digest | None = None
    while done < rounds:
        lineage = follower.sync().lineages.get(LINEAGE)
        if lineage is None or ((live := lineage.live_round()) is None and lineage.head_digest == head):
            time.sleep(poll)
            continue
        seen = time.time()
        if lineage.head_digest != head:
            # Like the node: a new model is fetched when it is final, not when the next round opens.
            store.fetch(lineage.head_cid, model, max_bytes=_MAX_BYTES, timeout_seconds=120)
            with model.open("rb") as stream:
                assert parameters_digest_of_stream(stream) == lineage.head_digest
            head = lineage.head_digest
        elif live is not None and live.opened.round > done:
            done = live.opened.round
            times = take_part(live, ledger, store, update, root, slug, envelope)
            with (folder / f"{slug}.times").open("a") as out:
                out.write(json.dumps({"round": done, "seen": seen, **times}) + "\n")
        else:
            time.sleep(poll)


def take_part(
    live: RoundView, ledger: Web3Ledger, store: KuboBlockStore, update: EchoUpdate, root: Digest, slug: str,
    envelope: Path,
) -> dict[str, float | str]:  # fmt: skip
    """Returns when each step was done, in seconds since 1970."""
    path = envelope.with_suffix(".plan")
    store.fetch(live.opened.plan_cid, path, max_bytes=1 << 20, timeout_seconds=60)
    assert plan_digest(path.read_bytes()) == live.opened.plan_digest
    plan, planned = parse_plan(path.read_bytes()), time.time()
    sealed = seal_update(update, plan, live, ledger.identity, site_id_of(slug), root, (1, root), 0, envelope)
    done = time.time()
    call = calls.RegisterUpdate(
        LINEAGE, plan.round, sealed.envelope_digest, sealed.envelope_cid, sealed.parameters_commitment, sealed.weight,
        sealed.dataset_root, sealed.consent_version,
    )  # fmt: skip
    ledger.send(call)
    registered = time.time()
    store.add(envelope)
    return {
        "planned": planned, "sealed": done, "registered": registered, "pinned": time.time(),
        "cid": str(sealed.envelope_cid),
    }  # fmt: skip
