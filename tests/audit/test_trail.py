"""The trail: every kind of event has a sentence, rows can be filtered, and labels are checked."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest

from audit.given import parse_lineage
from audit.names import Names, read_names
from audit.tables import trail_table
from audit.trail import KINDS, kind_of, trail
from protocol import ledger_events as ev
from protocol.errors import ConfigError
from protocol.identifiers import (
    CID,
    AccountAddress,
    AggregatorId,
    BlockHash,
    Digest,
    LineageId,
    SiteId,
    TxHash,
    aggregator_id_of,
    lineage_id_of,
    site_id_of,
)
from tests.audit.stage import honest_network, logs_of

NAMES = Names(["site-0", "tests", "aggregator-0"])
VALUES: dict[str, object] = {
    "SiteId": site_id_of("site-0"),
    "LineageId": lineage_id_of("tests"),
    "AggregatorId": aggregator_id_of("aggregator-0"),
    "AccountAddress": AccountAddress(b"\x11" * 20),
    "Digest": Digest(b"\x22" * 32),
    "CID": CID(b"\x33" * 32),
    "int": 3,
    "bytes": bytes([0, 90, 77]),
    "tuple[int, ...]": (7,),
    "tuple[AggregatorId, ...]": (aggregator_id_of("aggregator-0"),),
}


def located(event: ev.LedgerEvent) -> ev.LocatedEvent:
    return ev.LocatedEvent(ev.Position(1, 2, BlockHash(b"\x01" * 32), TxHash(b"\x02" * 32), 1_000_000), event)


def sample(kind: type) -> ev.LedgerEvent:
    return kind(**{field.name: VALUES[str(field.type)] for field in dataclasses.fields(kind)})


@pytest.mark.parametrize("kind", ev.LedgerEvent.__args__, ids=kind_of)
def test_every_kind_of_event_has_a_sentence_with_names_and_a_json_row(kind: type) -> None:
    (row,) = trail([located(sample(kind))], NAMES)
    assert row.kind == kind_of(kind)
    assert row.sentence != kind.__name__
    assert "_" not in row.sentence
    for name, label in (("site_id", "site-0"), ("lineage_id", "tests"), ("aggregator_id", "aggregator-0")):
        if hasattr(row.located.event, name):
            assert label in row.sentence
    value = json.loads(json.dumps(row.as_json()))
    assert set(value["event"]) == {field.name for field in dataclasses.fields(kind)}


def test_a_refusal_is_said_in_words() -> None:
    (row,) = trail([located(sample(ev.RoundFailed))], NAMES)
    assert row.sentence == (
        "round 3 of tests failed: 1 of 3 updates accepted "
        "(update 1: the update is longer than the plan's norm bound; update 2: unknown code 77); the head stays"
    )


def test_a_consent_root_says_who_gave_its_receipts() -> None:
    event = dataclasses.replace(sample(ev.ConsentRootPublished), patients=12, guardians=1, waivers=0)
    (row,) = trail([located(event)], NAMES)
    assert row.sentence == (
        "site site-0 published consent root 3 (receipts: 12 from patients, 1 from guardians, 0 by ethics waiver), "
        "valid until 1970-01-01 00:00:03Z"
    )


def test_a_row_names_its_site_lineage_and_round() -> None:
    rows = list(trail(logs_of(honest_network(rounds=2)), NAMES))
    registered = [row for row in rows if row.kind == "update-registered" and row.site == "site-0"]
    assert [(row.round, row.lineage) for row in registered] == [(1, "tests"), (2, "tests")]


def test_a_lineage_may_be_given_as_hex() -> None:
    assert parse_lineage(str(lineage_id_of("a"))) == lineage_id_of("a")
    with pytest.raises(ConfigError):
        parse_lineage("0x12")
    assert "round-finalized" in KINDS


def test_a_number_beyond_double_precision_is_hex_in_json() -> None:
    event = dataclasses.replace(sample(ev.RoundFailed), accepted=2**255)
    (row,) = trail([located(event)], NAMES)
    assert row.as_json()["event"]["accepted"] == hex(2**255)  # type: ignore[index,call-overload]


def test_a_deadline_beyond_every_calendar_is_still_shown() -> None:
    event = dataclasses.replace(sample(ev.RoundOpened), deadline=2**64 - 1)
    (row,) = trail([located(event)], NAMES)
    assert f"second {2**64 - 1}" in row.sentence


def test_the_table_has_a_row_for_each_event() -> None:
    events = logs_of(honest_network(rounds=1))
    assert trail_table(trail(events, NAMES)).row_count == len(events)


def test_an_unknown_id_is_shown_by_its_first_digits() -> None:
    assert Names().label(SiteId(b"\xab" * 32)) == "0xabababab…"
    assert Names(["a"]).label(LineageId(lineage_id_of("a"))) == "a"
    assert Names(["a"]).label(AggregatorId(aggregator_id_of("a"))) == "a"


def test_a_directory_file_names_ids_and_a_false_entry_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "names.toml"
    file.write_text(f'[sites]\ndhaka-general = "{site_id_of("dhaka-general")}"\n')
    assert read_names(file, ["extra"]).label(site_id_of("dhaka-general")) == "dhaka-general"
    file.write_text(f'[sites]\ndhaka-general = "{site_id_of("another")}"\n')
    with pytest.raises(ConfigError, match="not the digest of its slug"):
        read_names(file, [])
    for bad in ('[people]\na = "b"\n', "sites = 3\n", "[sites]\na = 5\n", "[sites\n"):
        file.write_text(bad)
        with pytest.raises(ConfigError):
            read_names(file, [])
    with pytest.raises(ConfigError):
        read_names(tmp_path / "none.toml", [])
