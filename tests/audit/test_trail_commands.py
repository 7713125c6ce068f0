"""What the trail's commands understand, and what ``watch`` tells."""

from __future__ import annotations

from collections import deque
from dataclasses import replace

import pytest

from audit.index.database import open_database
from audit.index.filling import fill
from audit.index.searching import Search, parse_search, search
from audit.names import Names
from audit.tables import trail_csv, trail_line
from audit.trail import trail
from audit.trail_commands import _expect_known, _news
from protocol.errors import ConfigError, LedgerUnavailableError
from protocol.identifiers import site_id_of
from tests.audit.index.test_trail_index import admit
from tests.fakes.ledger_world import FakeWorld


def words(**given: object) -> Search:
    names = ("site", "lineage", "round_number", "kinds", "model", "consent_root", "tx", "since", "until", "newest")
    return parse_search(*(given.get(name) for name in names))


def test_words_become_a_search() -> None:
    digest = "0x" + "ab" * 32
    found = words(site="north", since="2026-01-31", until="2026-01-31T12:30Z", model=digest, tx=digest, newest=5)
    assert found.site_id == site_id_of("north")
    assert words(site=str(site_id_of("north"))) == words(site="north")
    assert (found.until or 0) - (found.since or 0) == 12 * 3600 + 1800
    assert str(found.model_digest) == str(found.tx_hash) == digest


def test_a_time_with_an_offset_is_the_same_moment() -> None:
    assert words(since="2026-01-31T12:30+06:00") == words(since="2026-01-31T06:30Z")


@pytest.mark.parametrize(
    ("given", "error"),
    [
        ({"kinds": ["update"]}, ConfigError),
        ({"since": "yesterday"}, ConfigError),
        ({"until": "2026-13-01"}, ConfigError),
        ({"model": "0x12"}, ConfigError),
        ({"tx": "north"}, ConfigError),
        ({"site": "0x12"}, ConfigError),
    ],
)
def test_words_that_mean_nothing_are_refused(given: dict[str, object], error: type[Exception]) -> None:
    with pytest.raises(error):
        words(**given)


def test_a_site_that_the_chain_does_not_know_is_no_quiet_site() -> None:
    world = FakeWorld()
    admit(world, "north")
    engine = open_database("sqlite://")
    number = fill(engine, world.fresh_ledger())
    _expect_known(engine, [number], words(site="north", kinds=["site-left"]))
    _expect_known(engine, [number], words(round_number=3))
    for given in ({"site": "nroth"}, {"lineage": "nobody"}):
        with pytest.raises(ConfigError, match="knows no such"):
            _expect_known(engine, [number], words(**given))


def test_watching_tells_each_event_once() -> None:
    world = FakeWorld()
    ledger, engine = world.fresh_ledger(), open_database("sqlite://")
    number = fill(engine, ledger)
    shown = deque(search(engine, number, Search()))
    admit(world, "one")
    assert [e.event.site_id for e in _news(engine, number, ledger, Search(), shown)] == [site_id_of("one")]
    assert list(_news(engine, number, ledger, Search(), shown)) == []
    admit(world, "two")
    world.chain.down = True
    with pytest.raises(LedgerUnavailableError):
        list(_news(engine, number, ledger, Search(), shown))
    world.chain.down = False
    assert [e.event.site_id for e in _news(engine, number, ledger, Search(), shown)] == [site_id_of("two")]


def test_watching_says_what_a_reorganisation_made_void(capsys: pytest.CaptureFixture[str]) -> None:
    world = FakeWorld()
    ledger, engine = world.fresh_ledger(), open_database("sqlite://")
    number = fill(engine, ledger)
    shown = deque(search(engine, number, Search()))
    admit(world, "lost")
    list(_news(engine, number, ledger, Search(), shown))
    world.chain.reorganize(1)
    world.advance(1)
    assert list(_news(engine, number, ledger, Search(), shown)) == []
    assert "the newest is void (1 event)" in capsys.readouterr().err


def test_no_cell_of_a_spreadsheet_begins_like_a_formula() -> None:
    world = FakeWorld()
    admit(world, "site")
    engine = open_database("sqlite://")
    rows = list(trail(search(engine, fill(engine, world.fresh_ledger()), Search()), Names(["site"])))
    header, *cells = trail_csv([*rows, replace(rows[-1], site="=1+1", sentence="+1 was admitted")])
    assert len(header) == len(cells[-1])
    assert "'=1+1" in cells[-1]
    assert "'+1 was admitted" in cells[-1]
    assert "site was admitted" in trail_line(rows[-1])
