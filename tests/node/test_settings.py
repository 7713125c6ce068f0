"""node/settings.py: one TOML file, unknown keys refused, no key or password shown."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateways.settings import load_settings
from node.settings import IntakeSettings, NodeSettings, StageSettings, shown
from prescriptions.load import LoadLimits
from prescriptions.preprocess import PreprocessSettings
from protocol.errors import ConfigError

LEAST = """
site = "dhaka-general"
data_folder = "."
deployment = "deployment.json"
lineages = ["english-g2"]
[chain]
rpc_url = "http://127.0.0.1:8545"
"""


def load(folder: Path, text: str) -> NodeSettings:
    path = folder / "node.toml"
    path.write_text(text)
    return load_settings(path, NodeSettings)


def test_the_shortest_settings_are_enough_and_paths_start_at_the_file(tmp_path: Path) -> None:
    settings = load(tmp_path, LEAST)
    assert settings.deployment == tmp_path / "deployment.json"
    assert settings.training.min_examples == 8


@pytest.mark.parametrize(
    ("line", "where"),
    [
        ('unknown = "x"', "unknown"),
        ("poll_seconds = 0", "poll_seconds"),
        ('participation = "perhaps"', "participation"),
        ("keep_rounds = 0", "keep_rounds"),
        ('site = "Dhaka General"', "site"),
        ('lineages = ["a", "a"]', "lineages"),
        ("lineages = []", "lineages"),
        ('lineages = ["A B"]', "lineages"),
        ("resend_after_seconds = -1", "resend_after_seconds"),
    ],
)
def test_a_wrong_value_is_one_line_that_names_the_key(tmp_path: Path, line: str, where: str) -> None:
    name = line.partition(" = ")[0]
    kept = "\n".join(row for row in LEAST.splitlines() if not row.startswith(f"{name} ="))
    with pytest.raises(ConfigError, match=where):
        load(tmp_path, f"{line}\n{kept}")


@pytest.mark.parametrize(
    "line", ["[training]\nthreads = 0", "[training]\nheld_out_percent = 91", "[reading]\nengine = 'x'"]
)
def test_a_wrong_value_of_a_table_is_refused(tmp_path: Path, line: str) -> None:
    with pytest.raises(ConfigError):
        load(tmp_path, LEAST + line)


def test_what_is_shown_holds_no_key_of_an_endpoint(tmp_path: Path) -> None:
    text = LEAST.replace("http://127.0.0.1:8545", "https://me:secret@rpc.example:8545/v3/TOKEN?key=TOKEN")
    text += 'compare_rpc_url = "https://other.example/TOKEN"\n[ipfs]\nurl = "/ip4/127.0.0.1/tcp/5001/http"\n'
    said = str(shown(load(tmp_path, text)))
    assert "TOKEN" not in said
    assert "secret" not in said
    assert "https://rpc.example:8545" in said
    assert "/ip4/127.0.0.1/tcp/5001/http" in said


def test_every_key_is_in_the_documentation() -> None:
    text = (Path(__file__).parents[2] / "docs" / "settings.md").read_text()
    section = text[text.index("## Node") :]
    tables = ("chain", "ipfs", "reading", "intake", "training", "consent")
    for name, field in NodeSettings.model_fields.items():
        assert (f"`[{name}]`" if name in tables else f"| `{name}` |") in section
        if name in tables:
            assert field.annotation is not None
            part = section[section.index(f"`[{name}]`") :]
            for inner in field.annotation.model_fields:
                assert f"| `{inner}` |" in part or f"`[{name}.{inner}]`" in part
    stages = section[section.index("`[reading.stages]`") :]
    assert all(f"| `{stage}` |" in stages for stage in StageSettings.model_fields)


def test_the_defaults_of_intake_and_stages_are_those_of_the_code() -> None:
    limits, intake = LoadLimits(), IntakeSettings()
    shared = [name for name in IntakeSettings.model_fields if hasattr(limits, name)]
    assert len(shared) == 6
    assert [getattr(intake, name) for name in shared] == [getattr(limits, name) for name in shared]
    assert PreprocessSettings() == PreprocessSettings(**StageSettings().model_dump(exclude={"orientation"}))
