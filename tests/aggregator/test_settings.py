"""aggregator/settings.py and docs/settings.md."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from aggregator.settings import AggregatorSettings
from aggregator.settings_template import InitialChoices, render
from gateways.settings import load_settings
from protocol.errors import ConfigError

CHOICES = InitialChoices(
    aggregator="north",
    deployment="deployment.json",
    rpc_url="http://127.0.0.1:8545",
    ipfs_url=None,
    swarm_key_file="swarm.key",
    passphrase_file='pass "word"',
    lineages=(("english", "last-conv"), ("bangla", "head")),
)


def load(folder: Path, text: str) -> AggregatorSettings:
    (folder / "aggregator.toml").write_text(text)
    return load_settings(folder / "aggregator.toml", AggregatorSettings)


def test_the_template_loads_and_its_paths_are_beside_the_file(tmp_path: Path) -> None:
    settings = load(tmp_path, render(CHOICES))
    assert settings.data_folder == tmp_path / "data"
    assert settings.deployment == tmp_path / "deployment.json"
    assert settings.ipfs.swarm_key_file == tmp_path / "swarm.key"
    assert settings.passphrase_file == tmp_path / 'pass "word"'
    assert [(lineage.slug, lineage.scope) for lineage in settings.lineages] == [
        ("english", "last-conv"),
        ("bangla", "head"),
    ]


def test_every_commented_key_of_the_template_is_a_setting(tmp_path: Path) -> None:
    text = re.sub(r"^# (?=[a-z_]+ = )", "", render(CHOICES), flags=re.MULTILINE).replace('url = ""', 'url = "http://x"')
    assert load(tmp_path, text).chain.compare_rpc_url == "http://x"


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ("min_accepted = 2", "greater than or equal to 3"),
        ("min_accepted = 4", "min_accepted is above min_sites"),
        ("attest_margin_seconds = 3600", "attest_margin_seconds leaves no time"),
        ("round_seconds = 7772401", "together exceed 7776000"),
        ("attest_seconds = 7689601", "together exceed 7776000"),
        ('near_duplicate_cosine = "1.5"', "near_duplicate_cosine is not within 0..1"),
        ('max_norm = "0.0"', "must be above 0"),
        ('max_norm = "1e5"', "match pattern"),
        ("max_norm = 5", "valid string"),
        ("max_abs = 2147483648", "less than 2147483648"),
        ("min_acepted = 3", "is not a setting"),
        ('scope = "Two Words"', "match pattern"),
    ],
)
def test_a_wrong_value_is_refused_in_one_line(tmp_path: Path, wrong: str, says: str) -> None:
    key = wrong.partition(" ")[0]
    text = re.sub(rf"^{key} = .*\n", "", render(CHOICES), flags=re.MULTILINE)
    text = text.replace("[[lineages]]\n", f"[[lineages]]\n{wrong}\n", 1)
    with pytest.raises(ConfigError, match=re.escape(says)):
        load(tmp_path, text)


def test_two_lineages_of_one_slug_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="occurs twice"):
        load(tmp_path, render(CHOICES).replace('"bangla"', '"english"'))


def test_ipfs_needs_a_url_or_a_swarm_key(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="ipfs needs url"):
        load(tmp_path, render(CHOICES).replace("swarm_key_file = ", "# "))


def test_settings_are_printed_masked(tmp_path: Path) -> None:
    text = render(CHOICES).replace("http://127.0.0.1:8545", "https://me:secret@chain.example/secret?key=secret")
    masked = load(tmp_path, text).masked()
    assert "secret" not in str(masked)
    assert masked["chain"]["rpc_url"] == "https://chain.example"


def test_docs_settings_names_every_key_with_its_default() -> None:
    page = (Path(__file__).parents[2] / "docs" / "settings.md").read_text(encoding="utf-8")
    section = page.partition("## Aggregator")[2].partition("\n## ")[0]
    lines = [line.split("|") for line in section.splitlines()]
    rows = {cells[1].strip(" `"): cells[2].strip() for cells in lines if len(cells) > 3}
    for key, default in keys_of(AggregatorSettings).items():
        assert rows.get(key) == default, key


def keys_of(kind: type[BaseModel]) -> dict[str, str]:
    """Leaf settings and their defaults as the page writes them."""
    found: dict[str, str] = {}
    for name, field in kind.model_fields.items():
        inner: Any = field.annotation
        inner = next(iter(getattr(inner, "__args__", ())), inner)
        if isinstance(inner, type) and issubclass(inner, BaseModel):
            found |= keys_of(inner)
        elif field.is_required():
            found[name] = "–"
        else:
            written = {None: "unset", True: "true", False: "false", (): "[]"}
            value = field.default
            is_number = isinstance(value, int | float) and not isinstance(value, bool)
            found[name] = str(value) if is_number else written.get(value, str(value))
    return found
