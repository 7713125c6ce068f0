"""docs/spec/verification.md: codes."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from protocol.verdicts import AVAILABILITY_CODES, RECIPIENT_CODES, VerdictCode, explain

ROOT = Path(__file__).parents[2]
SPECIFICATION = ROOT / "docs" / "spec" / "verification.md"


def table() -> dict[int, tuple[str, str]]:
    """Code → (name, kind) of the page's table of codes."""
    rows = re.findall(r"^\| (\d+) \| `(\w+)` \| (\w+) \|", SPECIFICATION.read_text(encoding="utf-8"), re.MULTILINE)
    return {int(code): (name, kind) for code, name, kind in rows}


@pytest.mark.parametrize("code", VerdictCode)
def test_every_code_says_why_and_what_to_do(code):
    explanation = explain(code)
    assert explanation.why
    assert bool(explanation.what_to_do) == (code not in {VerdictCode.ACCEPTED, VerdictCode.REVOKED})
    assert "\n" not in str(explanation)
    assert not str(explanation).endswith(".")


def test_no_two_codes_say_the_same():
    assert len({explain(code).why for code in VerdictCode}) == len(VerdictCode)


def test_every_code_is_in_the_specification_and_the_other_way_round():
    assert {code: name for code, (name, _) in table().items()} == {int(code): code.name for code in VerdictCode}


def test_the_kinds_of_codes_are_the_specifications():
    kinds = {code: kind for code, (_, kind) in table().items()}
    assert {c for c, kind in kinds.items() if kind == "availability"} == AVAILABILITY_CODES
    assert {c for c, kind in kinds.items() if kind == "recipient"} == RECIPIENT_CODES
    assert set(kinds.values()) == {"availability", "recipient", "deterministic"}


@pytest.mark.parametrize("code", [code for code in VerdictCode if code != VerdictCode.REFUSED_BY_STRATEGY])
def test_every_code_that_the_protocol_gives_has_a_test_that_builds_its_fault(code):
    tests = (ROOT / "tests" / "protocol").glob("test_verification*.py")
    assert any(f"VerdictCode.{code.name}" in path.read_text(encoding="utf-8") for path in tests)


def test_a_code_fits_one_byte_and_its_tens_are_its_step():
    assert all(0 <= code <= 255 for code in VerdictCode)
    assert [code // 10 for code in VerdictCode] == sorted(code // 10 for code in VerdictCode)
    assert max(VerdictCode) // 10 == 12
