"""The demo's clinician says what is written, nothing else."""

from __future__ import annotations

from scripts.demo.clinician import WrittenWord, decide

WORDS = [
    WrittenWord("page.png", 1, "Amoxil", (100, 100, 200, 140)),
    WrittenWord("page.png", 2, "Zocor", (100, 100, 200, 140)),
]


def row(page: str, box: str, proposal: str) -> dict[str, str]:
    return {"file": "page.png", "page": page, "box": box, "proposal": proposal}


def test_a_right_proposal_is_accepted() -> None:
    assert decide(row("1", "102 98 199 141", "Amoxil"), WORDS) == ("accept", "")


def test_a_wrong_proposal_is_fixed() -> None:
    assert decide(row("2", "102 98 199 141", "Amoxil"), WORDS) == ("fix", "Zocor")


def test_a_word_that_is_no_medicine_is_rejected() -> None:
    assert decide(row("1", "300 300 400 340", "Amoxil"), WORDS) == ("reject", "no medicine name")
