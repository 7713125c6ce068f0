from __future__ import annotations

import csv
import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog
import typer
from PIL import Image, ImageDraw, ImageFont
from typer.testing import CliRunner, Result

from gateways.key_ring import KeyRing
from gateways.key_ring.accounts import create_account
from node.consent import commands as consent_commands
from node.consent.desk import witness_key
from node.data.commands import add_to
from node.site import ACCOUNT_KEY, AUDIT_KEY, open_site
from node.store.opening import STORE_KEY as STORE_KEY_NAME
from protocol.canonical_json import encode, parse_object
from protocol.consent import SignedReceipt, verify_receipt
from protocol.consent_receipt import parse_receipt
from protocol.deployment import Deployment, encode_deployment
from protocol.errors import ConfigError, ConsentError, FederationError, PrescriptionError, StoreError
from protocol.identifiers import AccountAddress, Digest
from tests.node.data_builders import CHEAP, IDENTITY, STORE_KEY

SETTINGS = """
site = "dhaka-general"
data_folder = "data"
deployment = "deployment.json"
passphrase_file = "passphrase"
lineages = ["english-g2"]
[chain]
rpc_url = "http://127.0.0.1:1"
"""
GRANT = ("consent", "grant", "P001", "--witness", "nurse-rahman", "--asked-by", "Dr Khan")


