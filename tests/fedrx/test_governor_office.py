"""The governor's office on a real chain: it is handed over in two steps, shown, and closed for good."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from audit.auditor_keys import make_auditor_key
from fedrx.governor import Governor, open_governor
from gateways.key_ring import KeyRing
from protocol.errors import ConfigError, WrongPassphraseError
from protocol.identifiers import CID, AccountAddress, Digest, aggregator_id_of, lineage_id_of, site_id_of
from protocol.ledger_calls import CreateLineage
from protocol.reverts import OwnableUnauthorizedAccountError, SuiteIsSealedError
from tests.fakes.block_store import FakeBlockStore
from tests.fedrx.governance import PASSPHRASE, Governance

pytestmark = [pytest.mark.chain]

SUCCESSOR = "0x" + "ab" * 20


def status(governance: Governance) -> Any:
    return json.loads(governance.run("governor", "status", "--json").stdout)


def test_the_governance_passes_when_it_was_offered_and_accepted(governance: Governance) -> None:
    heir = governance.heir()
    heir.give_money(heir.account)
    with pytest.raises(OwnableUnauthorizedAccountError):
        heir.run("governor", "accept")
    assert status(governance)["offered_to"] is None
    governance.run("governor", "transfer", heir.account)
    assert (status(governance)["governor"], status(governance)["offered_to"]) == (governance.account, heir.account)
    assert f"offered     to {heir.account}" in governance.run("governor", "status").stdout
    assert "governs since" in heir.run("governor", "accept").stdout
    assert "governs already" in heir.run("governor", "accept").stdout
    assert (status(governance)["governor"], status(governance)["offered_to"]) == (heir.account, None)
    with pytest.raises(OwnableUnauthorizedAccountError):
        governance.run("governor", "transfer", governance.account[:-1] + "0")


def test_an_heir_is_funded_so_that_it_can_accept(governance: Governance) -> None:
    heir = governance.heir()
    governance.run("governor", "transfer", heir.account, "--fund", "0.5")
    assert governance.reader.balance_wei(AccountAddress.from_hex(heir.account)) == 5 * 10**17
    governance.run("governor", "transfer", heir.account, "--fund", "0.5")
    assert governance.reader.balance_wei(AccountAddress.from_hex(heir.account)) == 5 * 10**17
    heir.run("governor", "accept")


def test_the_governor_offers_nothing_to_itself(governance: Governance) -> None:
    with pytest.raises(ConfigError, match="governs already"):
        governance.run("governor", "transfer", governance.account)


def test_a_site_joins_with_the_new_governors_invitation(governance: Governance) -> None:
    heir = governance.heir()
    governance.run("governor", "transfer", heir.account, "--fund", "10")
    heir.run("governor", "accept")
    site = heir.admit("late-clinic")
    assert heir.history.sites[site_id_of("late-clinic")].active
    assert "member" in json.loads(site.run("status", "--json").stdout)["membership"]


def test_a_seal_needs_the_contracts_address_typed_and_is_never_changed(governance: Governance) -> None:
    words = ("governor", "seal", "--successor-chain", "7", "--successor", SUCCESSOR)
    with pytest.raises(ConfigError, match="not the contract's address"):
        governance.run(*words, typed="yes\n")
    assert governance.history.sealed is None
    governance.run(*words, typed=f"{governance.deployment.contract_address}\n")
    assert status(governance)["successor"] == f"{SUCCESSOR} on chain 7"
    assert "sealed already" in governance.run(*words, "--yes").stdout
    with pytest.raises(ConfigError, match="sealed already"):
        governance.run("governor", "seal", "--successor-chain", "8", "--successor", SUCCESSOR, "--yes")
    some = Digest(b"\x01" * 32)
    with open_governor(governance.config) as governor, pytest.raises(SuiteIsSealedError):
        governor.ledger.send(CreateLineage(lineage_id_of("late"), 0, some, CID(some), some, some))


def test_status_shows_everyone_and_asks_for_no_passphrase(
    governance: Governance, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "auditor     none" in governance.run("governor", "status").stdout
    governance.admit("north-clinic")
    south = governance.admit("south-clinic")
    governance.run("governor", "suspend", "south-clinic")
    account = "0x" + "12" * 20
    governance.run(
        "governor", "admit-aggregator", "university", "--account", account, "--key-digest", "34" * 32, "--fund", "0"
    )
    governance.run("governor", "set-aggregators", "university")
    name_auditor(governance, tmp_path, monkeypatch)
    governance.passphrase_file.unlink()
    found = status(governance)
    assert [(site["site"], site["standing"]) for site in found["sites"]] == [
        ("north-clinic", "active"),
        ("south-clinic", "suspended"),
    ]
    assert found["sites"][1]["fingerprint"] == south.fingerprint
    assert found["threshold"] == 1
    (aggregator,) = found["aggregators"]
    assert aggregator["aggregator_id"] == str(aggregator_id_of("university"))
    assert (aggregator["account"], aggregator["in_set"]) == (account, True)
    assert found["auditor"]["epoch"] == 1
    shown = governance.run("governor", "status", "--name", "university").stdout
    for words in ("north-clinic", "suspended", "university", "1 of 1 aggregators", governance.account):
        assert words in shown


def name_auditor(governance: Governance, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Names an auditor; returns the fingerprint."""
    made = make_auditor_key(tmp_path / "auditor", PASSPHRASE)
    monkeypatch.setattr(Governor, "block_store", FakeBlockStore())
    words = ("governor", "auditor-key", made.public_key_file, "--account", str(made.account))
    governance.run(*words, "--fingerprint", made.fingerprint)
    return made.fingerprint


def test_an_auditors_key_is_named_once_and_only_with_what_the_auditor_read(
    governance: Governance, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = make_auditor_key(tmp_path / "auditor", PASSPHRASE)
    monkeypatch.setattr(Governor, "block_store", FakeBlockStore())
    words = ("governor", "auditor-key", made.public_key_file, "--fingerprint", made.fingerprint, "--account")
    with pytest.raises(ConfigError, match="not this key's and account's"):
        governance.run(*words, "0x" + "66" * 20)
    assert governance.history.auditor_key is None
    for _ in range(2):
        governance.run(*words, str(made.account))
    named = governance.history.auditor_key
    assert named is not None
    assert (named.epoch, named.auditor, named.key_digest) == (1, made.account, made.key_digest)
    assert governance.reader.balance_wei(made.account) == 10**18


def test_the_governors_passphrase_is_changed_and_the_keys_stay(governance: Governance, tmp_path: Path) -> None:
    new = tmp_path / "new"
    new.touch(mode=0o600)
    new.write_bytes(b"six other words of another kind\n")
    before = KeyRing.open(governance.folder / "keystore.json", PASSPHRASE).get("governor")
    said = governance.run("governor", "passphrase", "--new-passphrase-file", new).stderr
    assert str(governance.passphrase_file) in said.replace("\n", "")
    with pytest.raises(WrongPassphraseError):
        governance.run("governor", "transfer", SUCCESSOR)
    new.replace(governance.passphrase_file)
    governance.run("governor", "transfer", SUCCESSOR, "--fund", "0")
    after = KeyRing.open(governance.folder / "keystore.json", b"six other words of another kind").get("governor")
    assert after == before
