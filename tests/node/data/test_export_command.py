from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path

import pytest
import structlog
import typer
from typer.testing import CliRunner

from gateways.key_ring import KeyRing
from node.data.commands import add_to
from node.store.opening import STORE_KEY as STORE_KEY_NAME
from node.store.pages import NewPage, NewWord, add_page, ensure_original
from node.store.reviewed import reviewed_pages
from prescriptions.box import Box
from prescriptions.lexicon import bundled_lexicon
from prescriptions.reading import ReadWord
from prescriptions.understand import understand
from protocol.errors import ConfigError
from protocol.identifiers import digest_of
from tests.node.data_builders import NOW, STORE_KEY, Clinic, crop_of, proposal_of

SETTINGS = """
site = "dhaka-general"
data_folder = "data"
deployment = "deployment.json"
passphrase_file = "passphrase"
lineages = ["english-g2"]
[chain]
rpc_url = "http://127.0.0.1:1"
"""


@pytest.fixture
def clinic(tmp_path: Path) -> Clinic:
    clinic = Clinic(tmp_path / "data")
    (tmp_path / "node.toml").write_text(SETTINGS)
    (tmp_path / "passphrase").touch(mode=0o600)
    (tmp_path / "passphrase").write_text("open sesame")
    KeyRing.open(tmp_path / "data" / "keystore.json", b"open sesame").put(STORE_KEY_NAME, STORE_KEY)
    return clinic


def export(folder: Path, *arguments: str) -> typer.testing.Result:
    app = typer.Typer()
    add_to(app)
    with structlog.testing.capture_logs():
        return CliRunner().invoke(app, ["export", "--config", str(folder / "node.toml"), *arguments])


def test_only_pages_that_were_reviewed_whole_are_exported(clinic: Clinic, tmp_path: Path) -> None:
    clinic.add_words("P001", "Amoxil", "Lasix", page="one")
    clinic.accept_all()
    (waiting, _) = clinic.add_words("P001", "Abilify", "Prilosec", page="two")
    clinic.review.accept(waiting.hex(), "dr-khan", 1)
    output = tmp_path / "out.csv"
    result = export(tmp_path, "--format", "csv", "-o", str(output))
    assert result.exit_code == 0, result.output
    with output.open(newline="") as stream:
        assert sorted(row["medicine"] for row in csv.DictReader(stream)) == ["Amoxil", "Lasix"]
    assert output.stat().st_mode & 0o777 == 0o600
    assert "in clear" in result.stderr
    assert result.stdout == ""


def test_rejected_words_are_not_exported_and_fixed_ones_bear_their_label(clinic: Clinic, tmp_path: Path) -> None:
    wrong, scrawl = clinic.add_words("P001", "Lasik", "Zzz")
    clinic.review.fix(wrong.hex(), "Lasix", "dr-khan", 1)
    clinic.review.reject(scrawl.hex(), "unreadable", "dr-khan", 1)
    output = tmp_path / "out.json"
    assert export(tmp_path, "--format", "fhir", "-o", str(output)).exit_code == 0
    (entry,) = json.loads(output.read_text())["entry"]
    assert entry["resource"]["medicationCodeableConcept"]["text"] == "Lasix (furosemide (frusemide))"
    again = tmp_path / "again.json"
    export(tmp_path, "-o", str(again))
    assert again.read_bytes() == output.read_bytes()


def test_an_export_of_one_patient_holds_nobody_else(clinic: Clinic, tmp_path: Path) -> None:
    clinic.add_words("P001", "Amoxil")
    clinic.add_words("P002", "Lasix")
    clinic.accept_all()
    output = tmp_path / "out.json"
    assert export(tmp_path, "--format", "json", "-o", str(output), "--patient", "P002").exit_code == 0
    text = output.read_text()
    assert "P002" in text
    assert "P001" not in text


def test_an_empty_export_is_refused_and_nothing_is_written(clinic: Clinic, tmp_path: Path) -> None:
    clinic.add_words("P001", "Amoxil")
    output = tmp_path / "out.json"
    result = export(tmp_path, "-o", str(output))
    assert isinstance(result.exception, ConfigError)
    assert not output.exists()


def test_what_was_read_beside_a_word_comes_out_of_the_store_typed(clinic: Clinic) -> None:
    lexicon = bundled_lexicon("drugsfda")
    texts = ["Cap.", "Amoxil", "500", "mg", "po", "1+0+0.5", "x", "7", "days", "after", "food", "qty", "21"]
    read = [ReadWord(text, 0.9, Box(60 * place, 0, 60 * place + 50, 30), 0) for place, text in enumerate(texts)]
    (line,) = understand(read, lexicon).lines
    words = (NewWord(crop_of("Amoxil"), replace(proposal_of("Amoxil"), line=line)),)
    digest = digest_of("test-page", b"typed")
    with clinic.store.write() as transaction:
        original = ensure_original(transaction, "P001", digest, NOW)
        clinic.originals.write(original.file_id, original.key, b"page")
        page = NewPage(digest, 1, "page.png", "rapidocr", "Popular Hospital", "", words)
        add_page(transaction, "P001", page, original.file_id, NOW)
    clinic.accept_all()
    with clinic.store.read() as transaction:
        (exported,) = reviewed_pages(transaction, lexicon)
    assert exported.hospital == "Popular Hospital"
    (medicine,) = exported.medicines
    assert medicine.name == "Amoxil"
    kept = ("strength", "form", "frequency", "duration_days", "route", "quantity", "instructions", "generic", "flags")
    assert [getattr(medicine.line, name) for name in kept] == [getattr(line, name) for name in kept]
    assert str(line.quantity) == "qty 21"
