"""node/joining.py: an invitation comes in, a key document goes out; nothing in an invitation is believed."""

from __future__ import annotations

import tomllib
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from eth_account import Account

from gateways.data_folder import DataFolder
from gateways.key_ring import KeyRing
from gateways.key_ring.sealing import Argon2Cost
from gateways.settings import load_settings
from node import joining
from node.joining import Joined, join, key_document
from node.settings import NodeSettings
from node.site import ACCOUNT_KEY, AUDIT_KEY, open_site
from node.store.opening import STORE_KEY, STORE_MADE
from protocol.deployment import Deployment
from protocol.errors import ConfigError, KeyRingError, MalformedError, WrongPassphraseError
from protocol.identifiers import AccountAddress, BlockHash, digest_of
from protocol.joining import Invitation, encode_invitation, fingerprint, key_document_digest, parse_key_document

GOVERNOR_KEY = b"\x07" * 32
GOVERNOR = AccountAddress.from_hex(Account.from_key(GOVERNOR_KEY).address)
NOW = 1_800_000_000
DEPLOYMENT = Deployment(
    chain_id=31337,
    contract_address=AccountAddress(b"\xc0" * 20),
    genesis_block_hash=BlockHash(b"\x01" * 32),
    deployment_block_number=1,
    deployment_block_hash=BlockHash(b"\x02" * 32),
    compiler="0.8.37",
    creation_code_digest=digest_of("test-creation"),
    runtime_code_digest=digest_of("test-runtime"),
    governor=GOVERNOR,
    predecessor=None,
)


@pytest.fixture(autouse=True)
def cheap_keystore(monkeypatch: pytest.MonkeyPatch) -> None:
    """Argon2id at its real cost would dominate these tests."""
    cheap = Argon2Cost(iterations=1, lanes=1, memory_kib=512)
    create = KeyRing.create
    monkeypatch.setattr(
        joining.KeyRing, "create", lambda path, passphrase, cost=cheap: create(path, passphrase, cost=cost)
    )


def invitation_file(folder: Path, **changes: Any) -> Path:
    invitation = Invitation(
        site="dhaka-general",
        deployment=DEPLOYMENT,
        governor=GOVERNOR,
        rpc_url="http://127.0.0.1:8545",
        lineages=("english-g2-last-conv",),
        swarm_key="/key/swarm/psk/1.0.0/\n/base16/\n" + "ab" * 32 + "\n",
        peers=("/ip4/127.0.0.1/tcp/4001/p2p/12D3KooW",),
        expires_at=NOW + 100,
    )
    path = folder / "dhaka-general.invitation"
    path.write_bytes(encode_invitation(replace(invitation, **changes), GOVERNOR_KEY))
    return path


def joined(tmp_path: Path, *, passphrase: bytes = b"open sesame", **changes: Any) -> Joined:
    passphrase_file = tmp_path / "passphrase"
    folder = DataFolder(tmp_path / "node")
    return join(invitation_file(tmp_path, **changes), folder, passphrase, passphrase_file, ("nurse",), NOW)


