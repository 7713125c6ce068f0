"""The governor's commands on a real chain: deploy, invite, join, admit."""

from __future__ import annotations

import json
import re
import shutil
import time
from pathlib import Path

import pytest

from gateways.chain_follower import ChainFollower
from gateways.ledger.deploying import unlocked_accounts
from gateways.ledger.web3_ledger import Web3Ledger
from protocol.deployment import parse_deployment
from protocol.identifiers import site_id_of
from protocol.joining import parse_invitation
from scripts.local_chain import LocalChain
from tests.fedrx.test_main import fedrx

pytestmark = [pytest.mark.chain]


@pytest.fixture(scope="module")
def governed(hardhat_chain: LocalChain, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A governor's folder with a deployed contract."""
    folder = tmp_path_factory.mktemp("governor")
    passphrase = folder / "passphrase"
    passphrase.touch(mode=0o600)
    passphrase.write_text("correct horse battery staple")
    done = fedrx(
        "governor", "init", "--data", str(folder / "gov"), "--rpc", hardhat_chain.url, "--lineage", "letters",
        "--passphrase-file", str(passphrase),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    account = re.search(r"0x[0-9a-f]{40}", done.stdout)
    assert account is not None
    faucet = unlocked_accounts(hardhat_chain.url)[0]
    funds = {"from": str(faucet), "to": account.group(), "value": hex(10**20)}
    hardhat_chain.rpc("eth_sendTransaction", funds)
    assert fedrx("deploy", "-c", str(folder / "gov" / "governor.toml")).returncode == 0
    return folder


def joined(governed: Path, slug: str) -> tuple[Path, str]:
    """A site's folder after joining, and the fingerprint that it was shown."""
    config = str(governed / "gov" / "governor.toml")
    invitation = governed / f"{slug}.invitation"
    assert fedrx("invite", slug, "-o", str(invitation), "-c", config).returncode == 0
    data = governed / slug
    done = fedrx(
        "node", "join", str(invitation), "--data", str(data), "--witness", "nurse",
        "--passphrase-file", str(governed / "passphrase"),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    shown = re.search(r"fingerprint\s+(\d{5}(?: \d{5}){4})", done.stdout)
    assert shown is not None
    return data, shown.group(1)


def test_deploying_again_says_that_it_is_there(governed: Path) -> None:
    done = fedrx("deploy", "-c", str(governed / "gov" / "governor.toml"))
    assert done.returncode == 0
    assert "deployed already" in done.stdout


def test_a_site_with_the_right_fingerprint_is_admitted_and_funded(governed: Path, hardhat_chain: LocalChain) -> None:
    data, fingerprint = joined(governed, "north-clinic")
    config = str(governed / "gov" / "governor.toml")
    done = fedrx("admit", str(data / "site-keys.json"), "--fingerprint", fingerprint, "-c", config)
    assert done.returncode == 0, done.stderr
    deployment = parse_deployment((governed / "gov" / "deployment.json").read_bytes())
    ledger = Web3Ledger.connect(hardhat_chain.url, deployment)
    site = ChainFollower(ledger).sync().sites[site_id_of("north-clinic")]
    assert site.active
    assert ledger.balance_wei(site.account) == 10**18
    status = fedrx("node", "status", "-c", str(data / "node.toml"), "--json")
    assert json.loads(status.stdout)["membership"].startswith("member")


def test_a_wrong_fingerprint_admits_nobody(governed: Path, hardhat_chain: LocalChain) -> None:
    data, fingerprint = joined(governed, "south-clinic")
    wrong = fingerprint[:-1] + ("1" if fingerprint[-1] != "1" else "2")
    config = str(governed / "gov" / "governor.toml")
    done = fedrx("admit", str(data / "site-keys.json"), "--fingerprint", wrong, "-c", config)
    assert done.returncode == 2
    assert "not this key document's" in done.stderr
    deployment = parse_deployment((governed / "gov" / "deployment.json").read_bytes())
    history = ChainFollower(Web3Ledger.connect(hardhat_chain.url, deployment)).sync()
    assert site_id_of("south-clinic") not in history.sites


def test_a_changed_invitation_is_refused(governed: Path) -> None:
    config = str(governed / "gov" / "governor.toml")
    invitation = governed / "west.invitation"
    assert fedrx("invite", "west-clinic", "-o", str(invitation), "-c", config).returncode == 0
    invitation.write_bytes(invitation.read_bytes().replace(b"west-clinic", b"east-clinic"))
    done = fedrx(
        "node", "join", str(invitation), "--data", str(governed / "west"), "--witness", "nurse",
        "--passphrase-file", str(governed / "passphrase"),
    )  # fmt: skip
    assert done.returncode == 6
    assert "Traceback" not in done.stderr
    assert not (governed / "west" / "keystore.json").exists()


def test_a_deployment_can_name_the_one_that_it_goes_on_from(governed: Path, hardhat_chain: LocalChain) -> None:
    before, after = governed / "gov" / "deployment.json", governed / "later"
    shutil.copytree(governed / "gov", after)
    (after / "deployment.json").unlink()
    done = fedrx("deploy", "--predecessor", str(before), "-c", str(after / "governor.toml"))
    assert done.returncode == 0, done.stderr
    deployment = parse_deployment((after / "deployment.json").read_bytes())
    named = deployment.predecessor
    assert named is not None
    assert named.contract_address == parse_deployment(before.read_bytes()).contract_address
    assert Web3Ledger.connect(hardhat_chain.url, deployment).head().number > 0


def test_several_sites_are_invited_into_a_folder(governed: Path) -> None:
    config, folder = str(governed / "gov" / "governor.toml"), governed / "invitations"
    done = fedrx("invite", "one-clinic", "two-clinic", "-o", str(folder), "-c", config)
    assert done.returncode == 0, done.stderr
    invited = {path.name: parse_invitation(path.read_bytes(), now=int(time.time())).site for path in folder.iterdir()}
    assert invited == {"one-clinic.invitation": "one-clinic", "two-clinic.invitation": "two-clinic"}


def test_several_invitations_do_not_go_into_one_file(governed: Path) -> None:
    config = str(governed / "gov" / "governor.toml")
    done = fedrx("invite", "one-clinic", "two-clinic", "-o", config, "-c", config)
    assert done.returncode == 2
    assert "name a folder" in done.stderr


def test_a_bad_slug_is_refused(governed: Path) -> None:
    done = fedrx("invite", "North Clinic", "-o", str(governed / "x"), "-c", str(governed / "gov" / "governor.toml"))
    assert done.returncode == 2
    assert "no slug" in done.stderr
