"""A site's keys over the years, on a real chain: another account, another witness, a death at any write."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gateways.chain_follower import ChainFollower
from gateways.data_folder import DataFolder
from gateways.key_ring import KeyRing
from gateways.key_ring.accounts import address_of, open_account
from node.keys import documents as key_documents
from node.keys.account_switch import AccountSwitch
from node.keys.documents import ACCOUNT_KEY, NEXT_ACCOUNT_KEY
from node.keys.rotation import require_listed
from node.site import open_site
from protocol.errors import ConfigError, ConsentError, StoreLockedError
from protocol.identifiers import AccountAddress, site_id_of
from protocol.joining import fingerprint, key_document_digest, parse_key_document
from protocol.reverts import AccountAlreadyUsedError
from tests.fedrx.governance import Governance, Site, fingerprint_in

pytestmark = [pytest.mark.chain]

SLUG = "north-clinic"


@pytest.fixture
def site(governance: Governance) -> Site:
    """Admitted."""
    return governance.admit(SLUG)


def rotate(governance: Governance, site: Site, fingerprint: str) -> None:
    governance.run(
        "governor", "rotate-site", site.folder / "site-keys.next.json", "--fingerprint", fingerprint, "--fund", "1"
    )


def account_of(site: Site, name: str = ACCOUNT_KEY) -> AccountAddress:
    return address_of(open_account(site.key_ring(), name))


def listings(site: Site) -> dict[str, str]:
    return {each["name"]: each["listing"] for each in json.loads(site.run("witness", "list", "--json").stdout)}


def test_the_old_account_signs_until_the_chain_shows_the_new_one(governance: Governance, site: Site) -> None:
    old, first_document = account_of(site), (site.folder / "site-keys.json").read_bytes()
    said = fingerprint_in(site.run("rotate-account"))
    assert fingerprint_in(site.run("rotate-account")) == said
    assert account_of(site) == old
    new = account_of(site, NEXT_ACCOUNT_KEY)
    with open_site(site.folder / "node.toml") as opened:
        assert opened.ledger.account == old
    with pytest.raises(ConfigError, match="not this key document's"):
        rotate(governance, site, "11111 " * 5)
    assert governance.history.sites[site_id_of(SLUG)].account == old

    rotate(governance, site, said)
    rotate(governance, site, said)
    on_chain = governance.history.sites[site_id_of(SLUG)]
    assert on_chain.account == new
    assert governance.reader.balance_wei(new) == 10**18
    assert json.loads(site.run("status", "--json").stdout)["membership"] == f"member, account {new}"

    site.run("leave", "--yes")
    assert governance.history.sites[site_id_of(SLUG)].left
    assert account_of(site) == new
    assert NEXT_ACCOUNT_KEY not in site.key_ring().names()
    second_document = (site.folder / "site-keys.json").read_bytes()
    assert key_document_digest(parse_key_document(second_document)) == on_chain.key_digest
    assert not (site.folder / "site-keys.next.json").exists()
    for folder in (site.folder, governance.folder):
        assert {file.read_bytes() for file in (folder / "key-documents").iterdir()} == {first_document, second_document}


def test_an_account_is_rotated_again_and_never_back(governance: Governance, site: Site) -> None:
    rotate(governance, site, fingerprint_in(site.run("rotate-account")))
    used = (site.folder / "site-keys.next.json").read_bytes()
    rotate(governance, site, fingerprint_in(site.run("rotate-account")))
    assert governance.history.sites[site_id_of(SLUG)].account == account_of(site, NEXT_ACCOUNT_KEY)
    (site.folder / "site-keys.next.json").write_bytes(used)
    with pytest.raises(AccountAlreadyUsedError):
        rotate(governance, site, fingerprint_of(used))


def fingerprint_of(document: bytes) -> str:
    return fingerprint(key_document_digest(parse_key_document(document)))


def test_an_account_that_was_never_admitted_is_not_rotated(governance: Governance) -> None:
    site = governance.join(SLUG)
    with pytest.raises(ConfigError, match="does not know this site"):
        site.run("rotate-account")
    with pytest.raises(ConfigError, match="is not admitted"):
        governance.run("governor", "rotate-site", site.folder / "site-keys.json", "--fingerprint", site.fingerprint)


def test_a_new_witness_waits_for_the_chain(governance: Governance, site: Site) -> None:
    assert listings(site) == {"nurse": "in force"}
    said = fingerprint_in(site.run("witness", "add", "sister.akter"))
    assert fingerprint_in(site.run("witness", "add", "sister.akter")) == said
    assert listings(site) == {"nurse": "in force", "sister.akter": "waits for the governor"}
    grant = ("consent", "grant", "P001", "--asked-by", "Dr Khan", "--witness", "sister.akter")
    with pytest.raises(ConsentError, match="cannot witness yet"):
        site.run(*grant)
    rotate(governance, site, said)
    assert listings(site) == {"nurse": "in force", "sister.akter": "in force"}
    site.run(*grant)
    with pytest.raises(ConfigError, match="is a witness already"):
        site.run("witness", "add", "sister.akter")

    removed = fingerprint_in(site.run("witness", "remove", "nurse"))
    assert listings(site) == {"sister.akter": "in force"}
    rotate(governance, site, removed)
    with open_site(site.folder / "node.toml") as opened:
        assert opened.ledger.account == governance.history.sites[site_id_of(SLUG)].account
    document = parse_key_document((site.folder / "site-keys.json").read_bytes())
    assert document.witnesses == (account_of(site, "witness/sister.akter"),)
    with pytest.raises(ConfigError, match="nobody but"):
        site.run("witness", "remove", "sister.akter")


def test_before_admission_a_witness_comes_into_the_first_document(governance: Governance) -> None:
    site = governance.join(SLUG)
    said = fingerprint_in(site.run("witness", "add", "sister.akter"))
    assert said != site.fingerprint
    governance.run("admit", site.folder / "site-keys.json", "--fingerprint", said)
    assert listings(site) == {"nurse": "in force", "sister.akter": "in force"}
    with open_site(site.folder / "node.toml") as opened:
        require_listed(opened, "sister.akter")


class FakeLoop:
    """Notes who signs."""

    def __init__(self, account: AccountAddress | None) -> None:
        self.account = account

    def step(self) -> bool:
        return False


def test_a_running_daemon_goes_on_with_the_new_account(governance: Governance, site: Site) -> None:
    begun: list[AccountAddress | None] = []
    with open_site(site.folder / "node.toml") as opened, opened.folder.locked():
        old = opened.ledger.account

        def begin() -> Any:
            begun.append(opened.ledger.account)
            return FakeLoop(opened.ledger.account)

        switch = AccountSwitch(opened, ChainFollower(opened.chain_reader), begin)
        switch.step()
        said = fingerprint_in(site.run("rotate-account"))
        switch.step()
        assert begun == [old]
        rotate(governance, site, said)
        for _ in range(2):
            switch.step()
        assert begun == [old, governance.history.sites[site_id_of(SLUG)].account]
        assert opened.account == begun[1]


class DiedError(BaseException):
    """kill -9."""


def dying_at(count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The process dies before the write of that number, from 0."""
    writes = [0]

    def counted(real: Callable[..., Any]) -> Callable[..., Any]:
        def write(*arguments: Any, **options: Any) -> Any:
            if writes[0] == count:
                raise DiedError
            writes[0] += 1
            return real(*arguments, **options)

        return write

    monkeypatch.setattr(key_documents, "write_atomically", counted(key_documents.write_atomically))
    monkeypatch.setattr(key_documents, "sync_folder", counted(key_documents.sync_folder))
    for name in ("put", "rename"):
        monkeypatch.setattr(KeyRing, name, counted(getattr(KeyRing, name)))


