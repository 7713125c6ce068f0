import pytest
from hypothesis import given
from hypothesis import strategies as st

from prescriptions.dose_form import FORMS, guess_form, parse_form
from prescriptions.instructions import INSTRUCTIONS, find_instructions, instruction_text
from prescriptions.route import ROUTES, find_route


@pytest.mark.parametrize("route", ROUTES)
def test_every_route_is_a_spelling_of_itself(route):
    assert find_route(route) == route


@pytest.mark.parametrize(
    ("text", "route"),
    [("PO", "oral"), ("p.o. bd", "oral"), ("by mouth", "oral"), ("I.V. stat", "intravenous"), ("lM", "intramuscular"),
     ("S/L", "sublingual"), ("s.c.", "subcutaneous"), ("apply twice daily", "topical"),
     ("apply in both eyes", "ophthalmic"),
     ("2 drops in the left ear", "otic"), ("2 puffs bd", "inhalation"), ("per rectum", "rectal"),
     ("in each nostril", "nasal")],
)  # fmt: skip
def test_usual_ways_to_write_a_route_are_read(text, route):
    assert find_route(text) == route


@pytest.mark.parametrize("text", ["", "tab", "500 mg 1+0+1", "OD", "1M", "important", "year", "spo2", "9/po"])
def test_what_names_no_route_is_none(text):
    assert find_route(text) is None


@given(st.sets(st.sampled_from(INSTRUCTIONS)))
def test_codes_survive_being_written_and_read(codes):
    text = ", ".join(instruction_text(code) for code in sorted(codes))
    assert find_instructions(text) == tuple(code for code in INSTRUCTIONS if code in codes)


@pytest.mark.parametrize(
    ("text", "codes"),
    [("a.c.", ("before-food",)), ("half an hour before breakfast", ("before-food",)), ("pc", ("after-food",)),
     ("after meals with a glass of water", ("after-food", "with-water")), ("do not chew", ("swallow-whole",)),
     ("hs", ("at-bedtime",)), ("shake well before use", ("shake-well",)), ("drink plenty of water", ()), ("", ())],
)  # fmt: skip
def test_usual_instructions_have_codes(text, codes):
    assert find_instructions(text) == codes


@given(st.text(max_size=60))
def test_no_text_breaks_the_search_and_nothing_but_codes_comes_out(text):
    assert set(find_instructions(text)) <= set(INSTRUCTIONS)
    assert find_route(text) in {None, *ROUTES}
    assert parse_form(text) in {None, *FORMS}
    assert guess_form(text) in {None, *FORMS}


@pytest.mark.parametrize(
    ("word", "form"), [("Tab.", "tablet"), ("1nj", "injection"), ("0int.", "ointment"), ("5yp.", "syrup"), ("T", None)]
)
def test_a_form_is_read_through_look_alike_digits(word, form):
    assert parse_form(word) == form


@pytest.mark.parametrize(
    ("word", "form"), [("Tob.", "tablet"), ("Inl.", "injection"), ("Tap.", None), ("Tob", None), ("Mr.", None)]
)
def test_a_form_is_guessed_only_when_one_alone_is_near(word, form):
    assert guess_form(word) == form
