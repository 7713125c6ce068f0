"""`fedrx node checkpoints`: list, export, and going on after a rewrite."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from node.checkpoints.rewrites import noted_rewrite
from node.commands import app
from node.site import Site
from protocol.cosigning import parse_cosigned_list
from protocol.deployment import encode_deployment
from protocol.errors import ConfigError, WrongChainError
from tests.node.checkpoints.signing_site import Daemon, end_round, folder_of, kept
from tests.node.site_world import LINEAGE, SiteWorld
from tests.node.test_joining import DEPLOYMENT


@pytest.fixture
def commands(world: SiteWorld, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SiteWorld:
    """The command finds the world's chain behind its settings."""
    (tmp_path / "node.toml").write_text(
        'site = "dhaka-general"\ndata_folder = "node"\ndeployment = "node/deployment.json"\n'
        f'lineages = ["{LINEAGE}"]\n[chain]\nrpc_url = "http://127.0.0.1:1"\n'
    )
    (tmp_path / "node" / "deployment.json").write_bytes(encode_deployment(DEPLOYMENT))
    monkeypatch.setattr(Site, "chain_reader", property(lambda _self: world.world.fresh_ledger()))
    monkeypatch.setattr(Site, "identity", property(lambda _self: world.ledger.identity))
    return world


def run(world: SiteWorld, *arguments: str, answer: str = "") -> str:
    config = str(world.folder.parent / "node.toml")
    result = CliRunner().invoke(app, ["checkpoints", *arguments, "-c", config], input=answer, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


def rewritten(world: SiteWorld) -> None:
    """One round is signed, and gone from the chain."""
    daemon = Daemon(world)
    daemon.step()
    end_round(world)
    daemon.step()
    world.world.chain.reorganize(1)
    world.world.advance(9)
    with pytest.raises(WrongChainError):
        daemon.step()


def test_checkpoints_are_listed_and_exported_without_a_passphrase(commands: SiteWorld) -> None:
    file = commands.folder.parent / "dhaka.notes"
    with pytest.raises(ConfigError, match="signed no checkpoint yet"):
        run(commands, "--export", str(file))
    daemon = Daemon(commands)
    daemon.step()
    end_round(commands)
    daemon.step()
    assert f"{LINEAGE}.1" in run(commands)
    listed = json.loads(run(commands, "--json"))
    assert listed["rewrite"] is None
    assert [one["name"] for one in listed["checkpoints"]] == ["first", f"{LINEAGE}.1"]
    run(commands, "--export", str(file))
    assert [note.checkpoint for note in parse_cosigned_list(file.read_bytes())] == list(kept(commands).values())
    assert file.read_text() == "".join(one["note"] for one in listed["checkpoints"])


def test_a_rewrite_shows_in_list_and_status(commands: SiteWorld) -> None:
    rewritten(commands)
    said = noted_rewrite(commands.journal)
    assert said is not None
    assert said in run(commands)
    assert json.loads(run(commands, "--json"))["rewrite"] == said
    config = str(commands.folder.parent / "node.toml")
    status = CliRunner().invoke(app, ["status", "-c", config], catch_exceptions=False)
    assert "stopped     history was rewritten" in status.stdout


def test_an_operator_decides_to_go_on_and_the_evidence_stays(commands: SiteWorld) -> None:
    rewritten(commands)
    signed = (folder_of(commands) / f"{LINEAGE}.1.note").read_bytes()
    config = str(commands.folder.parent / "node.toml")
    refused = CliRunner().invoke(app, ["checkpoints", "--resume", "-c", config], input="n\n")
    assert refused.exit_code == 1
    assert list(kept(commands)) == ["first", f"{LINEAGE}.1"]
    assert f"block {kept(commands)[f'{LINEAGE}.1'].number}" in run(commands, "--resume", answer="y\n")
    (aside,) = (folder_of(commands) / "put-aside").iterdir()
    assert aside.read_bytes() == signed
    Daemon(commands).step()
    assert list(kept(commands)) == ["first"]


def test_there_is_nothing_to_decide_while_the_chain_stands(commands: SiteWorld) -> None:
    Daemon(commands).step()
    run(commands, "--resume")
    assert list(kept(commands)) == ["first"]


def test_a_chain_that_came_back_is_resumed_with_everything_kept(commands: SiteWorld) -> None:
    daemon = Daemon(commands)
    commands.world.advance(1)
    daemon.step()
    held = list(commands.world.chain._blocks)
    commands.world.chain.reorganize(1)
    commands.world.advance(9)
    with pytest.raises(WrongChainError):
        daemon.step()
    commands.world.chain._blocks[:] = held
    run(commands, "--resume", "--yes")
    assert noted_rewrite(commands.journal) is None
    Daemon(commands).step()
    assert list(kept(commands)) == ["first"]
