"""A patient withdraws at any moment of a round."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from node.rounds.local_training import Trainer
from node.rounds.records import Stage
from node.store.withdrawals import know_on_chain
from protocol import ledger_calls as calls
from protocol import ledger_events as ev
from protocol.plan import TrainingSettings
from tests.node.data_builders import SITE_ID
from tests.node.rounds.round_one import SETTINGS, SlowLedger, reason, record, world_in_round_one
from tests.node.site_world import NAMES, SiteWorld


class TestWithdrawal:
    def test_while_training_it_ends_the_training_and_the_rest_trains(self, tmp_path: Path) -> None:
        world = SiteWorld(tmp_path / "node", settings={"training": {"held_out_percent": 0}})
        withdrawn: list[int] = []

        def progress(_round: object, step: Any) -> None:
            if step.step == 2 and not withdrawn:
                withdrawn.append(step.step)
                world.withdraw("P-002")

        world.start(progress)
        world.settle()
        world.open_round(training=TrainingSettings(**(SETTINGS | {"batch_size": 4})))
        while not withdrawn:
            world.loop.step()
        assert record(world).stage is Stage.NEW
        world.settle()
        sealed = record(world).sealed
        assert sealed is not None
        assert sealed.num_examples == len(NAMES)
        assert sealed.consent_version == 2
        assert [event.min_version for event in world.ours(ev.ConsentWithdrawn)] == [2]
        assert world.view(1).registration_of(SITE_ID).event.consent_version == 2  # type: ignore[union-attr]

    def test_between_training_and_sealing_discards_the_update(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        world = SiteWorld(tmp_path / "node", settings={"training": {"held_out_percent": 0}})
        fit, withdrawn = Trainer.fit, []

        def fit_then_withdraw(*arguments: Any) -> Any:
            update = fit(*arguments)
            if not withdrawn:
                withdrawn.append(True)
                world.withdraw("P-002")
            return update

        monkeypatch.setattr(Trainer, "fit", fit_then_withdraw)
        world.start()
        world.open_round()
        while record(world).stage is not Stage.SEALED:
            world.loop.step()
        first = record(world).sealed
        assert first is not None
        assert (first.withdrawal_count, world.clinic.store.withdrawal_count()) == (0, 1)
        world.settle()
        sealed = record(world).sealed
        assert sealed is not None
        assert sealed.num_examples == len(NAMES)
        assert record(world).stage is Stage.PINNED

    def test_whose_transaction_is_of_unknown_fate_stops_everything_new(self, tmp_path: Path) -> None:
        world = SiteWorld(tmp_path / "node", settings={"resend_after_seconds": 60})
        world.start()
        world.settle()
        slow, clock = SlowLedger(world.ledger, calls.WithdrawConsents, delivers=False), [1_000_000.0]
        trained: list[Any] = []
        world.start(
            lambda _round, step: trained.append(step),
            wrap=lambda name, port: slow if name == "ledger" else port,
            clock=lambda: clock[0],
        )
        world.withdraw("P-002")
        world.open_round()
        world.settle()
        assert (slow.sent, trained, len(world.ours(ev.ConsentRootPublished))) == (1, [], 1)
        clock[0] += 60
        slow.delivers = True
        world.settle()
        world.settle()
        assert record(world).stage is Stage.PINNED
        assert len(world.ours(ev.ConsentWithdrawn)) == 1

    def test_after_sealing_the_update_is_discarded_and_the_rest_trains(self, tmp_path: Path) -> None:
        world = world_in_round_one(tmp_path / "node")
        while record(world).stage is not Stage.SEALED:
            world.loop.step()
        first = record(world).sealed
        world.withdraw("P-002")
        world.settle()
        second = record(world).sealed
        assert first is not None
        assert second is not None
        assert first.envelope_digest != second.envelope_digest == world.view(1).registrations[0].event.envelope_digest
        assert first.envelope_cid not in world.store.contents

    def test_of_the_only_patient_makes_the_site_sit_out(self, tmp_path: Path) -> None:
        world = SiteWorld(tmp_path / "node", words=False)
        world.add_patient("P-001", *NAMES)
        world.start()
        world.open_round()
        while record(world).stage is not Stage.SEALED:
            world.loop.step()
        world.withdraw("P-001")
        assert "0 reviewed words" in reason(world)
        assert not world.running.rounds.envelope(world.view(1).round_id).exists()

    def test_after_registration_the_update_is_voided_and_taken_back(self, tmp_path: Path) -> None:
        world = world_in_round_one(tmp_path / "node")
        world.settle()
        world.withdraw("P-002")
        world.settle()
        assert len(world.ours(ev.ConsentWithdrawn)) == 1
        assert world.view(1).revoked == {0}
        assert len(world.ours(ev.UpdateRegistered)) == 1

    def test_before_the_envelope_reached_ipfs_it_never_does(self, tmp_path: Path) -> None:
        world = world_in_round_one(tmp_path / "node")
        while not world.view(1).registrations:
            world.loop.step()
        world.withdraw("P-002")
        world.settle()
        found = record(world)
        assert found.stage is Stage.WITHHELD
        assert found.sealed is not None
        assert found.sealed.envelope_cid not in world.store.contents
        assert world.view(1).revoked == {0}

    def test_after_close_changes_nothing_of_that_round(self, tmp_path: Path) -> None:
        world = world_in_round_one(tmp_path / "node")
        world.settle()
        world.others_register()
        world.withdraw("P-002")
        world.settle()
        assert world.view(1).revoked == set()
        world.finish()
        assert isinstance(world.view(1).outcome, ev.RoundFinalized)

    def test_a_root_that_expires_before_registration_is_replaced_first(self, tmp_path: Path) -> None:
        world = world_in_round_one(tmp_path / "node")
        while record(world).stage is not Stage.SEALED:
            world.loop.step()
        with world.clinic.store.write() as transaction:
            know_on_chain(transaction, [1])
        world.ledger.send(calls.WithdrawConsents())
        world.settle()
        assert record(world).stage is Stage.PINNED
        assert world.view(1).registrations[0].event.consent_version == 2