def files_below(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_joining_makes_keys_settings_deployment_and_a_key_document(tmp_path: Path) -> None:
    made = joined(tmp_path)
    settings = load_settings(made.settings_file, NodeSettings)
    assert settings.site == "dhaka-general"
    assert settings.data_folder == made.settings_file.parent / "."
    assert settings.passphrase_file == tmp_path / "passphrase"
    key_ring = KeyRing.open(tmp_path / "node" / "keystore.json", b"open sesame")
    assert set(key_ring.names()) == {ACCOUNT_KEY, AUDIT_KEY, STORE_KEY, STORE_MADE, "witness/nurse"}
    document = parse_key_document(made.key_document_file.read_bytes())
    assert document == key_document("dhaka-general", key_ring, ACCOUNT_KEY)
    assert made.fingerprint == fingerprint(key_document_digest(document))
    assert made.governor == GOVERNOR
    with open_site(made.settings_file) as site:
        assert site.deployment == DEPLOYMENT


def test_a_site_that_joined_has_a_store_and_is_told_when_it_is_lost(tmp_path: Path) -> None:
    made = joined(tmp_path)
    (tmp_path / "passphrase").touch(mode=0o600)
    (tmp_path / "passphrase").write_bytes(b"open sesame")
    with open_site(made.settings_file) as site, site.store.read() as transaction:
        assert transaction.find_patient("P001") is None
    (tmp_path / "node" / "store.sqlite").unlink()
    joined(tmp_path)
    with open_site(made.settings_file) as site, pytest.raises(ConfigError, match="missing"):
        _ = site.store


def test_joining_again_keeps_keys_and_settings(tmp_path: Path) -> None:
    first = joined(tmp_path)
    text = first.settings_file.read_text() + "# changed by hand\n"
    first.settings_file.write_text(text)
    second = joined(tmp_path)
    assert second.fingerprint == first.fingerprint
    assert first.settings_file.read_text() == text


def test_joining_again_changes_no_key_document_that_was_handed_over(tmp_path: Path) -> None:
    joined(tmp_path)
    before = files_below(tmp_path / "node")
    with pytest.raises(ConfigError, match="does not list sister"):
        join(invitation_file(tmp_path), DataFolder(tmp_path / "node"), b"open sesame", None, ("sister.akter",), NOW)
    assert files_below(tmp_path / "node") == before


def test_the_governor_of_the_invitation_may_be_another_than_the_deployments(tmp_path: Path) -> None:
    made = joined(tmp_path, deployment=replace(DEPLOYMENT, governor=AccountAddress(b"\x01" * 20)))
    assert made.governor == GOVERNOR


def test_a_join_that_died_after_the_keystore_is_finished_with_the_same_keys(tmp_path: Path) -> None:
    folder = DataFolder(tmp_path / "node")
    joining.create_keys(folder, b"open sesame", ("nurse",))
    account = KeyRing.open(folder / "keystore.json", b"open sesame").get(ACCOUNT_KEY)
    joined(tmp_path)
    assert KeyRing.open(folder / "keystore.json", b"open sesame").get(ACCOUNT_KEY) == account


@pytest.mark.parametrize("changes", [{"site": "other-site"}, {"deployment": replace(DEPLOYMENT, chain_id=1)}])
def test_a_folder_of_another_site_or_network_stays_as_it_is(tmp_path: Path, changes: dict[str, Any]) -> None:
    joined(tmp_path)
    before = files_below(tmp_path / "node")
    with pytest.raises(ConfigError, match="another"):
        joined(tmp_path, **changes)
    assert files_below(tmp_path / "node") == before


def test_another_passphrase_than_the_keystores_is_refused(tmp_path: Path) -> None:
    joined(tmp_path)
    with pytest.raises(WrongPassphraseError):
        joined(tmp_path, passphrase=b"other")


@pytest.mark.parametrize(
    "changes",
    [
        {"rpc_url": 'http://x/"passphrase_file="/etc/passwd"#'},
        {"peers": ('a"]\n[reading]\nlexicon = "/etc/shadow"\n#',)},
    ],
)
def test_words_of_an_invitation_cannot_write_settings_of_their_own(tmp_path: Path, changes: dict[str, Any]) -> None:
    values = tomllib.loads(joined(tmp_path, **changes).settings_file.read_text())
    assert values["passphrase_file"] == str(tmp_path / "passphrase")
    assert "reading" not in values


@pytest.mark.parametrize("changes", [{"lineages": ()}, {"site": "Dhaka General"}, {"rpc_url": "http://x\x7f"}])
def test_an_invitation_that_makes_no_settings_makes_nothing(tmp_path: Path, changes: dict[str, Any]) -> None:
    with pytest.raises(MalformedError, match="no settings"):
        joined(tmp_path, **changes)
    assert list((tmp_path / "node").iterdir()) == []


def test_an_expired_invitation_is_refused(tmp_path: Path) -> None:
    with pytest.raises(MalformedError, match="expired"):
        joined(tmp_path, expires_at=NOW)


def test_somebody_must_witness_under_a_name_that_a_key_can_have(tmp_path: Path) -> None:
    folder = DataFolder(tmp_path / "node")
    for witnesses in ((), ("Dr Example",)):
        with pytest.raises((ConfigError, KeyRingError)):
            join(invitation_file(tmp_path), folder, b"p", None, witnesses, NOW)
    assert list((tmp_path / "node").iterdir()) == []


def test_a_missing_invitation_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        join(tmp_path / "none", DataFolder(tmp_path / "node"), b"p", None, ("nurse",), NOW)
