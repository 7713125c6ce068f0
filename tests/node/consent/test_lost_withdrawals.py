"""A data folder that was put back from a backup made before a withdrawal does not take the withdrawal back."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs
from typer.testing import CliRunner

from node.commands import app
from node.consent.desk import ConsentDesk, pending_withdrawals
from node.consent.lost_withdrawals import OLDER, lost_noted, lost_withdrawals
from node.data.review import ReviewDesk
from node.rounds.records import Stage
from node.site import JOURNAL, STORE, Site
from node.status import status_of
from node.store.local_store import LocalStore
from protocol import ledger_calls as calls
from protocol import ledger_events as ev
from protocol.errors import LedgerUnavailableError
from protocol.history import ConsentView
from protocol.identifiers import AccountAddress, lineage_id_of
from tests.node.data_builders import IDENTITY, SITE_ID, STORE_KEY
from tests.node.rounds.round_one import SlowLedger
from tests.node.site_world import LINEAGE, NAMES, SiteWorld

BOTH, STORE_ALONE, JOURNAL_ALONE = (STORE, JOURNAL), (STORE,), (JOURNAL,)


@pytest.fixture
def world(tmp_path: Path) -> SiteWorld:
    world = SiteWorld(tmp_path / "node")
    world.start()
    world.settle()
    back_up(world)
    return world


def back_up(world: SiteWorld) -> None:
    for name in BOTH:
        copy_path = world.folder.parent / name
        copy_path.unlink(missing_ok=True)
        with closing(sqlite3.connect(world.folder / name)) as source, closing(sqlite3.connect(copy_path)) as copy:
            source.backup(copy)
            copy.execute("PRAGMA journal_mode = DELETE")


def put_back(world: SiteWorld, names: tuple[str, ...] = BOTH) -> None:
    """The backup takes the place of what is there, and the process starts."""
    world.clinic.store.close()
    world.journal.close()
    del world._journal
    for name in names:
        for path in world.folder.glob(f"{name}*"):
            path.unlink()
        shutil.copyfile(world.folder.parent / name, world.folder / name)
    clinic = world.clinic
    clinic.store = LocalStore(world.folder / STORE, STORE_KEY)
    clinic.desk = ConsentDesk(clinic.store, clinic.key_ring, IDENTITY, SITE_ID)
    clinic.review = ReviewDesk(clinic.store, clinic.originals, keep_originals=False)
    world.start()


def lost(world: SiteWorld) -> list[int]:
    return list(lost_withdrawals(world.clinic.store, world.history.consents.get(SITE_ID, ConsentView())))


def consent_told(world: SiteWorld) -> str:
    lineages = {lineage_id_of(LINEAGE): LINEAGE}
    return status_of(SITE_ID, lineages, world.history, world.now, world.journal, world.running.models).consent


def roots(world: SiteWorld) -> int:
    return len(world.ours(ev.ConsentRootPublished))


def restored(world: SiteWorld, monkeypatch: pytest.MonkeyPatch, *, answer: str) -> Any:
    """The command as an operator runs it, with the parts that the world has made."""
    config = world.folder.parent / "node.toml"
    config.write_text(
        f'site = "dhaka-general"\ndata_folder = "{world.folder}"\ndeployment = "deployment.json"\n'
        f'lineages = ["{LINEAGE}"]\n[chain]\nrpc_url = "http://127.0.0.1:1"\n'
    )
    monkeypatch.setattr(Site, "chain_reader", world.ledger)
    monkeypatch.setattr(Site, "store", world.clinic.store)
    monkeypatch.setattr(Site, "journal", world.journal)
    monkeypatch.setattr(Site, "close", lambda _site: None)
    return CliRunner().invoke(app, ["consent", "restored", "--config", str(config)], input=answer)


@pytest.mark.parametrize("names", [BOTH, STORE_ALONE], ids=["store and journal", "store alone"])
def test_a_store_from_before_a_withdrawal_publishes_and_trains_nothing_and_says_so(
    world: SiteWorld, names: tuple[str, ...]
) -> None:
    world.withdraw("P-001")
    world.settle()
    before = roots(world)
    put_back(world, names)
    world.open_round()
    with capture_logs() as logs:
        world.settle()
        world.settle()
    assert roots(world) == before
    assert world.view(1).registration_of(SITE_ID) is None
    assert consent_told(world).startswith(OLDER)
    assert "fedrx node consent restored" in consent_told(world)
    assert [entry["withdrawals"] for entry in logs if entry["event"] == "consent.store_older_than_chain"] == [1]
    assert world.running.rounds.get(world.view(1).round_id).reason.startswith(OLDER)


def test_a_journal_alone_from_before_a_withdrawal_changes_nothing(world: SiteWorld) -> None:
    world.withdraw("P-001")
    world.settle()
    put_back(world, JOURNAL_ALONE)
    world.open_round()
    world.settle()
    assert lost(world) == []
    assert world.view(1).registration_of(SITE_ID) is not None


def test_a_backup_from_after_the_last_withdrawal_goes_on(world: SiteWorld) -> None:
    world.withdraw("P-001")
    world.settle()
    back_up(world)
    put_back(world)
    world.open_round()
    world.settle()
    assert world.view(1).registration_of(SITE_ID) is not None


def test_a_rotated_account_goes_on_counting(world: SiteWorld) -> None:
    world.withdraw("P-001")
    world.settle()
    fresh = world.world.fresh_ledger()
    world.governor.send(
        calls.RotateSiteAccount(SITE_ID, AccountAddress(fresh.account), world.history.sites[SITE_ID].key_digest)
    )
    world.ledger = fresh
    world.start()
    world.add_patient("P-003", *NAMES)
    world.settle()
    world.withdraw("P-003")
    world.settle()
    assert lost(world) == []
    assert len(world.ours(ev.ConsentWithdrawn)) == 2
    put_back(world)
    assert lost(world) == [1, 2]


def test_the_withdrawal_of_another_patient_does_not_answer_for_the_lost_one(world: SiteWorld) -> None:
    world.withdraw("P-001")
    world.settle()
    put_back(world)
    world.settle()
    world.withdraw("P-002")
    world.settle()
    assert pending_withdrawals(world.clinic.store) == ()
    assert lost(world) == [1]
    assert consent_told(world).startswith(OLDER)


def test_a_withdrawal_is_still_told_at_once_while_another_is_lost(world: SiteWorld) -> None:
    world.withdraw("P-001")
    world.settle()
    world.add_patient("P-003", *NAMES)
    world.settle()
    put_back(world)
    world.withdraw("P-002")
    world.settle()
    assert [event.min_version for event in world.ours(ev.ConsentWithdrawn)] == [2, 3]
    assert lost(world) == [1]


def test_after_a_person_answered_the_node_goes_on_without_the_patient(
    world: SiteWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.withdraw("P-001")
    world.settle()
    put_back(world)
    world.settle()
    before = roots(world)
    refused = restored(world, monkeypatch, answer="n\n")
    assert refused.exit_code == 1
    assert str(world.history.consents[SITE_ID].withdrawals[0][1].tx_hash) in refused.output
    assert lost(world) == [1]
    world.withdraw("P-001")
    assert restored(world, monkeypatch, answer="y\n").exit_code == 0
    assert lost_noted(world.journal) == 0
    world.open_round()
    world.settle()
    assert roots(world) == before + 1
    assert world.ours(ev.ConsentRootPublished)[-1].patients == 1
    assert world.running.rounds.get(world.view(1).round_id).stage is Stage.PINNED
    assert "knows every withdrawal" in restored(world, monkeypatch, answer="").output


def test_what_was_sealed_before_a_lost_withdrawal_is_taken_back(world: SiteWorld) -> None:
    world.open_round()
    while world.running.rounds.get(world.view(1).round_id).stage is not Stage.SEALED:
        world.loop.step()
    world.loop.step()
    assert world.view(1).registration_of(SITE_ID) is not None
    back_up(world)
    envelope = world.running.rounds.envelope(world.view(1).round_id)
    kept = envelope.read_bytes()
    world.withdraw("P-001")
    world.loop.step()
    put_back(world)
    envelope.write_bytes(kept)
    world.settle()
    assert world.running.rounds.get(world.view(1).round_id).stage is Stage.WITHHELD
    assert len(world.view(1).revoked) == 1


@pytest.mark.parametrize("delivers", [True, False], ids=["delivered", "not delivered"])
def test_a_withdrawal_whose_answer_was_lost_is_the_stores_own(world: SiteWorld, *, delivers: bool) -> None:
    slow = SlowLedger(world.ledger, calls.WithdrawConsents, delivers=delivers)
    world.start(wrap=lambda name, port: slow if name == "ledger" else port)
    world.withdraw("P-001")
    for _ in range(5):
        world.loop.step()
    world.start()
    world.settle()
    assert len(world.ours(ev.ConsentWithdrawn)) == 1
    assert lost(world) == []


def test_a_backup_from_while_the_chain_was_away_does_not_take_a_later_withdrawal_for_its_own(world: SiteWorld) -> None:
    world.withdraw("P-001")
    world.world.chain.down = True
    with pytest.raises(LedgerUnavailableError):
        world.running.consents.publish_withdrawals(world_history(world))
    back_up(world)
    world.world.chain.down = False
    world.withdraw("P-002")
    world.settle()
    put_back(world)
    world.settle()
    assert lost(world) == [1]


def world_history(world: SiteWorld) -> Any:
    """The chain as it stood before it went away."""
    world.world.chain.down = False
    history = world.history
    world.world.chain.down = True
    return history
