"""A governor's and its sites' commands, called in this process on the real chain behind them."""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass
from pathlib import Path

import typer
from typer.testing import CliRunner, Result

from fedrx import governor_commands
from gateways.chain_follower import ChainFollower
from gateways.key_ring import KeyRing
from gateways.ledger.deploying import unlocked_accounts
from gateways.ledger.web3_ledger import Web3Ledger
from node.commands import app as node_app
from protocol.deployment import Deployment, parse_deployment
from protocol.history import History
from scripts.local_chain import LocalChain

PASSPHRASE = b"correct horse battery staple"
ACCOUNT = re.compile(r"0x[0-9a-f]{40}")
FINGERPRINT = re.compile(r"\d{5}(?: \d{5}){4}")


def governor_app() -> typer.Typer:
    """``fedrx governor …`` with the commands that stand at the top beside it."""
    app = typer.Typer()
    for name in ("deploy", "genesis", "invite", "admit"):
        app.command(name)(getattr(governor_commands, name))
    app.add_typer(governor_commands.app, name="governor")
    return app


def call(app: typer.Typer, *words: str | Path, typed: str | None = None) -> Result:
    """One command; a failure of the error tree is raised."""
    result = CliRunner().invoke(app, [str(word) for word in words], input=typed)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


@dataclass
class Site:
    """A site that joined."""

    folder: Path
    fingerprint: str

    def run(self, *words: str | Path) -> Result:
        """``fedrx node …`` in this site's folder."""
        return call(node_app, *words, "--config", self.folder / "node.toml")

    def key_ring(self) -> KeyRing:
        """The site's secrets as they stand on disk."""
        return KeyRing.open(self.folder / "keystore.json", PASSPHRASE)


class Governance:
    """A governor's folder."""

    def __init__(self, folder: Path, chain: LocalChain) -> None:
        self.folder, self.chain = folder, chain
        self.config = folder / "governor.toml"
        self.passphrase_file = folder.parent / f"{folder.name}.passphrase"
        self.passphrase_file.touch(mode=0o600)
        self.passphrase_file.write_bytes(PASSPHRASE)
        made = call(
            governor_app(), "governor", "init", "--data", folder, "--rpc", chain.url, "--lineage", "letters",
            "--passphrase-file", self.passphrase_file,
        )  # fmt: skip
        found = ACCOUNT.search(made.stdout)
        assert found is not None
        self.account = found.group()

    def run(self, *words: str | Path, typed: str | None = None) -> Result:
        """A command with this governor's settings."""
        return call(governor_app(), *words, "-c", self.config, typed=typed)

    def deploy(self) -> None:
        """The contract, paid for by a rich account of the chain."""
        self.give_money(self.account)
        self.run("deploy")

    def give_money(self, account: str) -> None:
        faucet = unlocked_accounts(self.chain.url)[0]
        self.chain.rpc("eth_sendTransaction", {"from": str(faucet), "to": account, "value": hex(10**20)})

    def heir(self) -> Governance:
        """Another governor who was given the deployment file."""
        heir = Governance(self.folder.parent / "heir", self.chain)
        shutil.copy(self.folder / "deployment.json", heir.folder)
        return heir

    def join(self, slug: str) -> Site:
        """Invites a site, which joins."""
        invitation = self.folder.parent / f"{slug}.invitation"
        self.run("invite", slug, "-o", invitation)
        folder = self.folder.parent / slug
        done = call(
            node_app, "join", invitation, "--data", folder, "--witness", "nurse",
            "--passphrase-file", self.passphrase_file,
        )  # fmt: skip
        return Site(folder, fingerprint_in(done))

    def admit(self, slug: str) -> Site:
        """A site that joined and was admitted."""
        site = self.join(slug)
        self.run("admit", site.folder / "site-keys.json", "--fingerprint", site.fingerprint)
        return site

    @property
    def deployment(self) -> Deployment:
        return parse_deployment((self.folder / "deployment.json").read_bytes())

    @property
    def reader(self) -> Web3Ledger:
        return Web3Ledger.connect(self.chain.url, self.deployment)

    @property
    def history(self) -> History:
        return ChainFollower(self.reader).sync()


def fingerprint_in(result: Result) -> str:
    """The fingerprint that a command showed."""
    found = FINGERPRINT.search(result.stdout)
    assert found is not None, result.output
    return found.group()
