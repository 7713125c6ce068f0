"""Builds the demo's network with the commands that a consortium uses: deploy, genesis, invite, join, admit."""

from __future__ import annotations

import json
import re
import secrets
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from gateways.embedded_kubo.supervisor import EmbeddedKubo
from gateways.ledger.deploying import unlocked_accounts
from learning.evaluation import Score
from protocol.identifiers import AccountAddress
from scripts.demo.assignment import Assignment, read_answer, write_assignment
from scripts.demo.processes import CommandFailedError, Daemon, fedrx
from scripts.local_chain import LocalChain

LINEAGE = "easyocr-last-conv"
BACKBONE, SCOPE = "english-g2", "last-conv"
"""The source paper's. The default reads the demo's drawn words untrained, and nothing would be seen to be learned."""
AGGREGATOR = "national-aggregator"
SITES = ("riverside-hospital", "green-valley-clinic", "lakeview-centre", "sunrise-pharmacy")
HOSTILE = "shadow-clinic"
WITNESS = "dr-rahman"
ROUNDS = 3
_BLOCK_MILLISECONDS = 1000
_POLL_SECONDS = 0.3
_GOVERNOR_FUNDS_WEI = 10**21


@dataclass
class DemoSite:
    """A site of the demo."""

    slug: str
    folder: Path
    node: Daemon

    @property
    def config(self) -> Path:
        """The node's settings file."""
        return self.folder / "node.toml"


@dataclass
class DemoNetwork:
    """Everything that runs, and how to end it."""

    folder: Path
    chain: LocalChain
    kubo: EmbeddedKubo
    resources: ExitStack
    sites: dict[str, DemoSite] = field(default_factory=dict)
    aggregator: Daemon | None = None
    scorekeeper: Daemon | None = None

    @property
    def deployment(self) -> Path:
        """The deployment file."""
        return self.folder / "governor" / "deployment.json"

    @property
    def governor_config(self) -> Path:
        """The governor's settings file."""
        return self.folder / "governor" / "governor.toml"

    @property
    def invitations(self) -> Path:
        """Folder of the files that the sites join with."""
        return self.folder / "invitations"

    @property
    def passphrase_file(self) -> Path:
        """One random passphrase for every keystore of the demo."""
        return self.folder / "passphrase"

    @property
    def log(self) -> Path:
        """What every command printed."""
        return self.folder / "commands.log"

    def run(self, *arguments: str | Path) -> str:
        """A ``fedrx`` command, logged."""
        return fedrx(*arguments, log=self.log)

    def daemons(self) -> list[Daemon]:
        """All daemons."""
        return [site.node for site in self.sites.values()] + ([self.aggregator] if self.aggregator else [])

    def stop(self) -> None:
        """Ends daemons, then IPFS and the chain."""
        running = (*self.daemons(), *([self.scorekeeper] if self.scorekeeper else []))
        for daemon in running:
            daemon.ask_to_end()
        for daemon in running:
            daemon.stop()
        self.resources.close()


def start_parts(folder: Path) -> DemoNetwork:
    """Chain and IPFS: the parts that a consortium would already have."""
    resources = ExitStack()
    try:
        chain = resources.enter_context(LocalChain("hardhat"))
        # Deadlines run on block time, so blocks must come even when nobody sends.
        chain.rpc("evm_setIntervalMining", _BLOCK_MILLISECONDS)
        passphrase = folder / "passphrase"
        passphrase.touch(mode=0o600)
        passphrase.write_text(secrets.token_urlsafe(24), encoding="ascii")
        governor = folder / "governor"
        said = fedrx(
            "governor", "init", "--data", governor, "--rpc", chain.url, "--lineage", LINEAGE,
            "--passphrase-file", passphrase, "--ipfs", "http://127.0.0.1:1", log=folder / "commands.log",
        )  # fmt: skip
        kubo = resources.enter_context(EmbeddedKubo(folder / "ipfs", governor / "swarm.key"))
        settings = governor / "governor.toml"
        text = settings.read_text(encoding="utf-8").replace("http://127.0.0.1:1", kubo.rpc_url)
        settings.write_text(text, encoding="utf-8")
    except BaseException:
        resources.close()
        raise
    network = DemoNetwork(folder, chain, kubo, resources)
    faucet = unlocked_accounts(chain.url)[0]
    account = AccountAddress.from_hex(_first(r"0x[0-9a-fA-F]{40}", said))
    chain.rpc("eth_sendTransaction", {"from": str(faucet), "to": str(account), "value": hex(_GOVERNOR_FUNDS_WEI)})
    return network


