import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prescriptions.box import Box
from prescriptions.lexicon import bundled_lexicon
from prescriptions.misread import repair_digits
from prescriptions.reading import ReadWord
from prescriptions.understand import (
    UNKNOWN_FORM,
    UNKNOWN_MEDICINE,
    UNKNOWN_STRENGTH,
    MedicineLine,
    Prescription,
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
        "word_index", "candidates", "strength", "form", "frequency", "duration_days", "flags", "generic", "route",
        "quantity", "as_needed", "instructions", "confidence"}  # fmt: skip


@pytest.mark.parametrize(
    ("read", "meant"),
    [("0.0S %", "0.05 %"), ("Smg", "5mg"), ("S mg", "5 mg"), ("1OO mg", "100 mg"), ("I+O+I", "1+0+1"), ("98h", "q8h"),
     ("2.5mgl5 ml", "2.5mg/5 ml"), ("1+O+1x 5 days", "1+0+1 x  5 days"),
     ("Sol mgx", "Sol mgx"), ("Isis 500mg", "Isis 500mg"), ("98 hours", "98 hours")],
)  # fmt: skip
def test_digits_are_repaired_only_where_the_place_leaves_no_doubt(read, meant):
    assert repair_digits(read) == meant


@given(st.text(max_size=60))
def test_no_text_breaks_the_repair_and_only_look_alikes_change(text):
    repaired = repair_digits(text)
    assert sum(map(str.isalpha, repaired)) <= sum(map(str.isalpha, text)) + text.count("9") + text.count("×")


@pytest.mark.parametrize(
    ("read", "meant"),
    [("l0 days", "10 days"), ("x S days", "x 5 days"), ("for l week", "for 1 week"), ("Qty: 1O tabs", "Qty: 10 tabs"),
     ("so days", "so days"), ("is days", "is days"), ("I days", "I days")],
)  # fmt: skip
def test_counts_are_repaired_before_days_and_behind_labels_alone(read, meant):
    assert repair_digits(read) == meant


def test_everything_that_a_line_says_has_its_field():
    _, line = only_line("Cap. Amoxicillin 500 mg PO tds x 7 days after food prn Qty 21 caps")
    assert line.generic == "amoxicillin"
    assert (line.route, str(line.frequency), line.duration_days) == ("oral", "tds", 7)
    assert (str(line.quantity), line.as_needed, line.instructions) == ("qty 21 capsule", True, ("after-food",))
    assert 0.9 < line.confidence < 1


def test_what_a_line_does_not_say_is_left_out():
    _, line = only_line("Tab. Atenolol")
    said = (line.strength, line.frequency, line.duration_days, line.route, line.quantity, line.as_needed)
    assert said == (None, None, None, None, None, False)
    assert line.instructions == ()


def test_two_lines_below_a_medicine_may_speak_of_it_but_advice_and_private_lines_do_not():
    _, line = only_line("Tab. Amoxicillin 500 mg", "1+1+1 x 7 days", "after food")
    assert (line.frequency.text, line.duration_days, line.instructions) == ("1+1+1", 7, ("after-food",))
    _, line = only_line("Tab. Amoxicillin 500 mg bd", "Rest for three days")
    assert line.duration_days is None
    _, line = only_line("Tab. Amoxicillin 500 mg bd", "Age: 7 days")
    assert line.duration_days is None


def test_a_form_one_letter_off_leads_a_name_that_the_lexicon_knows_alone():
    assert only_line("Tob. Atenolol 50 mg")[1].form == "tablet"
    assert understand(words_of("Tob. Qwxyz"), LEXICON).lines == ()


@pytest.mark.parametrize(
    "dose", ["Take one tablet three times daily", "Take ONE capsule nightly for 7 days", "1 tab PO"]
)
def test_a_count_of_pieces_below_a_medicine_leads_no_other(dose):
    only_line("Atenolol 50 mg tablets", dose)


