"""docs/spec/prescription.md, section 2."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prescriptions.dose_form import FORMS
from prescriptions.frequency import parse_frequency
from prescriptions.instructions import INSTRUCTIONS
from prescriptions.lexicon import NameMatch
from prescriptions.prescription_codec import line_of, line_value
from prescriptions.quantity import UNITS, Quantity
from prescriptions.route import ROUTES
from prescriptions.strength import parse_strength
from prescriptions.understand import FLAGS, MedicineLine
from protocol import canonical_json
from protocol.errors import MalformedError

shares = st.integers(0, 10_000).map(lambda n: n / 10_000)
lines = st.builds(
    MedicineLine,
    word_index=st.integers(0, 10_000),
    candidates=st.lists(st.builds(NameMatch, st.sampled_from(["Napa", "Amoxil"]), shares), max_size=5).map(tuple),
    strength=st.none() | st.sampled_from(["500 mg", "5 mg/5 ml", "0.05 %"]).map(parse_strength),
    form=st.none() | st.sampled_from(FORMS),
    frequency=st.none() | st.sampled_from(["1+0+0.5", "q8h", "q3d", "5 times daily", "bd", "sos"]).map(parse_frequency),
    duration_days=st.none() | st.integers(1, 1000),
    flags=st.lists(st.sampled_from(FLAGS), max_size=2).map(tuple),
    generic=st.none() | st.just("amoxicillin + clavulanate"),
    route=st.none() | st.sampled_from(ROUTES),
    quantity=st.none() | st.builds(Quantity, st.integers(1, 9999), st.none() | st.sampled_from(UNITS)),
    as_needed=st.booleans(),
    instructions=st.sets(st.sampled_from(INSTRUCTIONS)).map(lambda codes: tuple(sorted(codes))),
    confidence=shares,
)


@given(lines)
def test_a_line_survives_canonical_json(line):
    assert line_of(canonical_json.parse(canonical_json.encode(line_value(line)))) == line


@pytest.mark.parametrize(
    ("key", "value"),
    [("version", 2), ("word_index", -1), ("form", "pill"), ("route", "by hand"), ("strength", "500mg"),
     ("frequency", "twice daily"), ("duration_days", 0), ("quantity", "30"), ("as_needed", 1),
     ("instructions", ["rest"]),
     ("confidence", "nan"), ("confidence", "0.5"), ("flags", ["fine"]), ("candidates", [{"name": "Napa"}])],
)  # fmt: skip
def test_a_value_that_no_reader_writes_is_malformed(key, value):
    line = MedicineLine(0, (), None, None, None, None, ())
    with pytest.raises(MalformedError):
        line_of({**line_value(line), key: value})


def test_a_missing_or_unknown_key_is_malformed():
    value = line_value(MedicineLine(0, (), None, None, None, None, ()))
    with pytest.raises(MalformedError, match="unknown key"):
        line_of({**value, "patient": "x"})
    with pytest.raises(MalformedError, match="missing key"):
        line_of({key: value[key] for key in value if key != "route"})