def deploy(network: DemoNetwork) -> None:
    """The contract, the auditor's key, the aggregator, the invitations; one transaction after the other."""
    run, governor = network.run, network.governor_config
    with ThreadPoolExecutor(2) as pool:
        keys = pool.submit(_make_auditor_keys, network)
        run("deploy", "-c", governor)
        aggregator = pool.submit(_make_aggregator, network)
        auditor = keys.result()
        run(
            "governor", "auditor-key", auditor["public_key_file"], "--account", auditor["account"],
            "--fingerprint", auditor["fingerprint"], "-c", governor,
        )  # fmt: skip
        made = aggregator.result()
    run(
        "governor", "admit-aggregator", AGGREGATOR, "--account", made["account"],
        "--key-digest", made["key_digest"], "-c", governor,
    )  # fmt: skip
    run("governor", "set-aggregators", AGGREGATOR, "-c", governor)
    run("invite", *SITES, HOSTILE, "-o", network.invitations, "-c", governor)


def _make_auditor_keys(network: DemoNetwork) -> dict[str, str]:
    folder, passphrase = network.folder / "auditor", network.passphrase_file
    made: dict[str, str] = json.loads(
        network.run("audit", "keygen", "--out", folder, "--passphrase-file", passphrase, "--json")
    )
    return made


def _make_aggregator(network: DemoNetwork) -> dict[str, str]:
    folder = network.folder / "aggregator"
    folder.mkdir()
    config = folder / "aggregator.toml"
    made: dict[str, str] = json.loads(
        network.run(
            "aggregator", "init", "--aggregator", AGGREGATOR, "--deployment", network.deployment,
            "--lineage", f"{LINEAGE}:{SCOPE}", "--config", config, "--rpc-url", network.chain.url,
            "--swarm-key", network.folder / "governor" / "swarm.key",
            "--passphrase-file", network.passphrase_file, "--json",
        )
    )  # fmt: skip
    _configure_rounds(config, network)
    network.aggregator = Daemon(
        AGGREGATOR, ("aggregator", "run", "--config", str(config)), network.folder / "aggregator.log"
    )
    return made


def _configure_rounds(config: Path, network: DemoNetwork) -> None:
    """What a consortium would decide in a meeting: short rounds, four sites, a stop after three."""
    text = config.read_text(encoding="utf-8")
    peers = json.dumps(list(network.kubo.peer_addresses))
    for pattern, value in (
        (r"(?m)^# peers = .*$", f"peers = {peers}"),
        (r"(?m)^# poll_seconds = .*$", "poll_seconds = 0.5"),
        (r"(?m)^min_sites = \d+", f"min_sites = {len(SITES)}"),
        (r"(?m)^round_seconds = \d+", "round_seconds = 120\npause_seconds = 12"),
        (r"(?m)^attest_seconds = \d+", "attest_seconds = 120\nattest_margin_seconds = 60\nfetch_timeout_seconds = 20"),
        (r"(?m)^max_rounds = \d+", f"max_rounds = {ROUNDS}"),
        (r"(?m)^epochs = \d+", "epochs = 3"),
        (r"(?m)^batch_size = \d+", "batch_size = 16"),
        (r"(?m)^learning_rate = .*$", 'learning_rate = "0.002"'),
        (r"(?m)^weighting = \"equal\"", 'weighting = "num_examples"'),
    ):
        text, count = re.subn(pattern, value, text)
        if count != 1:
            raise RuntimeError(f"the aggregator's settings have no {pattern}")
    config.write_text(text, encoding="utf-8")


