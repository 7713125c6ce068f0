"""node/commands.py: results on stdout, one line for every failure."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from typer.testing import CliRunner

from gateways.data_folder import write_atomically
from node.commands import app
from node.site import Site
from protocol.deployment import encode_deployment
from protocol.errors import ConfigError, StoreLockedError
from protocol.joining import KeyDocument, encode_key_document
from tests.learning.drawn_words import draw_word
from tests.node.site_world import LINEAGE, SITE_ID, SiteWorld
from tests.node.test_joining import DEPLOYMENT, cheap_keystore, invitation_file

__all__ = ["cheap_keystore"]


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SiteWorld:
    """A site whose commands find the fake chain behind their settings."""
    world = SiteWorld(tmp_path / "node", settings={"participation": "ask"})
    text = (
        'site = "dhaka-general"\ndata_folder = "node"\ndeployment = "node/deployment.json"\n'
        f'lineages = ["{LINEAGE}"]\n[chain]\nrpc_url = "http://127.0.0.1:1"\n'
    )
    (tmp_path / "node.toml").write_text(text)
    (tmp_path / "node" / "deployment.json").write_bytes(encode_deployment(DEPLOYMENT))
    monkeypatch.setattr(Site, "chain_reader", property(lambda _self: world.world.ledger(world.world.fresh_account())))
    monkeypatch.setattr(Site, "ledger", property(lambda _self: world.ledger))
    monkeypatch.setattr(Site, "backbones", property(lambda _self: world.backbones))
    world.start()
    world.settle()
    return world


def run(world: SiteWorld, *arguments: str) -> str:
    result = CliRunner().invoke(
        app, [*arguments, "--config", str(world.folder.parent / "node.toml")], catch_exceptions=False
    )
    assert result.exit_code == 0, result.output
    return result.stdout


def as_json(world: SiteWorld, *arguments: str) -> Any:
    return json.loads(run(world, *arguments, "--json"))


def test_status_says_how_the_site_stands(world: SiteWorld) -> None:
    world.open_round()
    world.settle()
    said = run(world, "status")
    assert "member, account" in said
    assert "waits for a yes" in said.replace("\n", " ") or "waits" in said
    assert as_json(world, "status")["rounds"][0]["sentence"].startswith("sat out: waits for a yes")


def test_status_tells_of_an_account_that_was_rotated(world: SiteWorld) -> None:
    document = KeyDocument("dhaka-general", world.governor.account, (), SITE_ID)  # type: ignore[arg-type]
    write_atomically(world.folder / "site-keys.json", encode_key_document(document))
    assert "keystore holds" in as_json(world, "status")["membership"]


def test_participate_says_yes_to_the_open_round(world: SiteWorld) -> None:
    with pytest.raises(ConfigError, match="no round is open"):
        run(world, "participate")
    world.open_round()
    world.settle()
    assert world.view(1).registrations == []
    assert "round 1" in run(world, "participate")
    world.settle()
    assert len(world.view(1).registrations) == 1


def test_sent_lists_what_left_the_site(world: SiteWorld) -> None:
    world.open_round()
    run(world, "participate")
    world.settle()
    items = as_json(world, "sent")
    assert [item["what"] for item in items] == ["consent root", "update registration", "sealed update"]
    assert items[2]["bytes"] == len(world.envelope(1))
    assert "sealed update" in run(world, "sent")


def test_pause_and_its_end_are_seen_by_the_daemon(world: SiteWorld) -> None:
    run(world, "pause")
    assert as_json(world, "status")["paused"] is True
    world.open_round()
    run(world, "participate")
    world.settle()
    assert world.view(1).registrations == []
    run(world, "pause", "--off")
    world.settle()
    assert len(world.view(1).registrations) == 1


def test_a_folder_that_another_daemon_owns_is_told_before_any_setting(world: SiteWorld) -> None:
    with Site(world.node_settings()).folder.locked():
        refused = CliRunner().invoke(app, ["run", "--config", str(world.folder.parent / "node.toml")])
    assert isinstance(refused.exception, StoreLockedError)
    assert refused.output == ""


def test_leaving_needs_a_yes_and_no_daemon(world: SiteWorld) -> None:
    refused = CliRunner().invoke(
        app, ["leave", "--config", str(world.folder.parent / "node.toml")], input="n\n", catch_exceptions=False
    )
    assert refused.exit_code == 1
    assert not world.history.sites[SITE_ID].left
    with Site(world.node_settings()).folder.locked(), pytest.raises(StoreLockedError):
        run(world, "leave", "--yes")
    assert "left the network" in run(world, "leave", "--yes")
    assert world.history.sites[SITE_ID].left
    assert as_json(world, "sent")[-1]["what"] == "leaving"


def test_models_are_listed_and_chosen(world: SiteWorld) -> None:
    world.open_round()
    world.others_register()
    run(world, "participate")
    world.settle()
    world.finish()
    world.settle()
    listed = as_json(world, "model", "list")
    assert [(model["round"], model["in_use"]) for model in listed] == [(0, False), (1, True)]
    assert "round 0" in run(world, "model", "use", "0")
    assert [model["in_use"] for model in as_json(world, "model", "list")] == [True, False]
    assert LINEAGE in run(world, "model", "list")


def test_read_shows_the_table_and_the_json(world: SiteWorld) -> None:
    path = world.folder.parent / "word.png"
    Image.fromarray(draw_word("Napa")).save(path)
    (found,) = as_json(world, "read", str(path), "--word")
    assert found["line"] == 0
    assert set(found) >= {"medicine", "confidence", "alternatives", "text", "strength", "form", "frequency", "flags"}
    assert "letters" in run(world, "read", str(path), "--word")
    picture = path.with_name("explained.png")
    assert as_json(world, "read", str(path), "--word", "--explain", str(picture)) == [found]
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert picture.stat().st_mode & 0o777 == 0o600


def test_read_names_a_file_that_is_not_there(world: SiteWorld) -> None:
    absent = world.folder.parent / "none.png"
    with pytest.raises(ConfigError) as caught:
        run(world, "read", str(absent))
    assert caught.value.what == f"{absent} cannot be read (No such file or directory)"


def test_init_and_join_make_a_site_and_say_what_to_do(tmp_path: Path) -> None:
    passphrase = tmp_path / "passphrase"
    passphrase.write_text("open sesame\n")
    passphrase.chmod(0o600)
    options = ["--data", str(tmp_path / "node"), "--witness", "nurse", "--passphrase-file", str(passphrase)]
    result = CliRunner().invoke(app, ["init", *options], catch_exceptions=False)
    assert "5 keys" in result.stdout
    path = invitation_file(tmp_path, expires_at=2**40)
    result = CliRunner().invoke(app, ["join", str(path), *options], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    for word in ("settings", "key document", "governor", "fingerprint"):
        assert word in result.stdout


def test_the_data_commands_are_mounted() -> None:
    result = CliRunner().invoke(app, ["--help"])
    for word in ("import", "review", "consent", "quarantine", "model", "read", "sent", "status", "run"):
        assert word in result.stdout