def deaths_of(site: Site, act: Callable[[], object], check: Callable[[], None], monkeypatch: pytest.MonkeyPatch) -> int:
    """Dies before each write of an act in turn, from the same beginning, does the act again and checks; how often."""
    beginning = site.folder.with_name("beginning")
    shutil.copytree(site.folder, beginning)
    for count in range(10):
        shutil.rmtree(site.folder)
        shutil.copytree(beginning, site.folder)
        died = False
        with monkeypatch.context() as patch:
            dying_at(count, patch)
            try:
                act()
            except DiedError:
                died = True
        if died:
            act()
        check()
        if not died:
            shutil.rmtree(beginning)
            return count
    raise AssertionError("never comes to an end")


def test_a_death_at_any_write_of_a_rotation_is_made_good_by_doing_it_again(
    governance: Governance, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = account_of(site)

    def proposed() -> None:
        waiting = parse_key_document((site.folder / "site-keys.next.json").read_bytes())
        assert waiting.account == account_of(site, NEXT_ACCOUNT_KEY) != old
        assert account_of(site) == old

    def use() -> None:
        with open_site(site.folder / "node.toml") as opened:
            assert opened.ledger.account == on_chain.account

    def taken_up() -> None:
        document = parse_key_document((site.folder / "site-keys.json").read_bytes())
        assert account_of(site) == document.account == on_chain.account
        assert key_document_digest(document) == on_chain.key_digest
        assert NEXT_ACCOUNT_KEY not in site.key_ring().names()
        assert not (site.folder / "site-keys.next.json").exists()

    assert deaths_of(site, lambda: site.run("rotate-account"), proposed, monkeypatch) == 3
    rotate(governance, site, fingerprint_of((site.folder / "site-keys.next.json").read_bytes()))
    on_chain = governance.history.sites[site_id_of(SLUG)]
    assert deaths_of(site, use, taken_up, monkeypatch) == 3


def test_a_nodes_passphrase_is_changed_while_no_daemon_runs(site: Site, tmp_path: Path) -> None:
    new = tmp_path / "new"
    new.touch(mode=0o600)
    new.write_text("other words")
    words = ("passphrase", "--new-passphrase-file", new)
    with DataFolder(site.folder).locked(), pytest.raises(StoreLockedError):
        site.run(*words)
    site.run(*words)
    assert KeyRing.open(site.folder / "keystore.json", b"other words").names()
