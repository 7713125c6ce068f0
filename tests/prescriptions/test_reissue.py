from dataclasses import replace
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prescriptions.reissue import (
    Prescribed,
    PrescribedMedicine,
    decode_prescribed,
    encode_prescribed,
    same_prescription,
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
    assert same_prescription(one, other) == same_prescription(other, one)


@given(pages)
def test_a_dated_page_with_medicines_is_the_same_as_itself(page):
    assert same_prescription(page, page) == (page.written_on is not None and bool(page.medicines))


@pytest.mark.parametrize(
    ("lines", "same"),
    [(LINES[::-1], True), ((replace(LINES[0], name="NAPA", strength=""), *LINES[1:]), True),
     ((replace(LINES[0], strength="50 mg"), *LINES[1:]), True), ((replace(LINES[0], name="Zz"), *LINES[1:]), True),
     ((LINES[0], replace(LINES[1], name="Losectil"), replace(LINES[2], name="Fexo")), False), (LINES[:1], False),
     ((LINES[0], LINES[0], LINES[0]), False), ((), False)],
)  # fmt: skip
def test_two_thirds_of_the_longer_list_must_agree(lines, same):
    assert same_prescription(PAGE, Prescribed(DAY, lines)) is same


def test_a_line_that_contradicts_in_strength_and_frequency_does_not_agree():
    other = replace(LINES[0], strength="1 g", frequency="od")
    assert not same_prescription(Prescribed(DAY, LINES[:1]), Prescribed(DAY, (other,)))


@pytest.mark.parametrize("day", [None, date(2025, 4, 12)])
def test_another_day_or_none_is_another_prescription(day):
    assert not same_prescription(PAGE, Prescribed(day, LINES))
    assert not same_prescription(Prescribed(None, LINES), Prescribed(day, LINES))


@pytest.mark.parametrize(
    "content",
    [b"{}", b'{"day":"2025-13-01","lines":[]}', b'{"day":"","lines":[["Napa"]]}', b'{"day":"","lines":[[1,2,3]]}'],
)
def test_other_bytes_prescribe_nothing(content):
    with pytest.raises(MalformedError):
        decode_prescribed(content)
