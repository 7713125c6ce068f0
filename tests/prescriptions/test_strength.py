from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prescriptions.strength import Strength, find_strengths, parse_strength

amounts = st.integers(1, 99_999).map(lambda n: Decimal(n) / 100)
units = st.sampled_from(["mg", "g", "mcg", "iu", "meq", "%"])
volumes = st.none() | st.sampled_from([Decimal(1), Decimal(5), Decimal("0.5"), Decimal(100)])
strengths = st.builds(Strength, amounts, units, volumes)


@given(strengths)
def test_a_strength_survives_being_written_and_parsed(strength):
    again = parse_strength(str(strength))
    assert again is not None
    assert again == strength
    assert again.same_as(strength)


@given(strengths, st.sampled_from(["", " ", "Tab. Amoxil ", "1. "]), st.sampled_from(["", " 1+0+1", " bd", ", 7 days"]))
def test_a_strength_is_found_between_other_words(strength, before, after):
    text = f"{before}{strength}{after}"
    (found,) = find_strengths(text)
    assert found.strength == strength
    assert text[found.start : found.end] == str(strength)


@given(st.text(max_size=60))
def test_no_text_breaks_the_search_and_every_find_is_positive(text):
    assert all(found.strength.amount > 0 for found in find_strengths(text))


@pytest.mark.parametrize(
    ("written", "canonical"),
    [
        ("500mg", "500 mg"),
        ("5 mg/5ml", "5 mg/5 ml"),
        ("0.5 %", "0.5 %"),
        ("10MG/ML", "10 mg/ml"),
        ("1,000 IU", "1000 iu"),
        ("1 gm", "1 g"),
        ("250 mg per 5 ml", "250 mg/5 ml"),
        ("50 µg", "50 mcg"),
        (".25mg", "0.25 mg"),
    ],
)
def test_usual_spellings_have_one_canonical_form(written, canonical):
    assert str(parse_strength(written)) == canonical


@pytest.mark.parametrize("text", ["", "mg", "500", "0 mg", "5 magic", "5 mg/0 ml", "v1.5mg", "500 mg tab"])
def test_what_is_no_strength_is_none(text):
    assert parse_strength(text) is None


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [("1 g", "1000 mg", True), ("500 mcg", "0.5 mg", True), ("250 mg/5 ml", "50 mg/ml", True),
     ("500 mg", "500 mg/ml", False), ("5 %", "5 mg", False), ("5 iu", "5 mg", False)],
)  # fmt: skip
def test_strengths_are_compared_by_meaning(one, other, same):
    assert parse_strength(one).same_as(parse_strength(other)) is same


def test_the_parts_of_a_combination_add_up_to_what_is_written_on_the_box():
    total = parse_strength("500 mg").plus(parse_strength("125 mg"))
    assert total.same_as(parse_strength("625 mg"))
    assert parse_strength("5 %").plus(parse_strength("1 %")) is None
    assert parse_strength("5 mg/5 ml").plus(parse_strength("10 mg/5 ml")).same_as(parse_strength("15 mg/5 ml"))


@pytest.mark.parametrize("text", ["025 mg", "00 mg", "0125mcg"])
def test_a_number_that_lost_its_point_is_no_strength(text):
    assert find_strengths(text) == ()
