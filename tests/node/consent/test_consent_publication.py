"""node/consent/publication.py: roots when a round needs them, withdrawals at once."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateways.outbox import Outbox
from node.consent.desk import consent_entries, pending_withdrawals
from node.consent.publication import ConsentPublisher, publish_pending
from node.sent import SentLog
from node.site import Site
from node.store.receipts import receipts
from protocol import ledger_calls as calls
from protocol import ledger_events as ev
from protocol.canonical_json import JSONValue
from protocol.consent import consent_tree
from protocol.errors import ConsentError, LedgerUnavailableError
from tests.node.data_builders import AUDIT_KEY, DAY, SITE_ID
from tests.node.site_world import NAMES, SiteWorld


@pytest.fixture
def world(tmp_path: Path) -> SiteWorld:
    return SiteWorld(tmp_path / "node")


def publisher(world: SiteWorld) -> ConsentPublisher:
    outbox = Outbox(world.ledger, world.journal, resend_after_seconds=60)
    return ConsentPublisher(SITE_ID, world.clinic.store, AUDIT_KEY, outbox, world.journal)


def roots(world: SiteWorld) -> list[ev.ConsentRootPublished]:
    return world.ours(ev.ConsentRootPublished)


def test_the_published_root_is_that_of_the_receipts_in_force(world: SiteWorld) -> None:
    assert publisher(world).ensure_root(world.history, world.now)
    (root,) = roots(world)
    entries = consent_entries(world.clinic.store, world.now)
    assert root.root == consent_tree(entries, AUDIT_KEY).root
    assert root.valid_until == min(entry.signed.receipt.expires_at for entry in entries)
    assert (root.patients, root.guardians, root.waivers) == (len(entries), 0, 0)
    published = publisher(world).published(world.history, world.now)
    assert published is not None
    assert published.receipt_ids == {entry.signed.receipt.receipt_id for entry in entries}


def test_a_root_in_force_is_not_published_again(world: SiteWorld) -> None:
    publisher(world).ensure_root(world.history, world.now)
    assert not publisher(world).ensure_root(world.history, world.now)


def test_a_grant_between_rounds_publishes_nothing(world: SiteWorld) -> None:
    world.start()
    world.settle()
    world.add_patient("P-003", *NAMES)
    world.settle()
    assert len(roots(world)) == 1


def test_a_visit_during_a_round_publishes_nothing_until_the_next(world: SiteWorld) -> None:
    world.start()
    world.settle()
    world.add_patient("P-003", *NAMES)
    world.open_round()
    world.settle()
    assert len(roots(world)) == 2
    world.withdraw("P-003")
    world.settle()
    world.add_patient("P-004", *NAMES, page="late")
    world.settle()
    assert len(roots(world)) == 3
    world.others_register()
    world.finish()
    world.settle()
    assert len(roots(world)) == 3
    world.open_round()
    world.settle()
    assert len(roots(world)) == 4


def test_a_patient_who_comes_between_root_and_training_waits_for_the_next_round(tmp_path: Path) -> None:
    world = SiteWorld(tmp_path / "node", settings={"training": {"held_out_percent": 0}})
    world.open_round()
    world.start()
    while not roots(world):
        world.loop.step()
    world.add_patient("P-003", *NAMES)
    world.settle()
    sealed = world.running.rounds.get(world.view(1).round_id).sealed
    assert sealed is not None
    assert sealed.num_examples == 2 * len(NAMES)
    assert len(roots(world)) == 1


def test_consents_without_words_publish_nothing(tmp_path: Path) -> None:
    world = SiteWorld(tmp_path / "node", words=False)
    world.clinic.grant("P-001", now=world.now)
    world.start()
    world.settle()
    assert roots(world) == []


def test_an_expired_root_is_replaced_by_one_without_the_expired_receipt(tmp_path: Path) -> None:
    world = SiteWorld(tmp_path / "node", words=False)
    world.add_patient("P-001", *NAMES)
    world.add_patient("P-002", *NAMES, days=1)
    world.start()
    world.settle()
    world.world.advance(DAY + 1)
    world.settle()
    assert len(roots(world)) == 2
    assert roots(world)[1].valid_until > world.now + 300 * DAY


def test_when_nobodys_consent_outlasts_a_round_nothing_is_published(tmp_path: Path) -> None:
    world = SiteWorld(tmp_path / "node", words=False)
    world.add_patient("P-001", *NAMES, days=1)
    world.open_round(opened={"deadline": world.now + 2 * DAY, "attest_by": world.now + 3 * DAY})
    with pytest.raises(ConsentError):
        publisher(world).publish_root_for(world.history, world.view(1))
    assert roots(world) == []


class TestWithdrawals:
    def test_are_published_at_once_and_only_once(self, world: SiteWorld) -> None:
        publisher(world).ensure_root(world.history, world.now)
        world.withdraw("P-001")
        receipt = publisher(world).publish_withdrawals(world.history)
        assert receipt is not None
        assert pending_withdrawals(world.clinic.store) == ()
        assert publisher(world).publish_withdrawals(world.history) is None
        assert [event.min_version for event in world.ours(ev.ConsentWithdrawn)] == [2]

    def test_before_any_root_need_no_transaction(self, world: SiteWorld) -> None:
        world.withdraw("P-001")
        assert publisher(world).publish_withdrawals(world.history) is None
        assert pending_withdrawals(world.clinic.store) == ()
        assert world.ours(ev.ConsentWithdrawn) == []

    def test_that_the_chain_knew_before_a_crash_are_marked_with_their_transaction(self, world: SiteWorld) -> None:
        publisher(world).ensure_root(world.history, world.now)
        world.withdraw("P-001")
        receipt = world.ledger.send(calls.WithdrawConsents())
        assert publisher(world).publish_withdrawals(world.history) is None
        assert pending_withdrawals(world.clinic.store) == ()
        assert receipt.tx_hash
        assert len(world.ours(ev.ConsentWithdrawn)) == 1

    def test_void_a_root_that_came_into_a_block_after_them(self, world: SiteWorld) -> None:
        # The root is on its way while the patient withdraws; nothing stands on the chain yet.
        before = world.history
        world.withdraw("P-001")
        late = LateRoot(world)
        assert publisher(world).publish_withdrawals(before) is None
        assert pending_withdrawals(world.clinic.store) == ()
        late.arrives()
        assert publisher(world).publish_withdrawals(world.history) is not None
        assert len(world.ours(ev.ConsentWithdrawn)) == 1

    def test_of_an_erased_patient_are_published_too(self, world: SiteWorld) -> None:
        publisher(world).ensure_root(world.history, world.now)
        world.clinic.desk.erase("P-001", world.now, world.clinic.originals, world.clinic.quarantine)
        assert publisher(world).publish_withdrawals(world.history) is not None

    def test_of_a_suspended_site_go_through(self, world: SiteWorld) -> None:
        publisher(world).ensure_root(world.history, world.now)
        world.governor.send(calls.SuspendSite(SITE_ID))
        world.withdraw("P-001")
        world.start()
        world.settle()
        assert len(world.ours(ev.ConsentWithdrawn)) == 1


class LateRoot:
    """A consent root over every receipt, sent before a withdrawal, that comes into a block after it."""

    def __init__(self, world: SiteWorld) -> None:
        self.world = world
        with world.clinic.store.read() as transaction:
            entries = [stored.entry for stored in receipts(transaction)]
        self.root = consent_tree(entries, AUDIT_KEY).root
        ids: list[JSONValue] = [entry.signed.receipt.receipt_id.hex() for entry in entries]
        world.journal.record(f"consent-root/{self.root.hex()}", ids)

    def arrives(self) -> None:
        self.world.ledger.send(calls.PublishConsentRoot(self.root, self.world.now + DAY, 1, 0, 0))


class TestACommandWithoutADaemon:
    @pytest.fixture
    def site(self, world: SiteWorld) -> Site:
        """The site as a command opens it, with the parts that the world has made."""
        publisher(world).ensure_root(world.history, world.now)
        site = Site(world.node_settings())
        site.__dict__.update(
            ledger=world.ledger, store=world.clinic.store, journal=world.journal, key_ring={"audit-key": AUDIT_KEY}
        )
        return site

    def test_publishes_what_was_withdrawn(self, world: SiteWorld, site: Site) -> None:
        world.withdraw("P-001")
        tx_hash = publish_pending(site)
        assert tx_hash is not None
        assert SentLog(site.journal).items()[-1].tx_hash == str(tx_hash)
        assert publish_pending(site) is None

    def test_leaves_it_to_a_daemon_that_runs(self, world: SiteWorld, site: Site) -> None:
        world.withdraw("P-001")
        with site.folder.locked():
            assert publish_pending(site) is None
        assert len(pending_withdrawals(world.clinic.store)) == 1

    def test_leaves_it_recorded_when_the_chain_is_away(self, world: SiteWorld, site: Site) -> None:
        world.withdraw("P-001")
        world.world.chain.down = True
        with pytest.raises(LedgerUnavailableError):
            publish_pending(site)
        assert len(pending_withdrawals(world.clinic.store)) == 1
