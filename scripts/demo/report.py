"""Watches the chain while the demo runs and gathers what the last screen shows."""

from __future__ import annotations

import json
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

from audit.auditor_keys import KEYSTORE_NAME
from gateways.chain_follower import ChainFollower
from gateways.ledger.web3_ledger import Web3Ledger
from learning.evaluation import Score
from protocol import ledger_events as ev
from protocol.deployment import parse_deployment
from protocol.history import History, LineageView, RoundView
from protocol.identifiers import SiteId, aggregator_id_of, lineage_id_of, site_id_of
from scripts.demo import network as net
from scripts.demo.pages import DemoData
from scripts.demo.processes import CommandFailedError
from scripts.demo.screen import Cost, Screen, accuracy_table, cost_table, further, time_table, verdict_table

_POLL_SECONDS = 0.3


class Watcher:
    """A reader of the demo's chain and IPFS.

    Args:
        network: The running network.
    """

    def __init__(self, network: net.DemoNetwork) -> None:
        self.network = network
        self._ledger = Web3Ledger.connect(network.chain.url, parse_deployment(network.deployment.read_bytes()))
        self._follower = ChainFollower(self._ledger, keep_events=True)

    @property
    def names(self) -> dict[SiteId, str]:
        """Slugs by id."""
        return {site_id_of(slug): slug for slug in self.network.sites}

    def history(self) -> History:
        """The chain's word, now."""
        return self._follower.sync()

    def lineage(self) -> LineageView:
        """The demo's lineage."""
        return self.history().lineages[lineage_id_of(net.LINEAGE)]

    def rounds(self) -> list[RoundView]:
        """All rounds in order."""
        return [view for _, view in sorted(self.lineage().rounds.items())]

    def wait_for_round(self, number: int, timeout_seconds: float) -> RoundView:
        """Waits for a round's outcome.

        Raises:
            CommandFailedError: Too late, or a daemon ended.
        """
        self.wait_until(lambda: self._outcome(number) is not None, timeout_seconds)
        return self.lineage().rounds[number]

    def wait_until(self, true: Callable[[], bool], timeout_seconds: float) -> None:
        """Waits, and looks after the daemons meanwhile.

        Raises:
            CommandFailedError: Too late, or a daemon ended.
        """
        end = time.monotonic() + timeout_seconds
        while not true():
            for daemon in self.network.daemons():
                if daemon.started and not daemon.alive():
                    raise CommandFailedError(f"{daemon.name} ended by itself; see {daemon.log}")
            if time.monotonic() > end:
                raise CommandFailedError(f"nothing came within {timeout_seconds:.0f} s")
            time.sleep(_POLL_SECONDS)

    def all_adopted(self, round_number: int) -> bool:
        """Whether every site has judged a round's model."""
        return all(self.network.sites[slug].node.says(f"round={round_number}", "model.judged") for slug in net.SITES)

    def replay(self) -> list[str]:
        """What ``fedrx audit replay`` says."""
        network = self.network
        names = [option for slug in (*network.sites, net.AGGREGATOR) for option in ("--name", slug)]
        said = network.run(
            "audit", "replay", "--deployment", network.deployment, "--rpc", network.chain.url,
            "--ipfs", network.kubo.rpc_url, "--auditor-key", next((network.folder / "auditor").glob("*keystore*")),
            "--passphrase-file", network.passphrase_file, "--declare", "--lineage", net.LINEAGE, *names,
        )  # fmt: skip
        return said.strip().splitlines()

    def costs(self) -> list[Cost]:
        """Per kind of call, from the chain's receipts and the sites' sent lists."""
        self.history()
        gas: dict[str, list[int]] = defaultdict(list)
        for located in self._follower.events:
            label = _CALLS.get(type(located.event))
            if label is not None:
                receipt = self.network.chain.rpc("eth_getTransactionReceipt", str(located.position.tx_hash))
                gas[label].append(int(receipt["gasUsed"], 16))
        # Sealed updates of one plan are padded to one length: any site's list tells it.
        sizes = self._sealed_sizes(net.SITES[0])
        sealed = sum(sizes) // len(sizes) if sizes else 0
        return [
            Cost(label, len(used), sum(used) // len(used), sealed if label == _CALLS[ev.UpdateRegistered] else 0)
            for label, used in gas.items()
        ]

    def _sealed_sizes(self, slug: str) -> list[int]:
        items = json.loads(self.network.run("node", "sent", "--json", "-c", self.network.sites[slug].config))
        return [item["bytes"] for item in items if item["what"] == "sealed update"]

    def _outcome(self, number: int) -> object | None:
        view = self.lineage().rounds.get(number)
        return None if view is None else view.outcome


_CALLS: dict[type, str] = {
    ev.ConsentRootPublished: "publish consent root",
    ev.ConsentWithdrawn: "withdraw consents",
    ev.RoundKeyAnnounced: "announce round key",
    ev.RoundOpened: "open round",
    ev.UpdateRegistered: "register update",
    ev.RoundFinalized: "attest (finalising vote)",
}


def last_screen(
    screen: Screen,
    watcher: Watcher,
    scores: list[tuple[str, Score]],
    replay: list[str],
    costs: list[Cost],
    data: DemoData,
    *,
    keep: bool,
) -> None:
    """Everything that a visitor came for."""
    console = screen.console
    console.rule("What happened")
    console.print(verdict_table(watcher.rounds(), watcher.names))
    if scores:
        console.print(accuracy_table(scores, f"Read right of {scores[0][1].total} test words ({data.says})"))
    console.print(cost_table(costs))
    console.print(time_table(screen.spent))
    console.print(f"[bold green]{replay[-1]}[/bold green]", highlight=False)
    console.print(f"{data.note} The whole demo took {screen.seconds:.0f} s.", highlight=False)
    further(console, _commands(watcher.network, data.test_words), kept=keep)


def _commands(network: net.DemoNetwork, test_words: Path | None) -> list[tuple[str, str]]:
    names = network.folder / "names.toml"
    write_names(names)
    chain = f"--deployment {network.deployment} --rpc {network.chain.url} --names {names}"
    node = network.sites[net.SITES[0]].config
    keys = f"--auditor-key {network.folder / 'auditor' / KEYSTORE_NAME} --passphrase-file {network.passphrase_file}"
    ipfs = f"--ipfs {network.kubo.rpc_url}"
    fedrx = ".venv/bin/fedrx"
    words = test_words or "FOLDER"
    return [
        (f"{fedrx} audit trail {chain}", "everything that happened, in plain sentences"),
        (f"{fedrx} audit show {chain} --round 2", "one round: who is in it, who was refused and why"),
        (f"{fedrx} audit explorer {chain}", "the same in a browser, each item with its proof"),
        (f"{fedrx} audit score {chain} {ipfs} --words {words} -o scores.json", "how each model reads, on your words"),
        (f"{fedrx} audit report {chain} {ipfs} {keys} -o report.html", "what a regulator gets, signed by the auditor"),
        (f"{fedrx} audit bundle {chain} {ipfs} -o rounds.bundle", "all rounds in one file, to verify offline"),
        (f"{fedrx} audit replay {chain} {ipfs} {keys}", "recompute every global model"),
        (f"{fedrx} audit availability {chain} {ipfs} --read", "every CID, and whether it is there"),
        (f"{fedrx} node status -c {node}", "how a site stands and why"),
        (f"{fedrx} node sent -c {node}", "everything that left the site"),
        (f"{fedrx} node read PAGE.png -c {node}", "read a page with the global model"),
    ]


def write_names(path: Path) -> None:
    """The directory of the demo's slugs, as ``--names`` reads it."""
    tables: dict[str, dict[str, str]] = {
        "sites": {slug: str(site_id_of(slug)) for slug in (*net.SITES, net.HOSTILE)},
        "aggregators": {net.AGGREGATOR: str(aggregator_id_of(net.AGGREGATOR))},
        "lineages": {net.LINEAGE: str(lineage_id_of(net.LINEAGE))},
    }
    lines: list[str] = []
    for table, entries in tables.items():
        lines += [f"[{table}]", *(f'{slug} = "{identifier}"' for slug, identifier in entries.items())]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
