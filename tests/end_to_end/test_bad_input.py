"""What is wrong with the input is said in one line, with an exit code by class; nothing is lost (docs/errors.md)."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from gateways.data_folder import DataFolder
from protocol.canonical_json import encode, parse_object
from protocol.joining import Invitation, encode_invitation
from tests.end_to_end.bad_input import (
    DEPLOYMENT,
    GOVERNOR,
    GOVERNOR_KEY,
    NOWHERE,
    ROOT,
    Refusal,
    SiteFolder,
    check_all_refused,
    check_refused,
    draw_page,
    encrypted_pdf,
    fedrx,
    png_that_claims,
    write_passphrase,
)

INVITATION = Invitation(
    site="dhaka-general",
    deployment=DEPLOYMENT,
    governor=GOVERNOR,
    rpc_url=NOWHERE,
    lineages=("english-g2",),
    swarm_key="",
    peers=(),
    expires_at=2**40,
)


@pytest.fixture
def site(tmp_path: Path) -> SiteFolder:
    return SiteFolder.make(tmp_path / "site")


def test_a_typing_error_is_one_line_with_the_help_to_read(site: SiteFolder) -> None:
    check_all_refused(
        [
            Refusal(["nod"], 2, "No such command 'nod'"),
            Refusal(["node", "status", "--nope"], 2, "node status --help"),
        ]
    )
    check_refused(site.run("consent", "erase", "P001"), 2, "nobody answered")


def test_settings_that_are_wrong_name_the_file_and_the_key(site: SiteFolder) -> None:
    def changed(name: str, old: str, new: str) -> list[str | Path]:
        return site.copy(name).change(old, new).node("sent")

    latin = site.copy("latin")
    latin.config.write_bytes(latin.config.read_bytes() + b"# Caf\xe9\n")
    check_all_refused(
        [
            Refusal(changed("unknown", "[chain]", "[chain]\ncolour = 1"), 2, "chain.colour is not a setting"),
            Refusal(changed("kind", '["english-g2"]', "5"), 2, "lineages input should be"),
            Refusal(changed("bounds", "[chain]", "keep_rounds = 0\n[chain]"), 2, "keep_rounds input should be"),
            Refusal(changed("infinite", "[chain]", "poll_seconds = inf\n[chain]"), 2, "poll_seconds input should be"),
            Refusal(changed("syntax", "[chain]", "[chain"), 2, "is no TOML"),
            Refusal(changed("path", 'data_folder = "."', 'data_folder = "a\\u0000"'), 2, "data_folder is no path"),
            Refusal(["node", "sent", "-c", site.folder / "a\nb.toml"], 2, "a b.toml"),
            Refusal(["node", "sent", "-c", site.folder], 2, "Is a directory"),
            Refusal(latin.node("sent"), 2, "is not UTF-8"),
        ]
    )


def test_settings_from_an_editor_that_writes_a_byte_order_mark_are_read(site: SiteFolder) -> None:
    site.config.write_bytes(b"\xef\xbb\xbf" + site.config.read_bytes())
    assert site.run("sent").returncode == 0


def test_a_secret_that_cannot_be_opened_leaves_the_keystore_as_it_was(site: SiteFolder, tmp_path: Path) -> None:
    def with_passphrase(name: str, value: str) -> list[str | Path]:
        return site.copy(name).change('"passphrase"', f'"{value}"').node("review", "list")

    wrong = write_passphrase(tmp_path / "wrong", b"open barley")
    public = write_passphrase(tmp_path / "public", b"open sesame", mode=0o644)
    truncated, gone = site.copy("truncated"), site.copy("gone")
    truncated.keystore.write_bytes(truncated.keystore.read_bytes()[:200])
    gone.keystore.unlink()
    unnamed = site.copy("unnamed").change('passphrase_file = "passphrase"\n', "")
    before = site.keystore.read_bytes()
    check_all_refused(
        [
            Refusal(with_passphrase("wrong-one", str(wrong)), 3, "does not open the keystore"),
            Refusal(with_passphrase("open-one", str(public)), 2, "chmod 600"),
            Refusal(unnamed.node("review", "list"), 2, "there is no passphrase"),
            Refusal(truncated.node("review", "list"), 3, "keystore file is damaged"),
            Refusal(gone.node("review", "list"), 2, "there is no keystore"),
        ]
    )
    assert (tmp_path / "wrong-one" / "keystore.json").read_bytes() == before
    assert not gone.keystore.exists()
    assert site.run("review", "list").returncode == 0


def test_a_url_where_nothing_listens_is_told_from_one_that_is_none(site: SiteFolder) -> None:
    def at(name: str, url: str) -> list[str | Path]:
        return site.copy(name).change(NOWHERE, url).node("status")

    audit = ["audit", "trail", "--deployment", site.deployment]
    check_all_refused(
        [
            Refusal(site.node("status"), 4, "no answer from the RPC endpoint"),
            Refusal(at("scheme", "ftp://127.0.0.1"), 2, "the RPC URL is none"),
            Refusal(at("port", "http://127.0.0.1:http"), 2, "the RPC URL is none"),
            Refusal(at("bracket", "http://[::1"), 2, "the RPC URL is none"),
            Refusal([*audit, "--rpc", NOWHERE], 4, "no answer from the RPC endpoint"),
            Refusal([*audit, "--rpc", "127.0.0.1:8545"], 2, "the RPC URL is none"),
            Refusal(["audit", "trail", "--deployment", site.keystore, "--rpc", NOWHERE], 2, "keystore.json"),
        ]
    )


def test_a_bad_invitation_makes_no_keys(tmp_path: Path) -> None:
    good = encode_invitation(INVITATION, GOVERNOR_KEY)
    body = parse_object(good, frozenset({"body", "signature"}))["body"]
    assert isinstance(body, dict)
    passphrase = write_passphrase(tmp_path / "passphrase", b"open sesame")

    def join(name: str, invitation: bytes) -> list[str | Path]:
        (tmp_path / name).write_bytes(invitation)
        folder = tmp_path / f"{name}-site"
        return [
            "node",
            "join",
            tmp_path / name,
            "--data",
            folder,
            "--witness",
            "nurse",
            "--passphrase-file",
            passphrase,
        ]

    other_version = encode({"body": {**body, "version": 99}, "signature": ""})
    expired = encode_invitation(replace(INVITATION, expires_at=1), GOVERNOR_KEY)
    no_settings = encode_invitation(replace(INVITATION, site="../dhaka"), GOVERNOR_KEY)
    no_swarm_key = encode_invitation(replace(INVITATION, swarm_key="ключ"), GOVERNOR_KEY)
    check_all_refused(
        [
            Refusal(join("truncated", good[:300]), 6, "truncated: not canonical JSON"),
            Refusal(join("forged", good.replace(b"dhaka-general", b"dhaka-genaral")), 6, "not signed by"),
            Refusal(join("other-version", other_version), 6, "version 99 is not known"),
            Refusal(join("expired", expired), 6, "has expired"),
            Refusal(join("no-settings", no_settings), 6, "another invitation"),
            Refusal(join("no-swarm-key", no_swarm_key), 6, "holds no swarm key"),
        ]
    )
    assert list(tmp_path.glob("*-site/*")) == []
    joined = fedrx(*join("good", good))
    assert joined.returncode == 0, joined.stderr


def test_bad_pages_are_kept_aside_with_their_reason_and_good_ones_come_in(site: SiteFolder, tmp_path: Path) -> None:
    pages = tmp_path / "pages"
    pages.mkdir()
    good = draw_page(pages / "good.png", "Tab. Amoxil 500 mg 1+0+1")
    (pages / "empty.png").touch()
    (pages / "cut.png").write_bytes(good.read_bytes()[:400])
    (pages / "text.pdf").write_text("no document")
    (pages / "locked.pdf").write_bytes(encrypted_pdf())
    (pages / "bomb.png").write_bytes(png_that_claims(20_000, 10_000))
    Image.new("L", (600, 400), 255).save(pages / "blank.png")
    names = sorted(path.name for path in pages.iterdir())
    (pages / "manifest.csv").write_bytes(
        b"\xef\xbb\xbffile,patient\r\n" + b"".join(f"{n},P1\r\n".encode() for n in names)
    )
    before = {path.name: path.read_bytes() for path in pages.iterdir()}
    done = site.run("import", "--manifest", pages / "manifest.csv", "--json")
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    found = {Path(row["file"]).name: [kept["reason"] for kept in row["kept_aside"]] for row in json.loads(done.stdout)}
    assert found == {
        "blank.png": ["no-text"],
        "bomb.png": ["too-many-pixels"],
        "cut.png": ["corrupt"],
        "empty.png": ["empty-file"],
        "good.png": [],
        "locked.pdf": ["password-protected"],
        "text.pdf": ["unsupported-type"],
    }
    assert {path.name: path.read_bytes() for path in pages.iterdir()} == before
    assert len(json.loads(site.run("review", "list", "--json").stdout)) == 1
    assert len(json.loads(site.run("quarantine", "list", "--json").stdout)) == 6
    check_refused(site.run("import", pages / "empty.png", "--patient", "P1"), 8, "could be imported")


def test_a_bad_manifest_or_sheet_names_its_line_and_changes_nothing(site: SiteFolder, tmp_path: Path) -> None:
    draw_page(tmp_path / "a.png", "Tab. Amoxil 500 mg 1+0+1")

    def manifest(name: str, content: bytes) -> list[str | Path]:
        (tmp_path / name).write_bytes(content)
        return site.node("import", "--manifest", tmp_path / name)

    def sheet(name: str, content: bytes) -> list[str | Path]:
        (tmp_path / name).write_bytes(content)
        return site.node("review", "import", tmp_path / name, "--reviewer", "dr-khan")

    with (tmp_path / "huge.csv").open("wb") as stream:
        stream.truncate(1 << 32)
    check_all_refused(
        [
            Refusal(manifest("1.csv", b"file\na.png\n"), 2, "line 1 is not 'file,patient'"),
            Refusal(manifest("2.csv", b"file,patient\na.png,P1\na.png,P2\n"), 2, "line 3: the file of line 2"),
            Refusal(manifest("3.csv", b"file,patient\nscan\xe9.png,P1\n"), 2, "is not UTF-8"),
            Refusal(manifest("4.csv", b"file,patient\na.png,P1\nb.png,P1\n"), 2, "b.png cannot be read"),
            Refusal(manifest("5.csv", b"file,patient\n../a.png,P1\n"), 2, "below the manifest's folder"),
            Refusal(site.node("import", "--manifest", tmp_path / "huge.csv"), 2, "is over"),
            Refusal(sheet("6.csv", b"word,action,label\n" + b"0" * 32 + b",accept,\n"), 2, "line 2: there is no word"),
            Refusal(sheet("7.csv", b"word,action,label\n" + b"0" * 32 + b",acept,\n"), 2, "'acept' is no action"),
            Refusal(site.node("review", "import", tmp_path / "none.csv"), 2, "none.csv cannot be read"),
            Refusal(site.node("consent", "withdraw", "P404"), 7, "not known here"),
        ]
    )
    assert json.loads(site.run("review", "list", "--json").stdout) == []


def test_two_daemons_do_not_share_a_folder(site: SiteFolder) -> None:
    with DataFolder(site.folder).locked():
        check_refused(site.run("run"), 10, "another daemon already runs")
    check_refused(site.run("run"), 4, "no answer from the RPC endpoint")


def test_debug_shows_the_traceback_wherever_it_is_written(site: SiteFolder) -> None:
    for words in (["--debug", *site.node("status")], [*site.node("status"), "--debug"]):
        done = fedrx(*words)
        assert "Traceback" in done.stderr
        assert "LedgerUnavailableError" in done.stderr


def test_every_exit_code_is_in_the_table_of_the_manual() -> None:
    table = (ROOT / "docs" / "errors.md").read_text(encoding="utf-8")
    documented = {int(code) for code in re.findall(r"^\| (\d+) \|", table, re.MULTILINE)}
    tree = (ROOT / "protocol" / "errors.py").read_text(encoding="utf-8")
    assert {
        int(code) for code in re.findall(r"^    exit_code(?:: ClassVar\[int\])? = (\d+)$", tree, re.MULTILINE)
    } <= documented