@pytest.mark.parametrize(
    ("read", "meant"),
    [("1+/+1", "1+1+1"), ("0+(+0", "0+1+0"), ("D+0+1", "0+0+1"), ("1/2", "1/2"), ("5 l/min", "5 l/min"),
     ("10000lu", "10000IU"), ("10000 IV", "10000 IV"), ("51u", "51u"), ("I g IV", "1 g IV"), ("ql2h", "q12h"),
     ("1+0+1-1 week", "1+0+1 - 1 week"), ("1-0-1", "1-0-1"), ("2. Smg", "2.5mg"), ("2. Tab", "2. Tab")],
)  # fmt: skip
def test_strokes_are_digits_between_plus_signs_alone(read, meant):
    assert repair_digits(read) == meant


def test_a_hospital_ends_where_a_doctor_or_an_address_begins():
    def hospital(line):
        return understand(words_of(line, "Tab. Atenolol 50 mg"), LEXICON).hospital

    assert hospital("Lakeview Hospital Dr. Karim Mehta") == "Lakeview Hospital"
    assert hospital("Lakeview Hospital desk@lakeview.org") == "Lakeview Hospital"
    assert hospital("Lakeview Hospital www.lakeview.org") == "Lakeview Hospital"
    assert hospital("Hospital Road") is None


@pytest.mark.parametrize(
    ("line", "hospital"),
    [("Dr. Rahim Uddin Medical Officer", None), ("Dr.Rahim Uddin Medical Officer", None),
     ("Rahim Uddin Medical Officer", None), ("Rahim Uddin, Medical Superintendent", None),
     ("Prof Karim Khan Clinic", None), ("Rahim Uddin Medical Officer Lakeview Hospital", "Lakeview Hospital"),
     ("Lakeview Hospital Medical Officer Rahim Uddin", "Lakeview Hospital"),
     ("Dr. Rahim Uddin MBBS Lakeview Hospital", "Lakeview Hospital"),
     ("Dhaka Medical College", "Dhaka Medical College"),
     ("The Doctor's Clinic", "The Doctor's Clinic")],
)  # fmt: skip
def test_a_person_with_a_title_or_a_post_is_no_hospital(line, hospital):
    assert understand(words_of(line, "Tab. Atenolol 50 mg"), LEXICON).hospital == hospital


@pytest.mark.parametrize(
    ("line", "name"),
    [("Name: Rahim Uddin HIV Positive", "Rahim Uddin"), ("Name: Rahim Uddin HIV-Positive", "Rahim Uddin"),
     ("Name: Rahim Dr. Karim Khan", "Rahim"), ("Name: Rahim Dr.Karim Khan", "Rahim"),
     ("Name: Rahim Uddin Diagnosis Dengue", "Rahim Uddin"), ("Name: Rahim Uddin C/O Karim", "Rahim Uddin"),
     ("Name: Rahim Uddin Village Char Fasson", "Rahim Uddin"), ("Name: HIV Positive", None),
     ("Name: Md. Rahim Uddin", "Md. Rahim Uddin")],
)  # fmt: skip
def test_a_name_ends_before_a_finding_an_address_or_a_doctor(line, name):
    assert understand(words_of(line, "Tab. Atenolol 50 mg"), LEXICON).patient_name == name


@pytest.mark.parametrize("dose", ["1 drop both eyes", "2 drops each nostril", "1 drop nightly"])
def test_how_much_to_take_is_no_second_medicine(dose):
    assert only_line(f"Drops Timoptic 0.5 % {dose} bd")[1].frequency.text == "bd"


def test_free_text_of_the_page_never_comes_into_a_line():
    _, line = only_line("Tab. Atenolol 50 mg od tell Mrs Novak at 555-0100 after food")
    assert not any(secret in repr(line) for secret in ("Novak", "555", "tell"))


@given(st.lists(st.text(st.characters(exclude_categories=["Z", "C"]), min_size=1, max_size=12), max_size=12))
def test_no_words_break_the_reading(texts):
    words = words_of(" ".join(texts), "Tab. Atenolol 50 mg")
    found = understand(words, LEXICON)
    assert all(0 <= line.word_index < len(words) for line in found.lines)
