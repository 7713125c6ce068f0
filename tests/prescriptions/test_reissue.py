from dataclasses import replace
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prescriptions.reissue import (
    Prescribed,
    PrescribedMedicine,
    Reissue,
    decode_prescribed,
    encode_prescribed,
    reissue_of,
)
from protocol.errors import MalformedError

DAY = date(2025, 3, 12)
LINES = (
    PrescribedMedicine("Napa", "500 mg", "1+0+1"),
    PrescribedMedicine("Seclo", "20 mg", "1+0+0"),
    PrescribedMedicine("Ace", "", "tds"),
)
PAGE = Prescribed(DAY, LINES)
texts = st.text(st.characters(codec="ascii", min_codepoint=32), max_size=12)
pages = st.builds(
    Prescribed,
    st.none() | st.dates(),
    st.lists(st.builds(PrescribedMedicine, texts, texts, texts), max_size=4).map(tuple),
)


@given(pages)
def test_what_a_page_prescribes_survives_its_bytes(page):
    assert decode_prescribed(encode_prescribed(page)) == page


@given(pages, pages)
def test_being_one_prescription_has_no_direction(one, other):
    assert reissue_of(one, other) == reissue_of(other, one)


@given(pages)
def test_a_dated_page_with_medicines_is_the_same_as_itself(page):
    expected = Reissue.SAME_DAY if page.medicines else None
    assert page.written_on is None or reissue_of(page, page) is expected


@pytest.mark.parametrize(
    ("lines", "same"),
    [(LINES[::-1], True), ((replace(LINES[0], name="NAPA", strength=""), *LINES[1:]), True),
     ((replace(LINES[0], strength="50 mg"), *LINES[1:]), True), ((replace(LINES[0], name="Zz"), *LINES[1:]), True),
     ((LINES[0], replace(LINES[1], name="Losectil"), replace(LINES[2], name="Fexo")), False), (LINES[:1], False),
     ((LINES[0], LINES[0], LINES[0]), False), ((), False)],
)  # fmt: skip
def test_two_thirds_of_the_longer_list_must_agree(lines, same):
    assert (reissue_of(PAGE, Prescribed(DAY, lines)) is Reissue.SAME_DAY) is same


def test_a_line_that_contradicts_in_strength_and_frequency_does_not_agree():
    other = replace(LINES[0], strength="1 g", frequency="od")
    assert reissue_of(Prescribed(DAY, LINES[:1]), Prescribed(DAY, (other,))) is None


@pytest.mark.parametrize("gap", [7, 14, 28, 30, 31, 61, 366])
@pytest.mark.parametrize("day", [date(2024, 1, 1), date(2024, 3, 3), date(2024, 7, 10), date(2024, 11, 17)])
def test_the_repeat_of_the_same_medicines_on_another_day_is_another_prescription(day, gap):
    later = day + timedelta(days=gap)
    assert reissue_of(Prescribed(day, LINES), Prescribed(later, LINES)) is None


@given(st.dates(date(2000, 1, 1), date(2090, 1, 1)), st.integers(1, 23))
def test_the_same_day_of_another_month_is_a_repeat_whatever_digits_differ(day, months):
    year, month = divmod(day.month - 1 + months, 12)
    later = date(day.year + year, month + 1, min(day.day, 28))
    assert reissue_of(Prescribed(day.replace(day=later.day), LINES), Prescribed(later, LINES)) is None


@pytest.mark.parametrize("day", [date(2025, 3, 17), date(2023, 3, 12)])
def test_a_digit_that_is_easily_misread_makes_no_other_prescription(day):
    assert reissue_of(PAGE, Prescribed(day, LINES)) is Reissue.MISREAD_DAY


@pytest.mark.parametrize("day", [date(2025, 3, 16), date(2025, 3, 27), date(2029, 3, 12)])
def test_days_that_differ_otherwise_are_two_prescriptions(day):
    assert reissue_of(PAGE, Prescribed(day, LINES)) is None


@pytest.mark.parametrize("day", [None, DAY])
def test_a_day_that_was_not_read_contradicts_nothing(day):
    assert reissue_of(Prescribed(None, LINES), Prescribed(day, LINES)) is Reissue.UNREAD_DAY


def test_without_a_common_day_strength_and_frequency_must_agree():
    for other in (replace(LINES[0], strength="50 mg"), replace(LINES[0], frequency="tds")):
        for day in (None, date(2025, 3, 17)):
            assert reissue_of(Prescribed(DAY, LINES[:1]), Prescribed(day, (other,))) is None
        assert reissue_of(Prescribed(DAY, LINES[:1]), Prescribed(DAY, (other,))) is Reissue.SAME_DAY
    bare = replace(LINES[0], strength="", frequency="")
    assert reissue_of(Prescribed(None, (bare,)), Prescribed(None, (bare,))) is None


@pytest.mark.parametrize(
    "content",
    [b"{}", b'{"day":"2025-13-01","lines":[]}', b'{"day":"","lines":[["Napa"]]}', b'{"day":"","lines":[[1,2,3]]}'],
)
def test_other_bytes_prescribe_nothing(content):
    with pytest.raises(MalformedError):
        decode_prescribed(content)
