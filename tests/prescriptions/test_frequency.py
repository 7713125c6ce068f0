from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prescriptions.frequency import find_frequency, parse_frequency

slots = st.lists(st.integers(0, 9), min_size=3, max_size=4).filter(any)


@given(slots, st.sampled_from(["+", "-", " + ", " - "]))
def test_slots_say_how_many_doses_a_day(doses, separator):
    frequency = parse_frequency(separator.join(map(str, doses)))
    assert frequency.text == "+".join(map(str, doses))
    assert frequency.doses_per_day == sum(doses)


@given(st.integers(1, 72), st.sampled_from(["q{}h", "Q {} h", "q{}hrs", "every {} hours", "{} hourly"]))
def test_hours_say_how_often(hours, shape):
    frequency = parse_frequency(shape.format(hours))
    assert frequency.text == f"q{hours}h"
    assert frequency.doses_per_day == Decimal(24) / hours


@pytest.mark.parametrize(
    ("written", "canonical", "doses"),
    [("bd", "bd", 2), ("B.D.", "bd", 2), ("twice daily", "bd", 2), ("TDS", "tds", 3), ("t.i.d", "tds", 3),
     ("qid", "qid", 4), ("od", "od", 1), ("once a day", "od", 1), ("hs", "hs", 1), ("at  bedtime", "hs", 1),
     ("sos", "sos", None), ("prn", "sos", None), ("stat", "stat", None), ("1/2+0+1/2", "0.5+0+0.5", 1)],
)  # fmt: skip
def test_words_and_abbreviations_have_one_canonical_form(written, canonical, doses):
    frequency = parse_frequency(written)
    assert (frequency.text, frequency.doses_per_day) == (canonical, doses)


@pytest.mark.parametrize("text", ["", "0+0+0", "food", "500 mg", "q0h", "q99h", "1+0", "body", "10-12-2024", "modest"])
def test_what_is_no_frequency_is_none(text):
    assert find_frequency(text) is None


@given(st.text(max_size=60))
def test_no_text_breaks_the_search(text):
    found = find_frequency(text)
    assert found is None or text[found.start : found.end]
