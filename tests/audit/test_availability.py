"""Which endpoint holds what the chain names."""

from __future__ import annotations

from pathlib import Path

from audit.availability import check_availability, named_contents
from audit.findings import WhyMissing
from audit.names import Names
from audit.tables import availability_json, availability_table
from protocol.identifiers import CID
from tests.audit.stage import LIMITS, honest_network, left_over, logs_of, store_of
from tests.fakes.block_store import FakeBlockStore
from tests.protocol.builders import Network


def failed_network() -> Network:
    network = Network(sites_count=4)
    network.open_round()
    network.register(network.sites[0])
    network.conclude()
    return network


def test_every_cid_on_chain_is_named_once() -> None:
    network = honest_network(rounds=1)
    contents = named_contents(logs_of(network), Names(["tests", "site-0"]))
    assert {content.cid for content in contents} == set(network.blocks)
    words = [content.what for content in contents]
    assert "update 0 of site-0, tests round 1" in words
    assert "global model, tests round 1" in words
    assert CID.zero() not in {content.cid for content in named_contents(logs_of(failed_network()), Names())}


def test_each_endpoint_is_asked_and_the_lost_are_named(tmp_path: Path) -> None:
    network = honest_network(rounds=1)
    contents = named_contents(logs_of(network), Names())
    first, second, down = store_of(network), FakeBlockStore(), FakeBlockStore()
    down.is_down = True
    first.forget(contents[2].cid)
    rows = list(check_availability(contents, [first, second, down], tmp_path, LIMITS))
    assert rows[0].held_by == (True, False, None)
    assert [row.content for row in rows if row.lost] == [contents[2]]
    assert all(row.num_bytes is None for row in rows)


def test_reading_tells_the_length_and_finds_damage(tmp_path: Path) -> None:
    network = honest_network(rounds=1)
    contents = named_contents(logs_of(network), Names())
    store = store_of(network)
    store.damage(contents[1].cid)
    done: list[int] = []
    rows = list(check_availability(contents, [store], tmp_path, LIMITS, read=True, progress=done.append))
    assert rows[0].num_bytes == len(network.blocks[contents[0].cid])
    assert (rows[1].num_bytes, rows[1].why_unread) == (None, WhyMissing.DAMAGED)
    assert done == list(range(1, len(contents) + 1))
    assert left_over(tmp_path) == []


def test_rows_are_shown_and_exported(tmp_path: Path) -> None:
    network = honest_network(rounds=1)
    contents = named_contents(logs_of(network), Names())
    rows = list(check_availability(contents, [store_of(network)], tmp_path, LIMITS))
    assert availability_table(rows, ["http://one"]).row_count == len(rows)
    assert availability_json(rows[0], ["http://one"])["held_by"] == {"http://one": True}
