from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prescriptions.page_date import find_page_date

days = st.dates(date(1990, 1, 1), date(2099, 12, 31))
FORMS = ("%d/%m/%Y", "%d-%m-%Y", "%d.%m.%Y", "%Y-%m-%d", "%d %b %Y", "%d %B %Y", "%d-%b-%Y", "%B %d, %Y", "%d%b%Y")


def parse_date(text, *, day_first=True):
    return find_page_date([[text]], day_first=day_first)


@given(days, st.sampled_from(FORMS))
def test_a_date_is_read_in_every_form_in_which_it_is_written(day, form):
    assert parse_date(day.strftime(form)) == day


@given(st.dates(date(2000, 1, 1), date(2099, 12, 31)), st.sampled_from(("%d/%m/%y", "%d-%m-%y", "%d %b '%y")))
def test_a_year_of_two_digits_is_of_this_century(day, form):
    assert parse_date(day.strftime(form)) == day


@given(days)
def test_the_setting_decides_which_number_is_the_day(day):
    assert parse_date(day.strftime("%m/%d/%Y"), day_first=False) == day


@given(st.text(max_size=60), st.booleans())
def test_no_text_breaks_the_parser(text, day_first):
    find_page_date([text.split(), [text]], day_first=day_first)


@pytest.mark.parametrize(
    ("text", "expected"),
    [("5/4/2025", date(2025, 4, 5)), ("12/25/2024", date(2024, 12, 25)), ("3rd March 2024", date(2024, 3, 3)),
     ("l2/O3/2O24", date(2024, 3, 12)), ("i2/o3/2L24", None), ("i2/L/2024", date(2024, 1, 12)),
     ("12 / 3 / 24", date(2024, 3, 12)), ("2025-03-12T09:30:00Z", date(2025, 3, 12)),
     ("29/2/2023", None), ("0/1/2024", None), ("12/03/1720", None), ("1+0+1", None), ("1-0-1", None), ("5-10 ml", None),
     ("31/31/30", None), ("02000 555 0100", None), ("may 5", None), ("", None), ("12/03/20245", None)],
)  # fmt: skip
def test_what_is_a_date_and_what_is_none(text, expected):
    assert parse_date(text) == expected


@pytest.mark.parametrize("text", ["1-0-1 x 10", "0.5 mg/5 ml", "Tel 02-03-2024-55", "1/2/2024/7", "3.5.10.7"])
def test_doses_and_numbers_are_no_dates(text):
    assert find_page_date([text.split()]) is None


def test_the_labelled_date_wins_over_others():
    lines = [["Name:", "Grace", "DOB:", "3/4/1991"], ["next", "visit", "1/9/2024"], ["Date:", "12/3/2024"]]
    assert find_page_date(lines) == date(2024, 3, 12)


@pytest.mark.parametrize(
    ("text", "expected"),
    [("Date: S/8/2024", date(2024, 8, 5)), ("Date:18/4/20.24", date(2024, 4, 18)), ("Dt. Z7/b/2O2q", date(2029, 6, 27)),
     ("Date: 1 2 / 3 / 20 24", date(2024, 3, 12)), ("Date: 3,l2,2024", date(2024, 12, 3)), ("Date 22/V/2024", None),
     ("Date: S/S/20245", None), ("Date: 5/8/12024", None), ("Birth date: S/8/2024", None), ("S/8/2024", None),
     ("Update: S/8/2024", None), ("Date of birth: S/8/2024", None), ("Date: 3l/l3/2024", None)],
)  # fmt: skip
def test_more_misread_signs_are_put_right_behind_the_label(text, expected):
    assert parse_date(text) == expected
    assert find_page_date([text.split()]) == expected


@given(days.filter(lambda day: day.year >= 2000), st.integers(0, 9), st.sampled_from("OoDIl|!iSsZzBbGgq"))
def test_a_misread_sign_behind_the_label_changes_at_most_its_own_digit(day, place, sign):
    written = f"{day:%d/%m/%Y}"
    found = parse_date(f"Date: {written[:place]}{sign}{written[place + 1 :]}")
    assert found is None or sum(a != b for a, b in zip(f"{found:%d/%m/%Y}", written, strict=True)) <= 1


def test_a_date_of_birth_is_never_the_day_of_the_page():
    assert find_page_date([["DOB:", "03/04/1991"]]) is None
    assert find_page_date([["D.O.B.", "03/04/1991"], ["12", "Mar", "2024"]]) == date(2024, 3, 12)
    assert find_page_date([["Date", "of", "birth:", "03/04/1991"]]) is None


def test_of_two_dates_without_a_label_none_is_taken():
    assert find_page_date([["12/3/2024"], ["13/3/2024"]]) is None
    assert find_page_date([["12/3/2024"], ["12", "Mar", "2024"]]) == date(2024, 3, 12)
