import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prescriptions.box import Box
from prescriptions.lexicon import bundled_lexicon
from prescriptions.reading import ReadWord
from prescriptions.understand import (
    UNKNOWN_FORM,
    UNKNOWN_MEDICINE,
    UNKNOWN_STRENGTH,
    MedicineLine,
    Prescription,
    find_duration_days,
    repair_digits,
    understand,
)

LEXICON = bundled_lexicon("demo")


def words_of(*lines):
    return [
        ReadWord(text, 0.9, Box(10 + 60 * place, 40 * number, 60 + 60 * place, 40 * number + 30), number)
        for number, line in enumerate(lines)
        for place, text in enumerate(line.split())
    ]


def only_line(*lines):
    words = words_of(*lines)
    (line,) = understand(words, LEXICON).lines
    return words[line.word_index].text, line


@pytest.mark.parametrize(
    ("written", "medicine", "strength", "form", "frequency", "days"),
    [
        ("1. Tab. Amoxicillin 500 mg 1+0+1 7 days", "Amoxicillin", "500 mg", "tablet", "1+0+1", 7),
        ("Cap Omeprazole 20mg bd x 2 weeks", "Omeprazole", "20 mg", "capsule", "bd", 14),
        ("2) Syp. Cetirizine 5 mg/5ml hs", "Cetirizine", "5 mg/5 ml", "syrup", "hs", None),
        ("Atenolol 50mg once daily", "Atenolol", "50 mg", None, "od", None),
        ("T. Ramiprll Smg I+0+I 10 days", "Ramipril", "5 mg", "tablet", "1+0+1", 10),
        ("Inj. Gentamicin 40 mg/ml q8h", "Gentamicin", "40 mg/ml", "injection", "q8h", None),
        ("Ibuprofen", "Ibuprofen", None, None, None, None),
    ],
)
def test_a_line_becomes_medicine_strength_form_frequency_and_duration(
    written, medicine, strength, form, frequency, days
):
    _, line = only_line(written)
    assert line.candidates[0].name == medicine
    assert (str(line.strength) if line.strength else None) == strength
    assert line.form == form
    assert (line.frequency.text if line.frequency else None) == frequency
    assert line.duration_days == days


def test_what_a_line_does_not_say_is_taken_from_the_line_below():
    _, line = only_line("Tab. Amoxicillin 500 mg", "1+1+1 7 days")
    assert (line.frequency.text, line.duration_days) == ("1+1+1", 7)


def test_two_medicines_under_each_other_do_not_share_a_dose():
    first, second = understand(words_of("Tab. Amoxicillin", "Tab. Atenolol 50 mg od"), LEXICON).lines
    assert (first.strength, first.frequency) == (None, None)
    assert str(second.strength) == "50 mg"


def test_two_medicines_side_by_side_are_two_lines():
    lines = understand(words_of("Tab. Amoxicillin 500 mg bd Cap. Omeprazole 20 mg od"), LEXICON).lines
    assert [(line.candidates[0].name, str(line.strength), str(line.frequency)) for line in lines] == [
        ("Amoxicillin", "500 mg", "bd"), ("Omeprazole", "20 mg", "od")]  # fmt: skip


@pytest.mark.parametrize(
    ("written", "flags"),
    [
        ("Tab. Atenolol 50 mg", ()),
        ("Tab. Atenolol 333 mg", (UNKNOWN_STRENGTH,)),
        ("Cream Atenolol 50 mg", (UNKNOWN_FORM,)),
        ("Tab. Zzyqwxk 50 mg", (UNKNOWN_MEDICINE,)),
    ],
)
def test_what_the_lexicon_does_not_know_is_flagged(written, flags):
    assert only_line(written)[1].flags == flags


def test_of_the_letterhead_only_the_patients_name_and_the_hospital_are_kept():
    found = understand(
        words_of(
            "Lakeview General Hospital",
            "14 Hospital Road Tel 02002 555 0100",
            "Name: grace Walker Age: 61 Date: 4/11/2024",
            "Phone: 05551 555 123 Address: 9 Atenolol Road",
            "Tab. Atenolol 50 mg od",
        ),
        LEXICON,
    )
    assert (found.patient_name, found.hospital) == ("Grace Walker", "Lakeview General Hospital")
    assert len(found.lines) == 1
    assert not any(secret in repr(found) for secret in ("555", "61", "4/11", "Road"))


def test_the_result_has_no_place_for_other_private_fields():
    assert {field.name for field in dataclasses.fields(Prescription)} == {"patient_name", "hospital", "lines"}
    assert {field.name for field in dataclasses.fields(MedicineLine)} == {
        "word_index", "candidates", "strength", "form", "frequency", "duration_days", "flags"}  # fmt: skip


@pytest.mark.parametrize(
    ("read", "meant"),
    [("0.0S %", "0.05 %"), ("Smg", "5mg"), ("S mg", "5 mg"), ("1OO mg", "100 mg"), ("I+O+I", "1+0+1"), ("98h", "q8h"),
     ("2.5mgl5 ml", "2.5mg/5 ml"), ("1+O+1x 5 days", "1+0+1 x  5 days"),
     ("Sol mgx", "Sol mgx"), ("Isis 500mg", "Isis 500mg"), ("98 hours", "98 hours")],
)  # fmt: skip
def test_digits_are_repaired_only_where_the_place_leaves_no_doubt(read, meant):
    assert repair_digits(read) == meant


@pytest.mark.parametrize(
    ("text", "days"),
    [
        ("7 days", 7),
        ("x 2 weeks", 14),
        ("5d", 5),
        ("1 month", 30),
        ("0 days", None),
        ("1+0+1", None),
        ("500 mg daily", None),
    ],
)
def test_a_duration_is_counted_in_days(text, days):
    assert find_duration_days(text) == days


@given(st.lists(st.text(st.characters(exclude_categories=["Z", "C"]), min_size=1, max_size=12), max_size=12))
def test_no_words_break_the_reading(texts):
    words = words_of(" ".join(texts), "Tab. Atenolol 50 mg")
    found = understand(words, LEXICON)
    assert all(0 <= line.word_index < len(words) for line in found.lines)
