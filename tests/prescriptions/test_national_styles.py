"""Prescriptions as five countries write them, without any misread letter: what the parsers alone are worth."""

import sys
from pathlib import Path

import numpy as np
import pytest
from test_understand import words_of

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT / "scripts"), str(ROOT / "benchmarks")]

from reading_content import FIELDS, SPLITS, STYLES, Writer  # noqa: E402 - beside the project's packages
from reading_score import Tally, score_line, values_of  # noqa: E402

from prescriptions.lexicon import bundled_lexicon  # noqa: E402
from prescriptions.understand import understand  # noqa: E402

SHEETS = 12


@pytest.fixture(scope="module")
def lexicon():
    return bundled_lexicon("drugsfda")


def tally_of(sheet, lexicon):
    rows = [row for entry in sheet.entries for row in entry.rows]
    found = understand(words_of(*(" ".join(row.words) for row in rows)), lexicon)
    tally = Tally()
    assert len(found.lines) == len(sheet.entries), [row.words for row in rows]
    for line, entry in zip(found.lines, sheet.entries, strict=True):
        score_line(tally, entry.truth, values_of(line), " ".join(entry.rows[0].words))
    return tally


@pytest.mark.parametrize("style", STYLES)
def test_what_is_read_without_a_fault_is_understood(style, lexicon):
    writer = Writer(lexicon, SPLITS["development"], np.random.default_rng(5))
    tally = Tally()
    for _ in range(SHEETS):
        tally.add(tally_of(writer.sheet(style), lexicon))
    assert tally.f1("medicine") == 1, tally.misses
    assert tally.f1(*FIELDS) > 0.995, tally.misses