class Shell:
    """Runs commands as ``fedrx node`` does, in a site's folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "data").mkdir()
        (folder / "node.toml").write_text(SETTINGS)
        (folder / "passphrase").touch(mode=0o600)
        (folder / "passphrase").write_text("open sesame")
        deployment = Deployment(
            chain_id=IDENTITY.chain_id,
            contract_address=IDENTITY.contract_address,
            genesis_block_hash=IDENTITY.genesis_block_hash,
            deployment_block_number=1,
            deployment_block_hash=IDENTITY.deployment_block_hash,
            compiler="0.8.37",
            creation_code_digest=Digest(b"\x01" * 32),
            runtime_code_digest=Digest(b"\x02" * 32),
            governor=AccountAddress(b"\x03" * 20),
            predecessor=None,
        )
        (folder / "deployment.json").write_bytes(encode_deployment(deployment))
        key_ring = KeyRing.create(folder / "data" / "keystore.json", b"open sesame", cost=CHEAP)
        key_ring.put(STORE_KEY_NAME, STORE_KEY)
        key_ring.put(AUDIT_KEY, b"\x07" * 32)
        create_account(key_ring, ACCOUNT_KEY)
        self.witness = create_account(key_ring, witness_key("nurse-rahman"))
        self._app = typer.Typer()
        add_to(self._app)

    def run(self, *arguments: str, ok: bool = True) -> Result:
        words = [*arguments]
        if arguments[:2] != ("consent", "notice"):
            words += ["--config", str(self.folder / "node.toml")]
        result = CliRunner().invoke(self._app, words)
        assert (result.exit_code == 0) is ok, (result.output, result.exception)
        return result

    def refused(self, *arguments: str) -> FederationError:
        error = self.run(*arguments, ok=False).exception
        assert isinstance(error, FederationError), error
        return error

    def listed(self, *arguments: str) -> list[dict[str, object]]:
        values: list[dict[str, object]] = json.loads(self.run(*arguments, "--json").stdout)
        return values


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[Shell]:
    # The command line sends the log to stderr; unconfigured, it would mix with results on stdout.
    with structlog.testing.capture_logs() as logs:
        yield Shell(tmp_path)
    for secret in ("P001", "Amoxil", "dr-khan", "a.png"):
        assert secret not in repr(logs)


def typed_page(path: Path, *lines: str) -> Path:
    page = Image.new("L", (900, 160 + 110 * len(lines)), 250)
    draw = ImageDraw.Draw(page)
    for row, text in enumerate(("Green Valley Hospital", *lines)):
        draw.text((60, 50 + 100 * row), text, fill=20, font=ImageFont.load_default(34))
    page.save(path)
    return path


def test_a_page_goes_from_import_to_review_to_consent_and_back(shell: Shell, tmp_path: Path) -> None:
    pages = tmp_path / "pages"
    pages.mkdir()
    typed_page(pages / "a.png", "Tab. Amoxil 500 mg 1+0+1", "Cap. Prilosec 20 mg 1+0+0")
    (pages / "b.png").write_text("no picture")
    (pages / "manifest.csv").write_text("file,patient\na.png,P001\nb.png,P002\n")
    report = shell.listed("import", "--manifest", str(pages / "manifest.csv"))
    assert [(file["outcome"], file["words"]) for file in report] == [("imported", 2), ("quarantined", 0)]
    assert [item["reason"] for item in shell.listed("quarantine", "list")] == ["unsupported-type"]

    words = shell.listed("review", "list")
    assert {str(word["proposal"]).lower() for word in words} == {"amoxil", "prilosec"}
    sheet, crops = tmp_path / "sheet.csv", tmp_path / "crops"
    exported = shell.run("review", "export", str(sheet), "--crops", str(crops))
    assert "in clear" in exported.stderr.replace("\n", " ")
    with sheet.open(encoding="utf-8-sig", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert all((crops / row["picture"]).read_bytes().startswith(b"\x89PNG") for row in rows)
    rows[0]["action"], rows[1]["action"], rows[1]["label"] = "accept", "fix", "Prilosec"
    with sheet.open("w", newline="") as stream:
        writer = csv.DictWriter(stream, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    result = shell.run("review", "import", str(sheet), "--reviewer", "dr-khan")
    assert "1 accepted, 1 fixed, 0 rejected; 1 reviewed originals deleted" in result.stderr
    assert shell.listed("review", "list") == []
    assert len(shell.listed("review", "list", "--all")) == 2

    shell.run(*GRANT)
    assert [row["state"] for row in shell.listed("consent", "list")] == ["in force"]
    shell.run("consent", "withdraw", "P001")
    assert [row["state"] for row in shell.listed("consent", "list")] == ["withdrawn"]
    assert "2 words and 0 files erased" in shell.run("consent", "erase", "P001", "--yes").stderr
    assert shell.listed("consent", "list") == shell.listed("review", "list", "--all") == []


def test_inspect_writes_one_private_picture_and_says_so(shell: Shell, tmp_path: Path) -> None:
    page = typed_page(tmp_path / "a.png", "Tab. Amoxil 500 mg 1+0+1")
    picture = tmp_path / "picture.png"
    result = shell.run("inspect", str(page), "-o", str(picture))
    assert "in clear" in result.stderr.replace("\n", " ")
    assert picture.stat().st_mode & 0o777 == 0o600
    with Image.open(picture) as opened:
        assert opened.size[0] == 2000
    assert not (shell.folder / "data" / "store.sqlite").exists()
    assert "has 1 pages" in str(shell.refused("inspect", str(page), "-o", str(picture), "--page", "2"))


def test_a_stage_is_switched_off_and_an_engine_chosen_in_the_settings(shell: Shell, tmp_path: Path) -> None:
    with (shell.folder / "node.toml").open("a") as settings:
        settings.write('[reading]\nengine = "tesseract"\n[reading.stages]\ndenoise = false\nbinarise = true\n')
        settings.write("[intake]\nmax_pixels = 100_000\n")
    page = typed_page(tmp_path / "a.png", "Tab. Amoxil 500 mg 1+0+1")
    shell.refused("import", str(page), "--patient", "P001")
    (item,) = shell.listed("quarantine", "list")
    assert item["reason"] == "too-many-pixels"
    text = (shell.folder / "node.toml").read_text().replace("100_000", "9_000_000")
    (shell.folder / "node.toml").write_text(text)
    shell.run("import", str(page), "--patient", "P001")
    (word,) = shell.listed("review", "list")
    assert str(word["proposal"]).lower() == "amoxil"


def test_words_are_accepted_fixed_and_rejected_one_by_one(shell: Shell, tmp_path: Path) -> None:
    page = typed_page(tmp_path / "a.png", "Tab. Amoxil 500 mg 1+0+1", "Cap. Prilosec 20 mg", "Tab. Lasix 40 mg 1+0+0")
    shell.run("import", str(page), "--patient", "P001")
    ids = [str(word["word"])[:8] for word in shell.listed("review", "list")]
    assert len(ids) == 3
    shell.run("review", "accept", ids[0], "--reviewer", "dr-khan")
    shell.run("review", "fix", ids[1], "Seclo", "--reviewer", "dr-khan")
    shell.run("review", "reject", ids[2], "--reason", "smudged")
    assert {str(word["status"]) for word in shell.listed("review", "list", "--all")} == {
        "accepted",
        "fixed",
        "rejected",
    }


def test_a_table_shows_what_was_read_as_it_was_read(shell: Shell, tmp_path: Path) -> None:
    shell.run("import", str(typed_page(tmp_path / "a.png", "Tab. Amoxil 500 mg 1+0+1")), "--patient", "[b]P7")
    assert "[b]P7" in "".join(shell.run("review", "list").stdout.split())


def test_an_import_of_only_bad_files_fails_and_says_why(shell: Shell, tmp_path: Path) -> None:
    bad = tmp_path / "bad.png"
    bad.write_text("no picture")
    error = shell.refused("import", str(bad), "--patient", "P001")
    assert isinstance(error, PrescriptionError)
    assert "none of 1 files" in str(error)
    (item,) = shell.listed("quarantine", "list")
    shell.run("quarantine", "drop", str(item["id"])[:6])
    assert shell.listed("quarantine", "list") == []
    assert list((shell.folder / "data" / "quarantine").iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("import",), "no file to import"),
        (("import", "a.png"), "patient is not named"),
        (("import", "a.png", "--patient", "P001"), "cannot be read"),
        (("import", "a.png", "--manifest", "m.csv"), "names files and patients itself"),
        (("import", "--manifest", "missing.csv"), "the manifest missing.csv cannot be read"),
        (("review", "accept", "abcd1234"), "there is no word"),
        (("review", "import", "missing.csv"), "missing.csv cannot be read"),
        (("quarantine", "drop", "ab"), "names 0 entries"),
        ((*GRANT, "--purpose", "DUO:1"), "known purposes"),
        ((*GRANT, "--language", "fr"), "no notice in 'fr'"),
        ((*GRANT, "--days", "0"), "lasts 1 to"),
    ],
)
def test_a_wrong_argument_is_one_line_that_says_what_to_do(
    shell: Shell, arguments: tuple[str, ...], message: str
) -> None:
    error = shell.refused(*arguments)
    assert isinstance(error, ConfigError)
    assert message in str(error)
    assert error.hint or "lasts" in message
    assert "\n" not in str(error)


def test_nobody_withdraws_for_a_patient_who_is_not_known(shell: Shell) -> None:
    assert isinstance(shell.refused("consent", "withdraw", "P999"), ConsentError)


def test_a_copy_that_cannot_be_written_is_said_before_the_consent_is_recorded(shell: Shell, tmp_path: Path) -> None:
    for path in (tmp_path / "none" / "receipt.json", tmp_path):
        error = shell.refused(*GRANT, "--receipt", str(path))
        assert error.hint
        assert str(path) in str(error)
    assert shell.listed("consent", "list") == []
    shell.run(*GRANT, "--receipt", str(tmp_path / "receipt.json"))
    assert len(shell.listed("consent", "list")) == 1
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".receipt")] == []


def test_a_copy_that_fails_after_all_says_that_the_consent_stands(
    shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise StoreError("the disk is full")

    monkeypatch.setattr(consent_commands, "write_atomically", full)
    done = shell.run(*GRANT, "--receipt", str(tmp_path / "receipt.json"), ok=False)
    assert isinstance(done.exception, StoreError)
    assert "the consent is recorded" in str(done.exception)
    (row,) = shell.listed("consent", "list")
    assert str(row["receipt"]) in done.stdout


def test_a_witness_whom_nobody_knows_is_a_wrong_word_on_the_command_line(shell: Shell) -> None:
    error = shell.refused("consent", "grant", "P001", "--witness", "nobody", "--asked-by", "Dr Khan")
    assert isinstance(error, ConfigError)
    assert "fedrx node witness add" in error.hint
    assert shell.listed("consent", "list") == []


def test_a_lost_store_is_told_and_begun_anew_only_when_asked_for(shell: Shell) -> None:
    shell.run(*GRANT)
    store = shell.folder / "data" / "store.sqlite"
    kept = store.read_bytes()
    store.unlink()
    for state in ("missing", "empty"):
        error = shell.refused("consent", "list")
        assert isinstance(error, ConfigError)
        assert state in error.what
        assert "backup" in error.hint
        store.touch()
    store.write_bytes(kept)
    assert len(shell.listed("consent", "list")) == 1
    assert "keep it" in str(shell.refused("new-store", "--yes"))
    store.unlink()
    shell.run("new-store", "--yes")
    assert shell.listed("consent", "list") == []
    shell.run(*GRANT)
    assert len(shell.listed("consent", "list")) == 1


def test_the_patients_copy_of_a_receipt_can_be_checked_without_the_site(shell: Shell, tmp_path: Path) -> None:
    copy = tmp_path / "receipt.json"
    shell.run(*GRANT, "--receipt", str(copy))
    keys = frozenset({"format", "receipt", "signature", "chain_id", "contract_address"})
    fields = parse_object(copy.read_bytes(), keys)
    receipt = parse_receipt(encode(fields["receipt"]))
    signed = SignedReceipt(receipt, bytes.fromhex(str(fields["signature"])))
    verify_receipt(signed, frozenset({shell.witness}), IDENTITY)


def test_consent_that_trains_nothing_says_so(shell: Shell) -> None:
    assert "no word trains" in shell.run(*GRANT, "--purpose", "DUO:0000043").stderr
    assert "no word trains" not in shell.run(*GRANT).stderr


def test_erasing_asks_first_and_takes_cached_features_along(shell: Shell, tmp_path: Path) -> None:
    shell.run("import", str(typed_page(tmp_path / "a.png", "Tab. Amoxil 500 mg 1+0+1")), "--patient", "P001")
    (word,) = shell.listed("review", "list")
    features = shell.folder / "data" / "features"
    features.mkdir()
    (features / str(word["word"])).write_bytes(b"sealed features")
    (features / os.urandom(16).hex()).write_bytes(b"of somebody else")
    shell.run("consent", "erase", "P001", ok=False)
    assert len(list(features.iterdir())) == 2
    shell.run("consent", "erase", "P001", "--yes")
    assert len(list(features.iterdir())) == 1


def test_the_notice_is_printed_for_the_patient(shell: Shell) -> None:
    assert "If you change your mind" in shell.run("consent", "notice").stdout


def test_the_help_warns_that_pictures_are_written_in_clear(shell: Shell) -> None:
    for command in ("list", "export"):
        assert "in clear" in " ".join(
            CliRunner().invoke(shell._app, ["review", command, "--help"]).stdout.replace("│", " ").split()
        )


def test_commands_work_while_another_part_of_the_site_has_the_store_open(shell: Shell) -> None:
    with open_site(shell.folder / "node.toml") as site:
        assert site.store.withdrawal_count() == 0
        shell.run(*GRANT)
        shell.run("consent", "withdraw", "P001")
        assert site.store.withdrawal_count() == 1
