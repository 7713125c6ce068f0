import pytest
from hypothesis import given
from hypothesis import strategies as st

from prescriptions.quantity import MAX_COUNT, UNITS, Quantity, find_quantity, parse_quantity

quantities = st.builds(Quantity, st.integers(1, MAX_COUNT), st.none() | st.sampled_from(UNITS))


@given(quantities)
def test_a_quantity_survives_being_written_and_parsed(quantity):
    assert parse_quantity(str(quantity)) == quantity


@given(quantities, st.sampled_from(["500 mg ", "1+0+1 ", ""]), st.sampled_from(["", " after food", "."]))
def test_a_quantity_is_found_between_other_words(quantity, before, after):
    assert find_quantity(f"{before}{quantity}{after}") == quantity


@pytest.mark.parametrize(
    ("text", "count", "unit"),
    [("#30", 30, None), ("# 30 tabs", 30, "tablet"), ("Qty: 10 tabs", 10, "tablet"), ("Disp 1 bottle", 1, "bottle"),
     ("Dispense 100ml", 100, "ml"), ("mitte 28", 28, None), ("x 20 caps", 20, "capsule"), ("2 strips", 2, "strip"),
     ("1 tube", 1, "tube")],
)  # fmt: skip
def test_usual_ways_to_write_a_quantity_are_read(text, count, unit):
    assert find_quantity(text) == Quantity(count, unit)


@pytest.mark.parametrize(
    "text",
    ["", "2 tablets bd", "500 mg", "1+0+1", "x 5 days", "total 5 days", "x 5 ml", "#0", "qty", "# 3.5", "qty 5%"],
)
def test_a_dose_a_strength_and_a_duration_are_no_quantity(text):
    assert find_quantity(text) is None


@given(st.text(max_size=60))
def test_no_text_breaks_the_search(text):
    found = find_quantity(text)
    assert found is None or (1 <= found.count <= MAX_COUNT and parse_quantity(str(found)) == found)


def test_disp_may_have_one_letter_misread_with_its_colon_alone():
    assert str(find_quantity("Bisp: 20 Refills: 2")) == "qty 20"
    assert find_quantity("wisp 20") is None
