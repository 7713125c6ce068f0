"""Broken rules are said while blocks come in, once each, and a reorganisation is no broken rule."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import pytest

from audit.index.database import open_database
from audit.index.filling import fill
from audit.index.following import events_behind
from audit.lookout import Lookout
from protocol import ledger_events as ev
from protocol.identifiers import BlockHash
from tests.audit.explorer.made_up import MadeUpNetwork, ToldChain, digest

NETWORK = MadeUpNetwork(3, 5)
Told = list[ev.LocatedEvent]


def before(block: int) -> Told:
    return [e for e in NETWORK.events if e.position.block_number < block]


def later(e: ev.LocatedEvent) -> ev.LocatedEvent:
    """The same event, mined again three blocks later."""
    number = e.position.block_number + 3
    at = dataclasses.replace(e.position, block_number=number, block_hash=BlockHash(digest("later", number)))
    return ev.LocatedEvent(at, e.event)


@pytest.fixture
def look(capsys: pytest.CaptureFixture[str]) -> Callable[[Told], list[str]]:
    """Shows a lookout what a chain tells now, and gives what it says."""
    chain, engine = ToldChain(NETWORK.events), open_database("sqlite://")
    lookout = Lookout(chain.identity, NETWORK.names)
    chain.told = before(10)
    fill(engine, chain, added=lookout.take)  # type: ignore[arg-type]

    def told(events: Told) -> list[str]:
        chain.told = events
        lookout.look(engine, fill(engine, chain))  # type: ignore[arg-type]
        return capsys.readouterr().err.splitlines()

    return told


def test_honest_blocks_are_nothing_to_say(look: Callable[[Told], list[str]]) -> None:
    for block in range(10, NETWORK.events[-1].position.block_number + 5, 4):
        assert look(before(block)) == []


def test_a_broken_rule_is_said_once(look: Callable[[Told], list[str]]) -> None:
    lost = next(e for e in NETWORK.events if isinstance(e.event, ev.RoundFinalized))
    whole = before(lost.position.block_number + 1)
    short = [e for e in whole if e != lost]
    (said,) = look(short)
    assert said.startswith("the event logs break a rule: Round 1 of last-conv: the votes decided the round")
    assert look(short) == []


def test_an_event_that_is_mined_again_in_a_later_block_breaks_no_rule(look: Callable[[Told], list[str]]) -> None:
    assert look(before(30)) == []
    kept = before(27)
    assert look(kept + [later(e) for e in before(30)[len(kept) :]]) == []


def test_what_is_behind_an_event_is_told_as_long_as_that_event_is_there() -> None:
    chain, engine = ToldChain(before(20)), open_database("sqlite://")
    number = fill(engine, chain)  # type: ignore[arg-type]
    told = chain.told
    assert events_behind(engine, number, None) == told
    assert events_behind(engine, number, told[4].position) == told[5:]
    assert events_behind(engine, number, told[-1].position) == []
    assert events_behind(engine, number, later(told[-1]).position) is None