def genesis(network: DemoNetwork, lexicon: Path, fonts: Path, families: tuple[str, ...]) -> None:
    """Round 0 from the lexicon, drawn with fonts that are not the test's."""
    chosen = [option for family in families for option in ("--family", family)]
    network.run(
        "genesis", "--lexicon", lexicon, "--fonts", fonts, "--lineage", LINEAGE, "-c", network.governor_config,
        "--backbone", BACKBONE, "--scope", SCOPE, "--renderings", "1", *chosen,
    )  # fmt: skip


def join(network: DemoNetwork, slug: str, lexicon: Path) -> str:
    """Lets an invited site join; returns the fingerprint that it reads over the phone."""
    folder = network.folder / "sites" / slug
    invitation = network.invitations / f"{slug}.invitation"
    answer = network.run(
        "node", "join", invitation, "--data", folder, "--witness", WITNESS,
        "--passphrase-file", network.passphrase_file,
    )  # fmt: skip
    fingerprint = _first(r"\d{5}(?: \d{5}){4}", answer)
    config = folder / "node.toml"
    text = config.read_text(encoding="utf-8").replace(
        'participation = "auto"', 'poll_seconds = 1.0\ndeadline_margin_seconds = 5\nparticipation = "auto"'
    )
    config.write_text(f'{text}\n[reading]\nlexicon = "{lexicon.resolve()}"\n', encoding="utf-8")
    site = DemoSite(
        slug, folder, Daemon(slug, ("node", "run", "--config", str(config)), network.folder / f"{slug}.log")
    )
    network.sites[slug] = site
    return fingerprint


def admit(network: DemoNetwork, slug: str, fingerprint: str) -> None:
    """The governor admits a site whose fingerprint it heard."""
    document = network.sites[slug].folder / "site-keys.json"
    network.run("admit", document, "--fingerprint", fingerprint, "-c", network.governor_config)


def _first(pattern: str, text: str) -> str:
    found = re.search(pattern, text)
    if found is None:
        raise RuntimeError(f"no {pattern} in {text!r}")
    return found.group()


def hostile(network: DemoNetwork, victim: str, round_number: int) -> Daemon:
    """Starts the hostile site's attempt at one round."""
    site = network.sites[HOSTILE]
    arguments = ("--config", str(site.config), "--victim", victim, "--lineage", LINEAGE, "--round", str(round_number))
    return Daemon(HOSTILE, arguments, network.folder / f"{HOSTILE}.log", module="scripts.demo.hostile").start()


def wait_for_scores(network: DemoNetwork, answer: Path, timeout_seconds: float) -> list[tuple[str, Score]]:
    """The scorekeeper's rows.

    Raises:
        CommandFailedError: It ended without an answer, or the time ran out.
    """
    keeper, end = network.scorekeeper, time.monotonic() + timeout_seconds
    while not answer.exists():
        if keeper is None or not keeper.alive() or time.monotonic() > end:
            raise CommandFailedError(f"the scorekeeper gave no answer; see {network.folder / 'scorekeeper.log'}")
        time.sleep(_POLL_SECONDS)
    return read_answer(answer)


def start_scorekeeper(network: DemoNetwork, words: Path, lexicon: Path) -> Path:
    """Starts the comparison of readers beside the network; returns the file that will hold its rows."""
    folder = network.folder / "scores"
    answer = network.folder / "scores.json"
    assignment = Assignment(
        deployment=str(network.deployment),
        rpc_url=network.chain.url,
        ipfs_url=network.kubo.rpc_url,
        lineage=LINEAGE,
        rounds=ROUNDS,
        genesis=str(network.folder / "governor" / f"genesis-{LINEAGE}.safetensors"),
        sites={slug: str(network.sites[slug].config) for slug in SITES},
        words=str(words),
        lexicon=str(lexicon),
        folder=str(folder),
        answer=str(answer),
    )
    path = network.folder / "assignment.json"
    write_assignment(assignment, path)
    network.scorekeeper = Daemon(
        "scorekeeper", (str(path),), network.folder / "scorekeeper.log", module="scripts.demo.scorekeeper"
    ).start()
    return answer
