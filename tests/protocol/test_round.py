"""docs/spec/round.md: the states and what may follow what."""

from __future__ import annotations

import re
from pathlib import Path

from protocol import standing
from protocol.round import TRANSITIONS, RoundState

INTERFACE = Path(__file__).parents[2] / "contracts" / "interfaces" / "IRounds.sol"


def test_the_states_and_their_numbers_are_the_contracts():
    body = re.search(r"enum RoundState \{(.*?)\}", INTERFACE.read_text(encoding="utf-8"), re.DOTALL)
    assert body is not None
    words = re.findall(r"^\s*(\w+),?\s*(?://.*)?$", body[1], re.MULTILINE)
    assert [word.upper() for word in words] == [state.name for state in RoundState]


def test_both_tables_of_states_agree():
    assert {s.name: s.value for s in RoundState} == {s.name: s.value for s in standing.RoundState}


def test_a_round_opens_once_and_ends_once():
    ends = {RoundState.FINALIZED, RoundState.FAILED, RoundState.ABORTED}
    assert {after for before, after in TRANSITIONS if before is RoundState.NONE} == {RoundState.OPEN}
    assert not {after for before, after in TRANSITIONS if before in ends}
    assert {before for before, after in TRANSITIONS if after in ends} == {RoundState.CLOSED}


def test_no_round_goes_back():
    assert all(before < after for before, after in TRANSITIONS)
