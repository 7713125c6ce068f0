"""node/sent.py: everything that left the site, complete whatever was interrupted."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateways.journal import Journal
from node.sent import SentLog
from protocol import ledger_calls as calls
from protocol.cid import cid_of_bytes
from protocol.identifiers import TxHash, digest_of
from tests.node.site_world import SITE_ID, SiteWorld

TX = TxHash(b"\x05" * 32)


@pytest.fixture
def sent(tmp_path: Path) -> SentLog:
    return SentLog(Journal(tmp_path / "journal.sqlite"))


def test_lines_come_back_in_order(sent: SentLog) -> None:
    cid = cid_of_bytes(b"envelope")
    sent.add("consent root", digest=digest_of("root"), tx_hash=TX, at=7)
    sent.add("sealed update", round_number=3, size_bytes=9, digest=digest_of("e"), cid=cid, tx_hash=TX)
    first, second = sent.items()
    assert (first.what, first.digest, first.tx_hash, first.at) == (
        "consent root",
        str(digest_of("root")),
        str(TX),
        7,
    )
    assert (second.round, second.bytes, second.cid) == (3, 9, str(cid))


def test_the_same_thing_twice_is_one_line(sent: SentLog) -> None:
    for at in (0, 5):
        sent.add("consent root", digest=digest_of("root"), tx_hash=TX, at=at)
    sent.add("consent root", digest=digest_of("other"), tx_hash=TX)
    assert len(sent.items()) == 2


def test_what_the_chain_holds_and_the_list_lost_is_added(tmp_path: Path) -> None:
    world = SiteWorld(tmp_path / "node")
    world.start()
    world.open_round()
    world.settle()
    world.ledger.send(calls.RevokeUpdate(world.lineage_id, 1))
    world.ledger.send(calls.WithdrawConsents())
    fresh = SentLog(Journal(tmp_path / "other.sqlite"))
    for _ in range(2):
        fresh.add_from_chain(world.history, SITE_ID)
    assert sorted(item.what for item in fresh.items()) == [
        "consent root",
        "consent withdrawal",
        "update registration",
        "update revocation",
    ]
    assert all(item.tx_hash for item in fresh.items() if item.what != "update revocation")


def test_other_sites_transactions_are_not_listed(tmp_path: Path) -> None:
    world = SiteWorld(tmp_path / "node", words=False)
    world.open_round()
    world.others_register()
    fresh = SentLog(Journal(tmp_path / "other.sqlite"))
    fresh.add_from_chain(world.history, SITE_ID)
    assert fresh.items() == []
