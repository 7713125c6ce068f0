"""Where two endpoints' chains part: events that were changed, left out or made up, and blocks that were rewritten."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from audit import diff_command
from audit.names import Names
from audit.parting import parting_sentences, where_they_part
from protocol.deployment import encode_deployment
from protocol.errors import AuditError
from protocol.identifiers import site_id_of
from protocol.ledger_events import LocatedEvent
from tests.audit.index.test_trail_index import admit
from tests.audit.test_commands import command
from tests.fakes.ledger import FakeLedger
from tests.fakes.ledger_world import FakeWorld
from tests.fixtures_chain import ContractWorld

NAMES = Names(["north", "south", "east"])


def two_worlds(common: int = 2) -> tuple[FakeWorld, FakeWorld]:
    """The same chain twice; what is done to one of them afterwards is a fork's own."""
    worlds = FakeWorld(), FakeWorld()
    for world in worlds:
        for number in range(common):
            admit(world, f"site-{number}")
    return worlds


class LeavesOut(FakeLedger):
    """Tells every block and hides the events about one site."""

    def events(self, from_block: int, to_block: int) -> Iterator[LocatedEvent]:
        for located in super().events(from_block, to_block):
            if getattr(located.event, "site_id", None) != site_id_of("site-0"):
                yield located


def test_two_endpoints_of_one_chain_tell_the_same() -> None:
    one, other = two_worlds()
    found = where_they_part(one.fresh_ledger(), other.fresh_ledger())
    assert found.same
    assert found.same_events == 3
    (line,) = parting_sentences(found, NAMES)
    assert line == f"both endpoints tell the same 3 events and the same block {one.chain.head().number}"


def test_an_endpoint_that_lags_behind_is_compared_as_far_as_it_goes() -> None:
    one, other = two_worlds()
    admit(one, "north")
    found = where_they_part(one.fresh_ledger(), other.fresh_ledger())
    assert found.same
    assert found.compared_to == other.chain.head().number


def test_a_rewritten_block_and_the_first_event_that_differs_are_named() -> None:
    one, other = two_worlds()
    last_common = one.chain.head().number
    other.chain._seed = b"fork"
    admit(one, "north")
    admit(other, "south")
    admit(one, "east")
    admit(other, "east")
    found = where_they_part(one.fresh_ledger(), other.fresh_ledger())
    assert (found.block, found.same_events) == (last_common + 1, 3)
    lines = list(parting_sentences(found, NAMES))
    assert lines[0] == f"the chains part at block {last_common + 1}; compared up to block {found.compared_to}"
    assert "site north was admitted" in lines[2]
    assert "site south was admitted" in lines[3]


def test_empty_blocks_that_differ_part_the_chains_too() -> None:
    one, other = two_worlds()
    other.chain._seed = b"fork"
    one.advance(10)
    other.advance(10)
    found = where_they_part(one.fresh_ledger(), other.fresh_ledger())
    assert (found.same, found.one, found.other) == (False, None, None)
    assert found.block == found.compared_to
    assert len(list(parting_sentences(found, NAMES))) == 2


@pytest.mark.parametrize("hidden", [0, 1])
def test_an_event_that_is_left_out_is_found_although_the_blocks_agree(hidden: int) -> None:
    one, other = two_worlds()
    ledgers = [one.fresh_ledger(), LeavesOut(other.chain, None)]
    found = where_they_part(*(ledgers if hidden else reversed(ledgers)))
    assert (found.same, found.block, found.same_events) == (False, None, 1)
    lines = list(parting_sentences(found, NAMES))
    assert "an endpoint lies" in lines[0]


def test_events_that_only_one_endpoint_tells_at_the_end_are_named() -> None:
    world, _ = two_worlds(common=1)
    found = where_they_part(world.fresh_ledger(), LeavesOut(world.chain, None))
    assert found.one is not None
    assert found.other is None
    assert list(parting_sentences(found, NAMES))[-1] == "and the other endpoint:   nothing more"


def test_the_command_fails_when_the_chains_part(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    one, other = two_worlds()
    other.chain._seed = b"fork"
    admit(one, "north")
    admit(other, "south")
    ledgers = {"http://one": one.fresh_ledger(), "http://other": other.fresh_ledger()}
    monkeypatch.setattr(diff_command, "connect_ledger", lambda options: ledgers[options.rpc_url])
    words = ["diff", "--deployment", str(tmp_path / "d"), "--rpc", "http://one", "--other-rpc", "http://other"]
    done = command(*words, "--name", "north")
    assert done.code == AuditError.exit_code
    assert "site north was admitted" in done.stdout
    assert "do not tell the same chain" in done.stderr
    value = json.loads(command(*words, "--json").stdout)
    assert (value["same"], value["same_events"], value["first_endpoint"]["kind"]) == (False, 3, "site-admitted")


def test_what_is_asked_for_must_be_one_thing(tmp_path: Path) -> None:
    words = ["diff", "--deployment", str(tmp_path / "d"), "--rpc", "http://one"]
    assert command(*words).code == 2
    assert command(*words, "1").code == 2
    assert command(*words, "1", "2", "--other-rpc", "http://other").code == 2


@pytest.mark.chain
def test_one_real_endpoint_agrees_with_itself(contract: ContractWorld, tmp_path: Path) -> None:
    path = tmp_path / "deployment.json"
    path.write_bytes(encode_deployment(contract.deployment))
    url = contract.chain.url
    done = command("diff", "--deployment", str(path), "--rpc", url, "--other-rpc", url)
    assert (done.code, done.stdout.startswith("both endpoints tell the same 1 events")) == (0, True)
