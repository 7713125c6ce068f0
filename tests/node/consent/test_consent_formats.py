"""docs/spec/consent-formats.md: FHIR R4B, FHIR R5 and ISO/IEC TS 27560, out and in."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from fhir.resources.consent import Consent as ConsentR5
from fhir.resources.R4B.consent import Consent as ConsentR4B
from hypothesis import given, settings
from hypothesis import strategies as st

from node.consent.formats.document import Document
from node.consent.formats.fhir_r4b import encode_r4b, read_r4b
from node.consent.formats.fhir_r5 import encode_r5, read_r5
from node.consent.formats.instants import end_of, start_of
from node.consent.formats.proposal import grant_command, propose, read_foreign
from node.consent.formats.record import ConsentRecord, ReadConsent
from node.consent.formats.ts27560 import encode_ts27560, read_ts27560
from protocol.consent_factor import NO_SECOND_FACTOR, PatientCode, StaffCodeAndForm
from protocol.consent_receipt import (
    BY_PATIENT,
    DUO_PURPOSES,
    RELATIONS,
    ByGuardian,
    ByWaiver,
    ConsentReceipt,
)
from protocol.errors import ConfigError, ConsentError, MalformedError
from protocol.identifiers import AccountAddress, Digest, site_id_of

EXAMPLES = Path(__file__).parent / "fhir_examples"
SITE = site_id_of("dhaka-general")
DAY = 24 * 3600
NOW = 1_790_000_000
CONFIG = Path("node.toml")
DUO = "http://purl.obolibrary.org/obo/duo.owl"
FORMATS: dict[str, tuple[Callable[[ConsentRecord], bytes], Callable[[Document], ReadConsent]]] = {
    "fhir-r4b": (encode_r4b, read_r4b),
    "fhir-r5": (encode_r5, read_r5),
    "ts27560": (encode_ts27560, read_ts27560),
}

digests = st.binary(min_size=32, max_size=32).map(Digest)
words = st.text(st.characters(categories=("Lu", "Ll", "Lo", "Nd", "Po")), min_size=1, max_size=20)
factors = st.one_of(
    st.just(NO_SECOND_FACTOR),
    st.integers(0, 2**53 - 1).map(PatientCode),
    st.builds(StaffCodeAndForm, st.just("sister.akter"), st.integers(0, 2**53 - 1), digests),
)


@st.composite
def records(draw: st.DrawFn) -> ConsentRecord:
    granted_at = draw(st.integers(0, 4_000_000_000))
    decided_on = datetime.fromtimestamp(granted_at, UTC).date() - timedelta(days=draw(st.integers(0, 300)))
    giver = draw(
        st.one_of(
            st.just(BY_PATIENT),
            st.sampled_from(RELATIONS).map(ByGuardian),
            digests.map(lambda digest: ByWaiver(digest, max(decided_on, date(1970, 1, 1)))),
        )
    )
    waived = isinstance(giver, ByWaiver)
    factor = draw(factors)
    receipt = ConsentReceipt(
        receipt_id=draw(digests),
        site_id=SITE,
        patient=draw(words),
        purposes=tuple(sorted(draw(st.sets(st.sampled_from(sorted(DUO_PURPOSES)), min_size=1)))),
        language=draw(st.sampled_from(("en", "bn", "bn-BD", "zh-Hant-TW"))),
        notice_digest=draw(digests),
        notice_version=draw(st.from_regex(r"[0-9A-Za-z.-]{1,32}", fullmatch=True)),
        method="ethics-decision" if waived else draw(st.sampled_from(("signed-form", "verbal-witnessed"))),
        asked_by=draw(words),
        witness=AccountAddress(draw(st.binary(min_size=20, max_size=20))),
        granted_at=granted_at,
        expires_at=granted_at + draw(st.integers(1, 4000 * DAY)),
        giver=giver,
        second_factor=NO_SECOND_FACTOR if waived and isinstance(factor, PatientCode) else factor,
    )
    return ConsentRecord(receipt, draw(st.one_of(st.none(), st.integers(granted_at, granted_at + 900 * DAY))))


def rebuilt(read: ReadConsent) -> ConsentRecord:
    """The record that a document holds whole."""
    fields = {field.name: getattr(read, field.name) for field in dataclasses.fields(ConsentReceipt)}
    return ConsentRecord(ConsentReceipt(**fields), read.withdrawn_at)


def made(**changes: Any) -> ConsentRecord:
    values: dict[str, Any] = {
        "receipt_id": Digest(b"\x31" * 32), "site_id": SITE, "patient": "P-0042", "purposes": ("DUO:0000006",),
        "language": "bn", "notice_digest": Digest(b"\x32" * 32), "notice_version": "1", "method": "signed-form",
        "asked_by": "Dr Khan", "witness": AccountAddress(b"\x11" * 20), "granted_at": NOW,
        "expires_at": NOW + 365 * DAY,
    }  # fmt: skip
    withdrawn_at = changes.pop("withdrawn_at", None)
    return ConsentRecord(ConsentReceipt(**(values | changes)), withdrawn_at)


def changed(data: bytes, change: Callable[[dict[str, Any]], object]) -> bytes:
    value = json.loads(data)
    change(value)
    return json.dumps(value).encode()


@pytest.mark.parametrize("name", FORMATS)
@settings(max_examples=60, deadline=None)
@given(record=records())
def test_a_consent_comes_back_whole_and_nothing_of_it_is_left_out(name: str, record: ConsentRecord) -> None:
    encode, read = FORMATS[name]
    found = read(Document(encode(record)))
    assert found.dropped == ()
    assert rebuilt(found) == record
    assert found.active is (record.withdrawn_at is None)
    assert found.given_by == record.receipt.given_by
    assert read_foreign(encode(record)) == found


@pytest.mark.parametrize("name", ["fhir-r4b", "fhir-r5"])
def test_a_resource_names_nothing_on_the_web_that_is_this_projects(name: str) -> None:
    text = FORMATS[name][0](made()).decode()
    hosts = {re.match(r"[a-z0-9.]+", part).group() for part in text.split("http://")[1:]}
    assert hosts <= {"hl7.org", "terminology.hl7.org", "loinc.org", "purl.obolibrary.org"}
    assert "https://" not in text


def test_fhir_says_who_agreed_where_fhir_looks_for_it() -> None:
    r4b = json.loads(encode_r4b(made(giver=ByGuardian("parent"))))
    assert r4b["performer"] == [{"type": "RelatedPerson", "display": "parent"}]
    assert r4b["policyRule"]["coding"][0]["code"] == "OPTIN"
    r5 = json.loads(encode_r5(made(giver=ByGuardian("parent"))))
    assert r5["grantor"] == [{"type": "RelatedPerson", "display": "parent"}]
    assert r5["decision"] == "permit"
    waiver = made(giver=ByWaiver(Digest(b"\x34" * 32), date(2026, 1, 1)), method="ethics-decision")
    assert "performer" not in json.loads(encode_r4b(waiver))
    basis = json.loads(encode_r5(waiver))["regulatoryBasis"][0]["coding"][0]
    assert basis == {"system": "urn:fedrx:consent-basis", "code": "ethics-waiver"}


def test_a_withdrawn_consent_is_inactive() -> None:
    for encode in (encode_r4b, encode_r5):
        assert json.loads(encode(made(withdrawn_at=NOW + 5)))["status"] == "inactive"
    events = json.loads(encode_ts27560(made(withdrawn_at=NOW + 5)))["events"]
    assert [event["event_state"] for event in events] == ["consent_given", "consent_withdrawn"]


def test_a_name_that_fhir_cannot_hold_is_refused() -> None:
    with pytest.raises(MalformedError, match="cannot be written as FHIR"):
        encode_r4b(made(asked_by=""))


R4B_EXAMPLES = sorted((EXAMPLES / "r4b").glob("*.json"))
R5_EXAMPLES = sorted((EXAMPLES / "r5").glob("*.json"))


@pytest.mark.parametrize(
    ("path", "model"),
    [(path, ConsentR4B) for path in R4B_EXAMPLES] + [(path, ConsentR5) for path in R5_EXAMPLES],
    ids=lambda value: value.parent.name + "/" + value.stem if isinstance(value, Path) else "",
)
def test_the_standards_examples_keep_their_content(path: Path, model: Any) -> None:
    value = json.loads(path.read_bytes())
    assert json.loads(model.model_validate(value).model_dump_json()) == value


@pytest.mark.parametrize("path", R4B_EXAMPLES + R5_EXAMPLES, ids=lambda path: path.parent.name + "/" + path.stem)
def test_each_example_of_the_standards_is_read_or_refused_with_a_reason(path: Path) -> None:
    """None of them names a purpose of the Data Use Ontology, so none proposes a grant."""
    with pytest.raises(ConsentError) as refused:
        propose(read_foreign(path.read_bytes()), SITE, NOW)
    assert refused.value.hint


def test_some_examples_are_refused_for_what_they_say() -> None:
    reasons = {}
    for path in R4B_EXAMPLES + R5_EXAMPLES:
        try:
            read_foreign(path.read_bytes())
        except ConsentError as error:
            reasons[f"{path.parent.name}/{path.stem.removeprefix('Consent-consent-example-')}"] = error.what
    assert "r4b/basic" not in reasons
    assert "permits" in reasons["r4b/grantor"]
    assert "permits" in reasons["r5/basic"]
    assert "limits the consent by its actor" in reasons["r4b/signature"]
    assert "limits the consent by its actor" in reasons["r5/CDA"]


def foreign_r4b(**changes: Any) -> bytes:
    value: dict[str, Any] = {
        "resourceType": "Consent",
        "status": "active",
        "scope": {"coding": [{"code": "research"}]},
        "category": [{"text": "research"}],
        "patient": {"reference": "Patient/7", "identifier": {"value": "P-7"}, "display": "Rahima"},
        "dateTime": "2026-09-01",
        "performer": [{"reference": "Patient/7"}],
        "sourceAttachment": {"title": "form", "language": "bn"},
        "policyRule": {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "OPTIN"}]},
        "provision": {
            "period": {"start": "2026-09-01", "end": "2026-12-31"},
            "purpose": [
                {"system": "http://purl.obolibrary.org/obo/", "code": "DUO_0000042"},
                {"system": "http://terminology.hl7.org/CodeSystem/v3-ActReason", "code": "HRESCH"},
            ],
        },
    }
    return json.dumps(value | changes).encode()


def test_a_foreign_consent_proposes_a_grant_and_names_what_is_left_out() -> None:
    found = read_foreign(foreign_r4b())
    assert set(found.dropped) == {
        "patient.reference",
        "patient.display",
        "sourceAttachment.title",
        "provision.purpose[1].system",
        "provision.purpose[1].code",
    }
    proposed = propose(found, SITE, NOW)
    assert (proposed.patient, proposed.purposes, proposed.language) == ("P-7", ("DUO:0000042",), "bn")
    left = datetime(2027, 1, 1, tzinfo=UTC).timestamp() - NOW
    assert proposed.days == left // DAY
    assert grant_command(proposed, CONFIG) == (
        "fedrx node consent grant --witness NAME --asked-by NAME --purpose DUO:0000042 "
        f"--days {proposed.days} --language bn --config node.toml P-7"
    )


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"status": "inactive"}, "does not stand"),
        ({"status": "draft"}, "does not stand"),
        ({"policyRule": {"text": "?"}}, "does not say that the patient permits"),
        ({"provision": {"type": "deny"}}, "does not say that the patient permits"),
        ({"provision": {"securityLabel": [{"code": "R"}]}}, "limits the consent by its securityLabel"),
        ({"provision": {"provision": [{"type": "deny"}]}}, "limits the consent by its provision"),
        ({"provision": {"action": [{"text": "access"}]}}, "limits the consent by its action"),
        (
            {"provision": {"purpose": [{"system": "http://purl.obolibrary.org/obo/duo.owl", "code": "DUO:0000018"}]}},
            "DUO:0000018, which has no place",
        ),
        ({"provision": {}}, "names no purpose"),
        ({"implicitRules": "urn:x"}, "modifier"),
        ({"modifierExtension": [{"url": "urn:x", "valueBoolean": True}]}, "modifier"),
    ],
)
def test_what_narrows_or_denies_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ConsentError, match=message):
        propose(read_foreign(foreign_r4b(**changes)), SITE, NOW)


def test_an_ended_or_future_consent_proposes_nothing() -> None:
    found = read_foreign(foreign_r4b())
    with pytest.raises(ConsentError, match="less than a day"):
        propose(found, SITE, start_of("2026-12-31T12:00:00Z"))
    with pytest.raises(ConsentError, match="begin"):
        propose(found, SITE, start_of("2026-08-31T00:00:00Z"))


def test_another_sites_identifier_of_a_patient_means_nothing_here() -> None:
    found = read_foreign(encode_r5(made()))
    assert propose(found, SITE, NOW).patient == "P-0042"
    assert propose(found, site_id_of("another"), NOW).patient is None
    other = {"reference": "Patient/7", "identifier": {"system": "urn:oid:1.2.3", "value": "999"}}
    assert read_foreign(foreign_r4b(patient=other)).patient is None


def test_a_waiver_is_not_taken_over() -> None:
    waiver = made(giver=ByWaiver(Digest(b"\x34" * 32), date(2026, 1, 1)), method="ethics-decision")
    for encode, _ in FORMATS.values():
        with pytest.raises(ConsentError, match="committee's decision"):
            propose(read_foreign(encode(waiver)), SITE, NOW)


def test_a_guardian_of_a_foreign_document_must_be_said() -> None:
    found = read_foreign(foreign_r4b(performer=[{"reference": "RelatedPerson/1"}]))
    assert "--guardian RELATION" in grant_command(propose(found, SITE, NOW), CONFIG)


def test_a_strangers_words_cannot_pass_for_options_or_commands() -> None:
    sly = {"identifier": {"value": "--witness=mallory; rm -rf ~"}, "reference": "Patient/7"}
    found = read_foreign(foreign_r4b(patient=sly))
    assert grant_command(propose(found, SITE, NOW), CONFIG).endswith("-- '--witness=mallory; rm -rf ~'")


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[]",
        b'"x"',
        b"\xff",
        b"{}",
        b'{"resourceType": "Patient"}',
        b'{"a": 1, "a": 2}',
        b"[" * 100_000,
        b'{"resourceType": "Consent", "scope": {}}',
        b'{"schema_version": 7}',
        b'{"schema_version": "ISO 1"}',
    ],
)
def test_what_is_no_consent_document_is_malformed(data: bytes) -> None:
    with pytest.raises(MalformedError):
        read_foreign(data)


def test_a_record_of_ts27560_with_an_unknown_state_or_limit_does_not_stand() -> None:
    mine = encode_ts27560(made())

    def expired(value: dict[str, Any]) -> None:
        value["events"].append({"event_state": "consent_expired"})

    with pytest.raises(ConsentError, match="does not stand"):
        propose(read_foreign(changed(mine, expired)), SITE, NOW)

    def limited(value: dict[str, Any]) -> None:
        value["pii_processing"]["purposes"][0]["geographic_restrictions"] = ["BD"]

    with pytest.raises(ConsentError, match="geographic_restrictions"):
        read_foreign(changed(mine, limited))

    def other_data(value: dict[str, Any]) -> None:
        value["pii_processing"]["purposes"][0]["pii_information"] = [{"pii_type": "genome"}]

    with pytest.raises(ConsentError, match="pii_information"):
        read_foreign(changed(mine, other_data))


def with_events(*events: dict[str, Any]) -> bytes:
    return changed(encode_ts27560(made()), lambda value: value.update(events=list(events)))


GAVE = {"event_state": "consent_given", "event_time": "2026-09-01T08:00:00Z"}
WITHDREW = {"event_state": "consent_withdrawn", "event_time": "2026-09-02T08:00:00Z"}


@pytest.mark.parametrize(
    "events",
    [
        (WITHDREW, GAVE),
        (WITHDREW | {"event_time": GAVE["event_time"]}, GAVE),
        (WITHDREW | {"event_time": "2026-09-01"}, GAVE),
        ({"event_state": "consent_expired"}, GAVE),
    ],
)
def test_a_withdrawal_counts_wherever_it_stands_in_the_list(events: tuple[dict[str, Any], ...]) -> None:
    assert not read_foreign(with_events(*events)).active


def test_a_consent_that_was_given_again_stands() -> None:
    again = GAVE | {"event_time": "2026-09-03T08:00:00Z"}
    found = read_foreign(with_events(again, WITHDREW, GAVE))
    assert (found.active, found.withdrawn_at, found.granted_at) == (True, None, start_of("2026-09-03T08:00:00Z"))


@pytest.mark.parametrize("state", ["consent_given", "consent_withdrawn"])
def test_an_event_of_a_known_state_without_a_time_is_malformed(state: str) -> None:
    with pytest.raises(MalformedError, match="event_time"):
        read_foreign(with_events(GAVE, {"event_state": state}))


GUARDIAN = "https://ehr.example/fhir/RelatedPerson/1"


@pytest.mark.parametrize(
    "performer",
    [{"reference": GUARDIAN}, {"reference": f"{GUARDIAN}/_history/2"}, {"type": "RelatedPerson", "reference": "#g"}],
)
def test_a_guardian_is_one_however_the_reference_is_written(performer: dict[str, str]) -> None:
    for data in (foreign_r4b(performer=[performer]), changed_grantor([performer])):
        assert propose(read_foreign(data), SITE, NOW).by_guardian


@pytest.mark.parametrize(
    "performers",
    [
        [{"reference": "urn:uuid:0d6b6c3a-25a5-4c6f-8f0a-3f6a1d0e4c11"}],
        [{"reference": "#mother"}],
        [{"display": "her mother"}],
        [{"reference": "Practitioner/1"}],
        [{"type": "Patient", "reference": "RelatedPerson/1"}],
        [{"reference": "Patient/7"}, {"reference": "RelatedPerson/1"}],
    ],
)
def test_a_giver_of_no_known_kind_is_not_taken_for_the_patient(performers: list[dict[str, str]]) -> None:
    for data in (foreign_r4b(performer=performers), changed_grantor(performers)):
        with pytest.raises(ConsentError, match="gave the consent") as refused:
            read_foreign(data)
        assert refused.value.hint


def changed_grantor(grantors: list[dict[str, Any]], **subject: Any) -> bytes:
    """An R5 consent of another system: without our extension about who gave it."""

    def change(value: dict[str, Any]) -> None:
        value["extension"] = [item for item in value["extension"] if not item["url"].endswith("given-by")]
        value["grantor"] = grantors
        value["subject"] |= subject

    return changed(encode_r5(made()), change)


@pytest.mark.parametrize("reference", ["Patient/7", "https://ehr.example/fhir/Patient/7"])
@pytest.mark.parametrize("version", ["", "/_history/3"])
def test_the_patient_gave_it_where_the_document_says_so(reference: str, version: str) -> None:
    giver = {"reference": reference + version}
    for data in (
        foreign_r4b(performer=[giver], patient={"reference": reference, "identifier": {"value": "P-7"}}),
        changed_grantor([giver], reference=reference),
        changed_grantor([{"type": "Patient", "identifier": {"system": "urn:fedrx:patient", "value": "P-0042"}}]),
    ):
        assert read_foreign(data).given_by == "patient"


@pytest.mark.parametrize(
    "giver",
    [
        {"reference": "Patient/8"},
        {"reference": "https://ehr.example/fhir/Patient/7"},
        {"type": "Patient", "display": "Rahima"},
        {"type": "Patient", "identifier": {"value": "P-8"}},
        {"type": "Patient", "identifier": {"system": "urn:oid:1.2.3", "value": "P-7"}},
        {"reference": "Patient/7", "identifier": {"value": "P-8"}},
        {"reference": "Patient/8", "identifier": {"value": "P-7"}},
    ],
)
def test_a_patient_who_is_not_shown_to_be_the_one_that_it_is_about_gave_nothing(giver: dict[str, Any]) -> None:
    subject = {"reference": "Patient/7", "identifier": {"value": "P-7"}}
    for data in (foreign_r4b(performer=[giver], patient=subject), changed_grantor([giver], **subject)):
        with pytest.raises(ConsentError, match="the one whom it is about"):
            read_foreign(data)


def without_giver(value: dict[str, Any]) -> None:
    for key in ("performer", "grantor", "extension"):
        value.pop(key, None)


def test_a_document_that_names_nobody_who_gave_it_proposes_nothing() -> None:
    for data in (foreign_r4b(), encode_r4b(made()), encode_r5(made())):
        with pytest.raises(ConsentError, match="does not say who gave the consent"):
            propose(read_foreign(changed(data, without_giver)), SITE, NOW)

    def silent(value: dict[str, Any]) -> None:
        del value["urn:fedrx:consent:receipt"]
        for purpose in value["pii_processing"]["purposes"]:
            del purpose["lawful_basis"]

    with pytest.raises(ConsentError, match="does not say who gave the consent"):
        propose(read_foreign(changed(encode_ts27560(made()), silent)), SITE, NOW)


GIVERS = {
    "patient": made(),
    "parent": made(giver=ByGuardian("parent")),
    "spouse": made(giver=ByGuardian("spouse")),
    "waiver": made(giver=ByWaiver(Digest(b"\x34" * 32), date(2026, 1, 1)), method="ethics-decision"),
}


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("said", GIVERS)
@pytest.mark.parametrize("elsewhere", GIVERS)
def test_a_document_whose_places_differ_about_who_gave_it_is_refused(name: str, said: str, elsewhere: str) -> None:
    encode, _ = FORMATS[name]
    other = json.loads(encode(GIVERS[elsewhere]))

    def mixed(value: dict[str, Any]) -> None:
        for key in ("performer", "grantor", "policyRule", "regulatoryBasis", "pii_processing"):
            value.pop(key, None)
            if key in other:
                value[key] = other[key]

    data = changed(encode(GIVERS[said]), mixed)
    # A record of TS 27560 has one word for every guardian beside our field.
    if said == elsewhere or (name == "ts27560" and {said, elsewhere} == {"parent", "spouse"}):
        assert read_foreign(data).given_by == GIVERS[said].receipt.given_by
        return
    with pytest.raises(ConsentError, match="contradicts itself about who gave the consent"):
        read_foreign(data)


def test_a_guardian_is_read_from_the_basis_of_another_systems_record() -> None:
    def foreign(value: dict[str, Any]) -> None:
        del value["urn:fedrx:consent:receipt"]

    data = changed(encode_ts27560(made(giver=ByGuardian("parent"))), foreign)
    assert "--guardian RELATION" in grant_command(propose(read_foreign(data), SITE, NOW), CONFIG)


@pytest.mark.parametrize("encode", [encode_r4b, encode_r5])
def test_an_extension_that_stands_twice_is_refused(encode: Callable[[ConsentRecord], bytes]) -> None:
    def twice(value: dict[str, Any]) -> None:
        (giver,) = (item for item in value["extension"] if item["url"].endswith("given-by"))
        value["extension"].append(giver)

    def two_kinds(value: dict[str, Any]) -> None:
        (giver,) = (item for item in value["extension"] if item["url"].endswith("given-by"))
        giver["extension"].append({"url": "kind", "valueString": "guardian"})

    for change in (twice, two_kinds):
        with pytest.raises(MalformedError, match="twice"):
            read_foreign(changed(encode(made()), change))


def test_a_giver_without_a_kind_in_a_record_of_ts27560_is_refused() -> None:
    def unkind(value: dict[str, Any]) -> None:
        value["urn:fedrx:consent:receipt"]["given_by"] = {"relation": "parent"}

    with pytest.raises(ConsentError, match="who gave the consent"):
        read_foreign(changed(encode_ts27560(made()), unkind))


def test_no_code_that_a_terminal_obeys_comes_out_of_a_strangers_document() -> None:
    def sly(value: dict[str, Any]) -> None:
        value["note\x1b[2J\n\u202e"] = "x"

    assert all(place.isprintable() for place in read_foreign(changed(encode_ts27560(made()), sly)).dropped)

    limited = foreign_r4b(provision={"sly\x1b[2J" + "x" * 10**5: "x"})
    denied = foreign_r4b(provision={"purpose": [{"system": DUO, "code": "DUO:\x1b[2J" + "9" * 10**5}]})
    for data in (limited, denied, with_events(GAVE | {"event_time": "\x1b" * 10**5})):
        with pytest.raises((ConsentError, MalformedError)) as refused:
            read_foreign(data)
        assert str(refused.value).isprintable()
        assert len(str(refused.value)) < 1000

    def tongue(value: dict[str, Any]) -> None:
        value["pii_processing"]["language"] = "bn\x1b[2J"

    with pytest.raises(ConfigError, match="no language tag"):
        propose(read_foreign(changed(encode_ts27560(made()), tongue)), SITE, NOW)


@pytest.mark.parametrize(
    ("text", "start", "end"),
    [
        ("2026", "2026-01-01T00:00:00Z", "2027-01-01T00:00:00Z"),
        ("2026-12", "2026-12-01T00:00:00Z", "2027-01-01T00:00:00Z"),
        ("2028-02-29", "2028-02-29T00:00:00Z", "2028-03-01T00:00:00Z"),
        ("2026-05-26T00:41:10-04:00", "2026-05-26T04:41:10Z", "2026-05-26T04:41:10Z"),
    ],
)
def test_a_partial_date_lasts_to_its_end(text: str, start: str, end: str) -> None:
    assert (start_of(text), end_of(text)) == (start_of(start), start_of(end))


@pytest.mark.parametrize("text", ["", "2026-13", "9999", "2026-02-30", "2026-05-26T00:41:10", "yesterday"])
def test_what_is_no_time_is_malformed(text: str) -> None:
    with pytest.raises(MalformedError):
        end_of(text)
