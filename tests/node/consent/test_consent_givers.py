"""docs/spec/consent-formats.md: who gave a consent, and a document that does not say so or says two things."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date
from typing import Any

import pytest

from node.consent.formats.fhir_r4b import encode_r4b
from node.consent.formats.fhir_r5 import encode_r5
from node.consent.formats.proposal import grant_command, propose, read_foreign
from node.consent.formats.record import ConsentRecord
from node.consent.formats.ts27560 import encode_ts27560
from protocol.consent_receipt import ByGuardian, ByWaiver
from protocol.errors import ConsentError, MalformedError
from protocol.identifiers import Digest
from tests.node.consent.consent_documents import CONFIG, FORMATS, NOW, SITE, changed, changed_grantor, foreign_r4b, made

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
