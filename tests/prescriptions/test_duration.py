import pytest
from hypothesis import given
from hypothesis import strategies as st

from prescriptions.duration import MAX_DAYS, duration_text, find_duration_days


@given(st.integers(1, 999))
def test_a_duration_survives_being_written_and_read(days):
    assert find_duration_days(duration_text(days)) == days


@given(st.integers(1, 9), st.sampled_from(["{} weeks", "x{}wks", "for {} week", "x {}/52", "for {}/52", "{}-week"]))
def test_weeks_have_seven_days(weeks, shape):
    assert find_duration_days(shape.format(weeks)) == 7 * weeks


@pytest.mark.parametrize(
    ("text", "days"),
    [("7 days", 7), ("x 2 weeks", 14), ("5d", 5), ("x7d", 7), ("1 month", 30), ("x 3/12", 90), ("x 5/7", 5),
     ("two weeks", 14), ("for ten days", 10), ("1 year", 365), ("1 fortnight", 14), ("od 5 days", 5)],
)  # fmt: skip
def test_a_duration_is_counted_in_days(text, days):
    assert find_duration_days(text) == days


@pytest.mark.parametrize(
    "text",
    ["", "0 days", "1+0+1", "500 mg daily", "every 3 days", "after 7 days", "once a day", "5/7", "7-10 days",
     "99 years", "3 times a day", "2 weekly"],
)  # fmt: skip
def test_what_is_no_duration_is_none(text):
    assert find_duration_days(text) is None


@given(st.text(max_size=60))
def test_no_text_breaks_the_search_and_every_find_is_in_range(text):
    days = find_duration_days(text)
    assert days is None or 1 <= days <= MAX_DAYS
