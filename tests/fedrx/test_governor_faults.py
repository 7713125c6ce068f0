"""What a governor types wrong is one line with a hint, and changes nothing."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import Result

from fedrx.governor import GovernorSettings
from gateways.settings import load_settings
from protocol.errors import ConfigError
from tests.fedrx.governance import Governance, call, governor_app


def init(folder: Path, **changed: str) -> Result:
    passphrase = folder / "passphrase"
    passphrase.touch(mode=0o600)
    passphrase.write_bytes(b"correct horse battery staple")
    options = {"data": str(folder / "gov"), "rpc": "http://127.0.0.1:1", "lineage": "letters"}
    options |= {"passphrase-file": str(passphrase)} | changed
    words = [word for key, value in options.items() for word in (f"--{key}", value)]
    return call(governor_app(), "governor", "init", *words)


@pytest.mark.parametrize(
    ("option", "value"),
    [("lineage", 'a"b'), ("lineage", "Letters"), ("lineage", ""), ("rpc", "127.0.0.1"), ("rpc", 'http://a"b\nc'),
     ("ipfs", "nowhere"), ("ipfs", "http://user:secret@127.0.0.1:5001"), ("passphrase-file", "a\nb")],
)  # fmt: skip
def test_settings_that_no_command_could_read_are_not_written(tmp_path: Path, option: str, value: str) -> None:
    with pytest.raises(ConfigError) as refused:
        init(tmp_path, **{option: value})
    assert refused.value.hint
    assert "secret" not in str(refused.value)
    assert not (tmp_path / "gov").exists()


def test_init_writes_settings_that_load_and_keeps_those_that_were_edited(tmp_path: Path) -> None:
    init(tmp_path, ipfs="http://127.0.0.1:5001")
    config = tmp_path / "gov" / "governor.toml"
    settings = load_settings(config, GovernorSettings)
    assert (settings.lineages, settings.ipfs_url) == (("letters",), "http://127.0.0.1:5001")
    assert settings.passphrase_file == tmp_path / "passphrase"
    init(tmp_path, ipfs="http://127.0.0.1:5001")
    with pytest.raises(ConfigError, match="exists with other settings"):
        init(tmp_path, lineage="figures")
    assert load_settings(config, GovernorSettings) == settings


@pytest.mark.parametrize("ether", ["inf", "nan", "-1", "1e30"])
def test_a_sum_that_nobody_could_mean_is_refused(tmp_path: Path, ether: str) -> None:
    with pytest.raises(ConfigError, match="no sum") as refused:
        call(governor_app(), "governor", "transfer", "0x" + "12" * 20, "--fund", ether)
    assert "0 to 1000000 ether" in refused.value.hint


@pytest.mark.parametrize(
    "words",
    [
        ("transfer", "zz"),
        ("seal", "--successor-chain", "7", "--successor", "zz"),
        ("auditor-key", "auditor.pub", "--account", "zz", "--fingerprint", "1"),
        ("admit-aggregator", "university", "--account", "zz", "--key-digest", "34" * 32),
        ("admit-aggregator", "university", "--account", "12" * 20, "--key-digest", "zz"),
    ],
)
def test_what_is_no_hexadecimal_is_named_with_what_would_be(words: tuple[str, ...]) -> None:
    with pytest.raises(ConfigError, match=r"'zz' is no (account|digest)") as refused:
        call(governor_app(), "governor", *words)
    assert "hexadecimal digits" in refused.value.hint


@pytest.mark.parametrize("words", [("suspend",), ("reinstate",), ("set-aggregators",)])
def test_what_is_no_slug_goes_into_no_id(words: tuple[str, ...]) -> None:
    with pytest.raises(ConfigError, match="no slug"):
        call(governor_app(), "governor", *words, "North Clinic")


@pytest.mark.parametrize(
    "words",
    [
        ("governor", "set-aggregators", "university", "--threshold", "-1"),
        ("governor", "set-aggregators", "university", "--threshold", "0"),
        ("genesis", "--renderings", "0"),
        ("genesis", "--epochs", "0"),
        ("genesis", "--seed", "-1"),
    ],
)
def test_numbers_out_of_range_are_told_with_the_range(words: tuple[str, ...]) -> None:
    required = ("--lexicon", "a.csv", "--fonts", "fonts", "--lineage", "letters") if words[0] == "genesis" else ()
    done = call(governor_app(), *words, *required)
    assert done.exit_code == 2
    assert "greater than or equal to" in " ".join(done.stderr.replace("│", " ").split())


def test_more_votes_than_aggregators_are_refused_before_anything_is_sent() -> None:
    with pytest.raises(ConfigError, match="2 votes are more than 1 aggregators have"):
        call(governor_app(), "governor", "set-aggregators", "university", "--threshold", "2")


@pytest.mark.chain
def test_a_damaged_swarm_key_is_invited_with_by_nobody(governance: Governance, tmp_path: Path) -> None:
    for content in (b"/key/swarm/psk/1.0.0/\n\xff", b"/key/swarm/psk/1.0.0/\n/base16/\nzz\n"):
        (governance.folder / "swarm.key").write_bytes(content)
        with pytest.raises(ConfigError, match="swarm key"):
            governance.run("invite", "north-clinic", "-o", tmp_path / "invitation")
        assert not (tmp_path / "invitation").exists()
