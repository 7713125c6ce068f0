"""docs/spec/prescription.md, sections 3 and 4."""

import csv
import io
import json
from dataclasses import replace
from uuid import UUID

import pytest
from fhir.resources.R4B.bundle import Bundle
from fhir.resources.R4B.medicationrequest import MedicationRequest
from hypothesis import given, settings
from hypothesis import strategies as st

from prescriptions.export import export_fhir as fhir
from prescriptions.export.export_csv import COLUMNS, export_csv
from prescriptions.export.export_json import export_json
from prescriptions.export.records import ReviewedPage, reviewed_medicine
from prescriptions.frequency import parse_frequency
from prescriptions.instructions import INSTRUCTIONS
from prescriptions.lexicon import bundled_lexicon
from prescriptions.quantity import Quantity
from prescriptions.strength import parse_strength
from prescriptions.understand import UNKNOWN_FORM, UNKNOWN_MEDICINE, UNKNOWN_STRENGTH, MedicineLine
from protocol.errors import PrescriptionError

LEXICON = bundled_lexicon("demo")
READ = MedicineLine(
    word_index=3,
    candidates=(),
    strength=parse_strength("500 mg"),
    form="capsule",
    frequency=parse_frequency("1+0+0.5"),
    duration_days=7,
    flags=(),
    route="oral",
    quantity=Quantity(21, "capsule"),
    as_needed=True,
    instructions=("after-food",),
)
EMPTY = MedicineLine(0, (), None, None, None, None, ())


def page_with(*lines, name="Amoxicillin", patient="P001"):
    medicines = tuple(reviewed_medicine(UUID(int=n), name, line, LEXICON) for n, line in enumerate(lines, 1))
    return ReviewedPage(UUID(int=99), patient, "Lakeview Hospital", "a.png", 1, medicines)


def requests_of(*lines, **options):
    return [entry["resource"] for entry in json.loads(fhir.export_fhir([page_with(*lines, **options)]))["entry"]]


def test_a_line_becomes_a_draft_proposal_with_every_element():
    (request,) = requests_of(READ)
    assert (request["status"], request["intent"]) == ("draft", "proposal")
    assert request["subject"] == {"identifier": {"value": "P001"}}
    assert request["medicationCodeableConcept"] == {"text": "Amoxicillin 500 mg capsule (amoxicillin)"}
    assert request["dispenseRequest"] == {"quantity": {"value": 21, "unit": "capsule"}}
    morning, night = request["dosageInstruction"]
    assert morning["timing"]["repeat"]["when"] == ["MORN"]
    assert night["timing"]["repeat"]["when"] == ["NIGHT"]
    assert [part["doseAndRate"][0]["doseQuantity"]["value"] for part in (morning, night)] == [1, 0.5]
    assert [part["sequence"] for part in (morning, night)] == [1, 2]
    assert morning["timing"]["repeat"]["boundsDuration"]["value"] == 7
    assert morning["route"] == {"text": "oral"}
    assert morning["asNeededBoolean"] is True
    assert morning["additionalInstruction"] == [{"text": "after food"}]
    assert morning["text"] == "1+0+0.5, for 7 days, as needed, after food"


@pytest.mark.parametrize(
    ("frequency", "repeat"),
    [
        ("bd", {"frequency": 2, "period": 1, "periodUnit": "d"}),
        ("q8h", {"frequency": 1, "period": 8, "periodUnit": "h"}),
        ("eod", {"frequency": 1, "period": 2, "periodUnit": "d"}),
        ("weekly", {"frequency": 1, "period": 1, "periodUnit": "wk"}),
        ("hs", {"frequency": 1, "period": 1, "periodUnit": "d", "when": ["HS"]}),
        ("stat", {"count": 1}),
    ],
)
def test_a_frequency_is_a_timing(frequency, repeat):
    (request,) = requests_of(replace(EMPTY, frequency=parse_frequency(frequency)))
    assert request["dosageInstruction"][0]["timing"]["repeat"] == repeat


def test_what_was_not_read_is_left_out():
    (request,) = requests_of(EMPTY)
    assert "dosageInstruction" not in request
    assert "dispenseRequest" not in request


def test_the_patients_name_and_the_hospital_are_not_in_the_bundle():
    assert b"Lakeview" not in fhir.export_fhir([page_with(READ)])


frequencies = st.sampled_from(["od", "bd", "hs", "q8h", "q3d", "1+1+1+1", "0+0+0.25", "monthly", "sos", "stat"])


@settings(max_examples=25, deadline=None)
@given(
    st.none() | frequencies.map(parse_frequency),
    st.none() | st.integers(1, 1000),
    st.booleans(),
    st.sets(st.sampled_from(INSTRUCTIONS)).map(tuple),
)
def test_every_line_is_valid_fhir(frequency, days, as_needed, instructions):
    line = replace(READ, frequency=frequency, duration_days=days, as_needed=as_needed, instructions=instructions)
    content = fhir.export_fhir([page_with(line, EMPTY)])
    bundle = Bundle.model_validate_json(content)
    assert len({entry.fullUrl for entry in bundle.entry}) == 2


def test_codes_are_of_the_value_sets_that_fhir_binds():
    fields = MedicationRequest.model_fields
    assert "draft" in fields["status"].json_schema_extra["enum_values"]
    assert "proposal" in fields["intent"].json_schema_extra["enum_values"]


def test_what_is_no_fhir_is_not_exported(monkeypatch):
    monkeypatch.setattr(fhir, "medication_request", lambda _medicine, _page: {"resourceType": "MedicationRequest"})
    with pytest.raises(PrescriptionError, match="not valid FHIR"):
        fhir.export_fhir([page_with(READ)])


def test_a_corrected_name_has_its_own_generic_and_flags():
    proposed = replace(READ, generic="amoxicillin", flags=(UNKNOWN_MEDICINE,))
    assert page_with(proposed).medicines[0].line.flags == ()
    atenolol = page_with(proposed, name="Atenolol").medicines[0].line
    assert (atenolol.generic, atenolol.flags) == ("atenolol", (UNKNOWN_STRENGTH, UNKNOWN_FORM))
    unheard = page_with(proposed, name="Zzyqwxk").medicines[0].line
    assert (unheard.generic, unheard.flags) == (None, (UNKNOWN_MEDICINE,))


def test_json_holds_every_field():
    value = json.loads(export_json([page_with(READ, EMPTY)]))
    assert (value["format"], value["version"]) == ("fedrx-prescriptions", 1)
    full, bare = value["pages"][0]["medicines"]
    assert full["frequency"] == {"text": "1+0+0.5", "times": 2, "period_hours": 24, "slot_quarters": [4, 0, 2]}
    assert full["quantity"] == {"count": 21, "unit": "capsule"}
    assert (full["generic"], full["route"], full["instructions"]) == ("amoxicillin", "oral", ["after-food"])
    assert bare["frequency"] is bare["strength"] is bare["quantity"] is None


def test_csv_has_a_row_for_each_medicine_and_computes_nothing():
    rows = list(csv.DictReader(io.StringIO(export_csv([page_with(READ, EMPTY, patient="=1+1")]).decode())))
    assert tuple(rows[0]) == COLUMNS
    assert len(rows) == 2
    assert rows[0]["patient"] == "'=1+1"
    assert (rows[0]["strength"], rows[0]["quantity"], rows[0]["as_needed"]) == ("500 mg", "qty 21 capsule", "yes")
