"""docs/spec/consent-formats.md: what a document of another system proposes, and what it is refused for."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pytest

from node.consent.formats.fhir_r5 import encode_r5
from node.consent.formats.instants import start_of
from node.consent.formats.proposal import grant_command, propose, read_foreign
from node.consent.formats.ts27560 import encode_ts27560
from protocol.consent_receipt import ByWaiver
from protocol.errors import ConfigError, ConsentError, MalformedError
from protocol.identifiers import Digest, site_id_of
from tests.node.consent.consent_documents import (
    CONFIG,
    DAY,
    FORMATS,
    GAVE,
    NOW,
    SITE,
    changed,
    foreign_r4b,
    made,
    with_events,
)

DUO = "http://purl.obolibrary.org/obo/duo.owl"


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
