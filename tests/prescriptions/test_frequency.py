from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prescriptions.as_needed import AS_NEEDED, find_as_needed
from prescriptions.frequency import DAY_HOURS, find_frequency, parse_frequency

slots = st.lists(st.integers(0, 9), min_size=3, max_size=4).filter(any)
quarters = st.lists(st.integers(0, 39), min_size=3, max_size=4).filter(any)
WORDS = ("od", "om", "hs", "bd", "tds", "qid", "eod", "weekly", "monthly", "sos", "stat")
canonical = (
    quarters.map(lambda parts: "+".join(f"{Decimal(part) / 4:f}" for part in parts))
    | st.integers(1, 72).map(lambda hours: f"q{hours}h")
    | st.integers(3, 30).filter(lambda days: days != 7).map(lambda days: f"q{days}d")
    | st.integers(5, 12).map(lambda times: f"{times} times daily")
    | st.integers(2, 12).map(lambda times: f"{times} times weekly")
    | st.sampled_from(WORDS)
)


def doses_per_day(frequency):
    if frequency.slot_quarters:
        return Decimal(sum(frequency.slot_quarters)) / 4
    return None if frequency.times is None else Decimal(frequency.times * DAY_HOURS) / frequency.period_hours


@given(canonical)
def test_a_canonical_frequency_survives_being_written_and_parsed(text):
    frequency = parse_frequency(text)
    assert str(frequency) == text
    assert parse_frequency(str(frequency)) == frequency
    assert (frequency.times is None) == (frequency.period_hours is None) == (text in {"sos", "stat"})


@given(slots, st.sampled_from(["+", "-", " + ", " - "]))
def test_slots_say_how_many_doses_a_day(doses, separator):
    frequency = parse_frequency(separator.join(map(str, doses)))
    assert frequency.text == "+".join(map(str, doses))
    assert doses_per_day(frequency) == sum(doses)
    assert frequency.slot_quarters == tuple(4 * dose for dose in doses)
    assert (frequency.times, frequency.period_hours) == (sum(dose > 0 for dose in doses), DAY_HOURS)


@given(st.integers(1, 72), st.sampled_from(["q{}h", "Q {} h", "q{}hrs", "every {} hours", "{} hourly", "{}hrly"]))
def test_hours_say_how_often(hours, shape):
    frequency = parse_frequency(shape.format(hours))
    assert (frequency.text, frequency.times, frequency.period_hours) == (f"q{hours}h", 1, hours)


@pytest.mark.parametrize(
    ("written", "canonical", "doses"),
    [("bd", "bd", 2), ("B.D.", "bd", 2), ("twice daily", "bd", 2), ("TDS", "tds", 3), ("t.i.d", "tds", 3),
     ("qid", "qid", 4), ("qds", "qid", 4), ("od", "od", 1), ("once a day", "od", 1), ("hs", "hs", 1),
     ("at  bedtime", "hs", 1), ("mane", "om", 1), ("nocte", "hs", 1), ("daily", "od", 1), ("thrice daily", "tds", 3),
     ("3 times a day", "tds", 3), ("three times daily", "tds", 3), ("3x/day", "tds", 3), ("alt days", "eod", "0.5"),
     ("every other day", "eod", "0.5"), ("8 hourly", "q8h", 3), ("every 8 hours", "q8h", 3),
     ("sos", "sos", None), ("prn", "sos", None), ("as needed", "sos", None), ("stat", "stat", None),
     ("1/2+0+1/2", "0.5+0+0.5", 1), ("0+0+½", "0+0+0.5", "0.5"), ("1½-0-1", "1.5+0+1", "2.5")],
)  # fmt: skip
def test_words_and_abbreviations_have_one_canonical_form(written, canonical, doses):
    frequency = parse_frequency(written)
    assert (frequency.text, doses_per_day(frequency)) == (canonical, None if doses is None else Decimal(doses))


@pytest.mark.parametrize(
    ("written", "times", "days"),
    [("weekly", 1, 7), ("once a week", 1, 7), ("twice weekly", 2, 7), ("monthly", 1, 30), ("every 3 days", 1, 3)],
)
def test_what_is_rarer_than_daily_is_counted_without_fractions(written, times, days):
    frequency = parse_frequency(written)
    assert (frequency.times, frequency.period_hours) == (times, days * DAY_HOURS)


@pytest.mark.parametrize(
    ("read", "meant"), [("b1d", "bd"), ("tld", "tds"), ("0D", "od"), ("h5", "hs"), ("S0S", "sos"), ("5tat", "stat")]
)
def test_a_digit_among_letters_is_read_as_the_letter_it_looks_like(read, meant):
    assert parse_frequency(read).text == meant


@pytest.mark.parametrize(
    "text",
    ["", "0+0+0", "food", "500 mg", "q0h", "q99h", "1+0", "body", "10-12-2024", "modest", "50s", "505", "q1d", "7 day",
     "2 hours before meals", "5 days", "10 d"],
)  # fmt: skip
def test_what_is_no_frequency_is_none(text):
    assert find_frequency(text) is None


def test_as_needed_is_the_frequency_only_when_nothing_says_how_often():
    assert find_frequency("prn tds").frequency.text == "tds"
    assert find_frequency("take when required").frequency.text == "sos"


@given(st.text(max_size=60))
def test_no_text_breaks_the_search(text):
    found = find_frequency(text)
    assert found is None or text[found.start : found.end]


@pytest.mark.parametrize("text", [AS_NEEDED, "sos", "S.O.S.", "p.r.n", "if required", "only if needed", "s0s"])
def test_as_needed_is_found(text):
    assert find_as_needed(f"1 tab {text}")


@pytest.mark.parametrize("text", ["", "50s", "505", "daily", "prnt", "sosa", "needed"])
def test_what_does_not_say_as_needed_is_not_taken_for_it(text):
    assert find_as_needed(text) is None


@pytest.mark.parametrize(("read", "meant"), [("t. d. s.", "tds"), ("t.d. s.", "tds"), ("B. D.", "bd"), ("o. d", "od")])
def test_an_abbreviation_may_have_spaces_behind_its_full_stops(read, meant):
    assert parse_frequency(read).text == meant


def test_an_abbreviation_ends_before_the_next_word():
    assert find_frequency("t.d.s. x 14 days").frequency.text == "tds"
    assert find_frequency("p.o. b. d. a.c.").frequency.text == "bd"


@pytest.mark.parametrize("text", ["t d s", "b d", "e. g.", "p. o."])
def test_letters_apart_without_full_stops_are_no_abbreviation(text):
    assert find_frequency(text) is None
