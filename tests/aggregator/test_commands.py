"""aggregator/commands.py: init; what is refused, and how it is said."""

from __future__ import annotations

import json
import stat
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from aggregator.commands import app
from aggregator.identity import AggregatorIdentity
from gateways.data_folder import DataFolder
from gateways.key_ring import KeyRing
from protocol.errors import ConfigError, FederationError, StoreLockedError, WrongPassphraseError
from protocol.identifiers import AccountAddress, aggregator_id_of


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    passphrase = tmp_path / "passphrase"
    passphrase.write_text("four words of test\n")
    passphrase.chmod(0o600)
    return tmp_path


def invoke(*arguments: str) -> Any:
    result = CliRunner().invoke(app, list(arguments))
    if isinstance(result.exception, FederationError):
        raise result.exception
    return result


def init(folder: Path, *more: str, slug: str = "north") -> Any:
    arguments = ["init", "--config", str(folder / "aggregator.toml"), "--aggregator", slug]
    arguments += ["--deployment", "deployment.json", "--lineage", "english:last-conv", "--swarm-key", "swarm.key"]
    return invoke(*arguments, "--passphrase-file", str(folder / "passphrase"), *more)


def test_init_prints_what_the_governor_needs_and_running_it_again_changes_nothing(folder: Path) -> None:
    first = json.loads(init(folder, "--json").stdout)
    assert json.loads(init(folder, "--json").stdout) == first
    identity = AggregatorIdentity("north", AccountAddress.from_hex(first["account"]))
    assert first["aggregator_id"] == str(aggregator_id_of("north"))
    assert first["key_digest"] == str(identity.key_digest)
    assert identity.key_digest != AggregatorIdentity("south", identity.account).key_digest
    keystore = folder / "data" / "keystore.json"
    assert stat.S_IMODE(keystore.stat().st_mode) == 0o600
    assert stat.S_IMODE(keystore.parent.stat().st_mode) == 0o700
    assert first["account"] in init(folder).stdout


def test_init_keeps_settings_that_were_edited(folder: Path) -> None:
    init(folder)
    with pytest.raises(ConfigError, match="exists with other settings"):
        init(folder, slug="south")


def test_a_lineage_is_written_with_its_scope(folder: Path) -> None:
    with pytest.raises(ConfigError, match="SLUG:SCOPE"):
        init(folder, "--lineage", "english")


def test_run_says_what_is_missing(folder: Path) -> None:
    config = str(folder / "aggregator.toml")
    with pytest.raises(ConfigError, match="there is no settings file"):
        invoke("run", "--config", config)
    init(folder)
    with pytest.raises(ConfigError, match="there is no deployment file"):
        invoke("run", "--config", config)
    (folder / "passphrase").write_text("other words\n")
    with pytest.raises(WrongPassphraseError):
        invoke("run", "--config", config)
    (folder / "passphrase").chmod(0o644)
    with pytest.raises(ConfigError, match="others may read"):
        invoke("run", "--config", config)


def test_the_passphrase_is_changed_while_no_daemon_runs(folder: Path) -> None:
    init(folder)
    new = folder / "new"
    new.touch(mode=0o600)
    new.write_text("other words of test\n")
    words = ("passphrase", "--config", str(folder / "aggregator.toml"), "--new-passphrase-file", str(new))
    with DataFolder(folder / "data").locked(), pytest.raises(StoreLockedError):
        invoke(*words)
    assert str(folder / "passphrase") in invoke(*words).stderr.replace("\n", "")
    with pytest.raises(WrongPassphraseError):
        invoke(*words)
    assert KeyRing.open(folder / "data" / "keystore.json", b"other words of test").names() == ("account",)
