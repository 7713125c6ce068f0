"""node/data/agreement.py: labels that both readers contradict."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import structlog
import typer
from typer.testing import CliRunner

from gateways.key_ring import KeyRing
from node.data.agreement import agreed_name, doubts
from node.data.commands import add_to
from node.data.other_readings import OtherReading
from node.data.proposal import Candidate, ModelReading, Proposal
from node.store.opening import STORE_KEY as STORE_KEY_NAME
from node.store.pages import NewPage, NewWord, add_page, ensure_original
from node.store.tables import WordStatus
from node.store.words import StoredWord
from prescriptions.understand import UNKNOWN_MEDICINE
from protocol.identifiers import digest_of
from tests.node.data_builders import NOW, STORE_KEY, Clinic, crop_of, proposal_of


@pytest.fixture
def word(tmp_path: Path) -> StoredWord:
    clinic = Clinic(tmp_path / "data")
    (word_id,) = clinic.add_words("P001", "Napa")
    clinic.review.fix(word_id.hex(), "Napo", "dr-khan", NOW)
    (found,) = clinic.words()
    return found


def read(engine: str, model: str, *, sure: bool = True, share: float = 0.9) -> Proposal:
    reading = ModelReading(1, model, (Candidate(model, share),), sure=sure)
    return replace(proposal_of(engine), model=reading)


def test_readers_agree_when_both_name_the_same_medicine():
    assert agreed_name(read("Napa", "Napa")) == "Napa"
    assert agreed_name(read("Napa", "Seclo")) is None
    assert agreed_name(read("Napa", "Napa", sure=False)) is None
    assert agreed_name(proposal_of("Napa")) is None


def test_two_readers_that_name_nothing_do_not_agree():
    proposal = replace(read("Napa", "Napa", sure=False), flags=(UNKNOWN_MEDICINE,))
    assert agreed_name(proposal) is None


def other(name: str | None, share: float = 0.9) -> OtherReading:
    return OtherReading("second", 2, name, share, "letters")


@pytest.mark.parametrize(
    ("engine", "model", "third", "label"),
    [
        ("Napa", "Napa", "Napa", "Napa"),
        ("Napa", "Napa", None, "Napa"),
        ("Napa", "Napa", "Seclo", ""),
        ("Napa", None, "Seclo", ""),
        ("Napa", None, "Napa", "Napa"),
        (None, "Seclo", "Seclo", "Seclo"),
        (None, "Seclo", "Ace", ""),
        (None, None, "Ace", "Ace"),
    ],
)
def test_a_word_is_proposed_only_where_no_readers_name_different_medicines(engine, model, third, label):
    proposal = replace(read("Napa", model or "Napa", sure=model is not None), others=(other(third),))
    if engine is None:
        proposal = replace(proposal, flags=(UNKNOWN_MEDICINE,))
    assert proposal.label == label
    assert proposal.readers_differ is (label == "")
    assert agreed_name(proposal) == (label if engine is not None and label else None)


def test_a_second_model_that_agrees_makes_no_surer_and_one_that_differs_less_sure():
    alone = read("Napa", "Napa", share=0.7)
    agrees, differs = (replace(alone, others=(other(name, 0.6),)) for name in ("Napa", "Seclo"))
    assert agrees.certainty == alone.certainty
    assert differs.certainty < 0.5 < alone.certainty


def test_a_label_that_both_readers_contradict_is_doubted(word):
    (doubt,) = doubts([replace(word, proposal=read("Napa", "Napa"))], 0.8)
    assert (doubt.name, doubt.word.label) == ("Napa", "Napo")
    assert doubt.certainty > 0.9


def test_no_label_is_doubted_without_reason(word):
    agreed = replace(word, proposal=read("Napa", "Napa"))
    assert doubts([replace(agreed, label="napa")], 0.8) == ()
    assert doubts([replace(agreed, status=WordStatus.REJECTED, label="")], 0.8) == ()
    assert doubts([replace(agreed, status=WordStatus.PROPOSED, label="")], 0.8) == ()
    assert doubts([replace(word, proposal=read("Napa", "Seclo"))], 0.0) == ()
    assert doubts([agreed], 1.0) == ()


def test_the_surest_doubt_comes_first(word):
    weak, strong = (replace(word, proposal=read("Napa", "Napa", share=share)) for share in (0.5, 0.99))
    assert [doubt.certainty for doubt in doubts([weak, strong], 0.0)] == sorted(
        (weak.proposal.certainty, strong.proposal.certainty), reverse=True
    )


def test_doubts_are_listed_with_what_both_readers_say(tmp_path: Path) -> None:
    clinic = Clinic(tmp_path / "data")
    write_settings(tmp_path)
    digest = digest_of("test-page", b"doubtful")
    with clinic.store.write() as transaction:
        original = ensure_original(transaction, "P001", digest, NOW)
        words = (NewWord(crop_of("Napa"), read("Napa", "Napa")), NewWord(crop_of("Seclo"), read("Seclo", "Seclo")))
        add_page(transaction, "P001", NewPage(digest, 1, "a.pdf", "rapidocr", "", "", words), original.file_id, NOW)
    by_name = {word.proposal.text: word.word_id.hex() for word in clinic.words()}
    clinic.review.fix(by_name["Napa"], "Ace", "dr-khan", NOW)
    clinic.review.accept(by_name["Seclo"], "dr-khan", NOW)
    (found,) = json.loads(run(tmp_path, "--json"))
    assert (found["word"], found["label"], found["both_name"]) == (by_name["Napa"], "Ace", "Napa")
    assert by_name["Napa"][:8] in run(tmp_path)
    assert json.loads(run(tmp_path, "--sure", "1.0", "--json")) == []


def run(folder: Path, *arguments: str) -> str:
    app = typer.Typer()
    add_to(app)
    with structlog.testing.capture_logs():
        result = CliRunner().invoke(app, ["review", "doubts", "--config", str(folder / "node.toml"), *arguments])
    assert result.exit_code == 0, result.output
    return result.stdout


def write_settings(folder: Path) -> None:
    (folder / "node.toml").write_text(
        'site = "dhaka-general"\ndata_folder = "data"\ndeployment = "deployment.json"\n'
        'passphrase_file = "passphrase"\nlineages = ["english-g2"]\n[chain]\nrpc_url = "http://127.0.0.1:1"\n'
    )
    (folder / "passphrase").touch(mode=0o600)
    (folder / "passphrase").write_text("open sesame")
    KeyRing.open(folder / "data" / "keystore.json", b"open sesame").put(STORE_KEY_NAME, STORE_KEY)
