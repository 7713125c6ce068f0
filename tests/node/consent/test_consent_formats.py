"""docs/spec/consent-formats.md: FHIR R4B, FHIR R5 and ISO/IEC TS 27560, out and in."""

from __future__ import annotations

import dataclasses
import json
import re
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from fhir.resources.consent import Consent as ConsentR5
from fhir.resources.R4B.consent import Consent as ConsentR4B
from hypothesis import given, settings
from hypothesis import strategies as st

from node.consent.formats.document import Document
from node.consent.formats.fhir_r4b import encode_r4b
from node.consent.formats.fhir_r5 import encode_r5
from node.consent.formats.instants import end_of, start_of
from node.consent.formats.proposal import propose, read_foreign
from node.consent.formats.record import ConsentRecord, ReadConsent
from node.consent.formats.ts27560 import encode_ts27560
from protocol.consent_factor import NO_SECOND_FACTOR, PatientCode, StaffCodeAndForm
from protocol.consent_receipt import BY_PATIENT, DUO_PURPOSES, RELATIONS, ByGuardian, ByWaiver, ConsentReceipt
from protocol.errors import ConsentError, MalformedError
from protocol.identifiers import AccountAddress, Digest
from tests.node.consent.consent_documents import DAY, FORMATS, NOW, SITE, made

EXAMPLES = Path(__file__).parent / "fhir_examples"
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
