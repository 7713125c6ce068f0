"""Two endpoints' event logs are compared one by one, and the first that is not the same is named."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateways.ledger.comparing import EventsPartError, agreed_events
from protocol import ledger_events as ev
from protocol.identifiers import BlockHash, Digest, SiteId, TxHash
from tests.protocol.values import account_of

NAMES = ("the RPC endpoint one", "the RPC endpoint other")


def located(place: int) -> ev.LocatedEvent:
    number = place.to_bytes(32, "big")
    position = ev.Position(1 + place // 3, place % 3, BlockHash(number), TxHash(number), 1_700_000_000 + place)
    return ev.LocatedEvent(position, ev.SiteLeft(SiteId(number)))


def told(one: list[ev.LocatedEvent], other: list[ev.LocatedEvent]) -> tuple[list[ev.LocatedEvent], str]:
    """What was passed on, and why no more."""
    passed: list[ev.LocatedEvent] = []
    try:
        passed.extend(agreed_events(iter(one), iter(other), NAMES))
    except EventsPartError as error:
        return passed, error.what
    return passed, ""


@given(st.integers(0, 20))
def test_what_both_tell_is_passed_on(count: int) -> None:
    events = [located(place) for place in range(count)]
    assert told(events, list(events)) == (events, "")


@given(st.integers(1, 20), st.data(), st.booleans())
def test_an_event_that_one_leaves_out_is_named_and_nothing_behind_it_is_passed_on(
    count: int, data: st.DataObject, first_lies: bool
) -> None:
    events = [located(place) for place in range(count)]
    lost = data.draw(st.integers(0, count - 1))
    short = events[:lost] + events[lost + 1 :]
    passed, why = told(short, events) if first_lies else told(events, short)
    assert passed == events[:lost]
    at = events[lost].position
    honest, lying = reversed(NAMES) if first_lies else NAMES
    assert why == f"{honest} tells SiteLeft in block {at.block_number}, log {at.log_index}, and {lying} does not"


@pytest.mark.parametrize(
    "changed",
    [
        {"timestamp": 1},
        {"tx_hash": TxHash(b"\x07" * 32)},
        {"block_hash": BlockHash(b"\x07" * 32)},
    ],
)
def test_another_position_of_an_event_is_told_otherwise(changed: dict[str, object]) -> None:
    events = [located(place) for place in range(3)]
    moved = dataclasses.replace(events[1], position=dataclasses.replace(events[1].position, **changed))
    passed, why = told(events, [events[0], moved, events[2]])
    assert passed == events[:1]
    assert why == f"{NAMES[0]} tells SiteLeft in block 1, log 1, and {NAMES[1]} tells it otherwise"


def test_another_kind_of_event_is_named_with_both_kinds() -> None:
    mine = located(0)
    theirs = ev.LocatedEvent(mine.position, ev.SiteAdmitted(mine.event.site_id, account_of("x"), 0, Digest(bytes(32))))
    with pytest.raises(EventsPartError, match=r"SiteLeft in block 1, log 0, .* otherwise, as SiteAdmitted") as caught:
        list(agreed_events(iter([mine]), iter([theirs]), NAMES))
    assert (caught.value.one, caught.value.other) == (mine, theirs)
