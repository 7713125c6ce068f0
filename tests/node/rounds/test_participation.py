"""One round at a site, and everything that may come between."""

from __future__ import annotations

import errno
import io
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from learning.english_g2 import EnglishG2
from node.data.samples import trainable
from node.rounds import sealing
from node.rounds.local_training import Trainer
from node.rounds.records import RoundRecord, Stage, approve
from node.status import status_of
from node.store.withdrawals import know_on_chain
from protocol import ledger_calls as calls
from protocol import ledger_events as ev
from protocol.envelope import open_envelope
from protocol.errors import BlockStoreError, ReceiptTimeoutError, StoreError
from protocol.identifiers import TxHash, digest_of, lineage_id_of
from protocol.plan import TrainingSettings, plan_digest
from protocol.verification import RoundContext, verify_update
from tests.node.data_builders import DAY, SITE_ID
from tests.node.site_world import LINEAGE, NAMES, ROUND_SECONDS, SiteWorld

SETTINGS = {"epochs": 1, "batch_size": 32, "learning_rate": "0.002", "clip_norm": "5", "seed": 7}


def world_in_round_one(folder: Path, *, plan: dict[str, Any] | None = None, **options: Any) -> SiteWorld:
    world = SiteWorld(folder, **options)
    world.start()
    world.settle()
    world.open_round(**(plan or {}))
    return world


def record(world: SiteWorld, number: int = 1) -> RoundRecord:
    return world.running.rounds.get(world.view(number).round_id)


def reason(world: SiteWorld, number: int = 1) -> str:
    world.settle()
    found = record(world, number)
    assert found.stage is Stage.SAT_OUT
    assert world.view(number).registration_of(SITE_ID) is None
    return found.reason


class TestAnUndisturbedRound:
    def test_the_update_is_one_that_an_aggregator_accepts(self, tmp_path: Path) -> None:
        world = world_in_round_one(tmp_path / "node")
        plan = world.make_plan(1, recipients=None)
        world.settle()
        view = world.view(1)
        mine = view.registration_of(SITE_ID)
        assert mine is not None
        context = RoundContext(world.ledger.identity, world.history, view, plan)
        verified = verify_update(io.BytesIO(world.envelope(1)), mine, context, world.round_key)
        assert verified.manifest.num_examples == record(world).sealed.num_examples  # type: ignore[union-attr]

    def test_the_auditor_opens_it_too_and_nobody_else(self, tmp_path: Path) -> None:
        world = world_in_round_one(tmp_path / "node")
        plan = world.make_plan(1)
        world.settle()
        view = world.view(1)
        bound = RoundContext(world.ledger.identity, world.history, view, plan).bound_context(
            view.registrations[0].event
        )
        assert open_envelope(io.BytesIO(world.envelope(1)), world.auditor_key, plan.recipients, bound).chunk_count == 1

    def test_the_envelope_reaches_ipfs_only_after_its_registration(self, tmp_path: Path) -> None:
        world = world_in_round_one(tmp_path / "node")
        seen: list[tuple[int, bool]] = []
        while world.loop.step():
            found = record(world)
            if found.sealed is not None:
                on_ipfs = found.sealed.envelope_cid in world.store.contents
                seen.append((len(world.view(1).registrations), on_ipfs))
        assert seen == [(0, False), (1, False), (1, True)]

    def test_held_out_words_do_not_train(self, tmp_path: Path) -> None:
        world = world_in_round_one(
            tmp_path / "node", settings={"training": {"min_examples": 1, "held_out_percent": 50}}
        )
        world.settle()
        sealed = record(world).sealed
        assert sealed is not None
        assert 0 < sealed.num_examples < 2 * len(NAMES)

    def test_a_label_that_the_backbone_cannot_write_keeps_no_site_out(self, tmp_path: Path) -> None:
        world = SiteWorld(tmp_path / "node", settings={"training": {"min_examples": 4, "held_out_percent": 0}})
        world.add_patient("P-003", "Na-pa", "x" * 30)
        world.start()
        world.open_round()
        world.settle()
        sealed = record(world).sealed
        assert sealed is not None
        assert sealed.num_examples == 2 * len(NAMES)

    def test_the_real_backbone_trains_and_its_update_is_registered(self, tmp_path: Path) -> None:
        world = SiteWorld(tmp_path / "node", EnglishG2(), words=False)
        world.add_patient("P-001", *NAMES)
        world.start()
        world.open_round()
        world.settle()
        assert record(world).stage is Stage.PINNED
        assert len(world.envelope(1)) > 4 * 287_329


class TestSittingOut:
    def test_without_words(self, tmp_path: Path) -> None:
        world = world_in_round_one(tmp_path / "node", words=False)
        assert "0 reviewed words" in reason(world)
        assert world.ours(ev.ConsentRootPublished) == []

    def test_without_a_consent_no_root_is_published(self, tmp_path: Path) -> None:
        world = SiteWorld(tmp_path / "node", words=False)
        world.add_patient("P-001", *NAMES, consent=False)
        world.start()
        world.open_round()
        assert "consenting patients" in reason(world)
        assert world.ours(ev.ConsentRootPublished) == []

    def test_words_and_a_consent_that_come_during_the_round_are_taken(self, tmp_path: Path) -> None:
        world = world_in_round_one(tmp_path / "node", words=False)
        reason(world)
        world.add_patient("P-001", *NAMES)
        world.settle()
        assert record(world).stage is Stage.PINNED

    def test_a_plan_beyond_the_limits(self, tmp_path: Path) -> None:
        training = TrainingSettings(**(SETTINGS | {"epochs": 21}))
        world = world_in_round_one(tmp_path / "node", plan={"training": training})
        assert "21 epochs" in reason(world)

    def test_a_training_that_diverges_is_not_repeated_again_and_again(self, tmp_path: Path) -> None:
        training = TrainingSettings(
            **(SETTINGS | {"learning_rate": "999999999", "clip_norm": "999999999", "epochs": 9})
        )
        trained: list[Any] = []
        world = SiteWorld(tmp_path / "node")
        world.start(lambda _round, progress: trained.append(progress.step))
        world.open_round(training=training)
        found = reason(world)
        assert "diverged" in found or "norm" in found
        once = len(trained)
        world.settle()
        world.loop.step()
        assert len(trained) == once > 0

    def test_a_pinned_plan_that_is_not_the_rounds(self, tmp_path: Path) -> None:
        world = world_in_round_one(tmp_path / "node", plan={"opened": {"plan_digest": digest_of("other-plan")}})
        assert "not the one that the round names" in reason(world)

    def test_a_plan_that_is_no_plan(self, tmp_path: Path) -> None:
        world = SiteWorld(tmp_path / "node")
        world.start()
        world.open_round(opened={"plan_cid": world.put(b"no plan"), "plan_digest": plan_digest(b"no plan")})
        assert reason(world)

    def test_a_parent_model_that_nobody_delivers_is_waited_for(self, tmp_path: Path) -> None:
        world = SiteWorld(tmp_path / "node")
        cid = world.lineage.head_cid
        kept = world.others_store.contents.pop(cid)
        world.start()
        world.open_round()
        with pytest.raises(BlockStoreError):
            world.settle()
        assert "was not delivered" in record(world).reason
        world.others_store.contents[cid] = kept
        world.settle()
        assert record(world).stage is Stage.PINNED

    def test_a_suspended_site_registers_nothing_until_it_is_reinstated(self, tmp_path: Path) -> None:
        world = world_in_round_one(tmp_path / "node")
        world.governor.send(calls.SuspendSite(SITE_ID))
        world.settle()
        assert world.view(1).registrations == []
        world.governor.send(calls.ReinstateSite(SITE_ID))
        world.settle()
        assert record(world).stage is Stage.PINNED

    def test_a_site_that_left_does_nothing_but_withdraw(self, tmp_path: Path) -> None:
        world = world_in_round_one(tmp_path / "node")
        world.ledger.send(calls.LeaveNetwork())
        world.withdraw("P-001")
        world.settle()
        assert world.view(1).registrations == []
        assert len(world.ours(ev.ConsentWithdrawn)) == 1

    def test_a_site_that_is_not_selected_does_nothing(self, tmp_path: Path) -> None:
        world = SiteWorld(tmp_path / "node")
        world._admit("other-2")
        world.start()
        world.open_round(selected=0b1110)
        world.settle()
        assert record(world).stage is Stage.NEW

    def test_a_site_that_asks_waits_for_a_yes(self, tmp_path: Path) -> None:
        world = world_in_round_one(tmp_path / "node", settings={"participation": "ask"})
        assert "waits for a yes" in reason(world)
        approve(world.journal, world.view(1).round_id)
        world.settle()
        assert record(world).stage is Stage.PINNED


class TestTime:
    def test_in_the_last_seconds_nothing_is_registered(self, tmp_path: Path) -> None:
        world = world_in_round_one(tmp_path / "node")
        while record(world).stage is not Stage.SEALED:
            world.loop.step()
        world.world.advance(ROUND_SECONDS - 10)
        world.settle()
        assert record(world).stage is Stage.MISSED
        assert world.view(1).registrations == []

    def test_a_training_that_cannot_be_done_in_time_is_ended(self, tmp_path: Path) -> None:
        world = SiteWorld(tmp_path / "node")
        world.start()
        world.settle()
        world.open_round(
            opened={"deadline": world.now + 11},
            training=TrainingSettings(**(SETTINGS | {"batch_size": 1, "epochs": 20})),
        )
        world.start(lambda _round, _progress: time.sleep(0.3))
        assert "closes before" in reason(world)

    def test_a_receipt_that_ends_before_the_round_does_not_train_in_it(self, tmp_path: Path) -> None:
        world = SiteWorld(tmp_path / "node", words=False, settings={"training": {"held_out_percent": 0}})
        world.add_patient("P-001", *NAMES)
        world.add_patient("P-002", *NAMES, days=1)
        world.start()
        world.settle()
        world.open_round(opened={"deadline": world.now + 2 * DAY, "attest_by": world.now + 3 * DAY})
        world.settle()
        sealed = record(world).sealed
        assert sealed is not None
        assert sealed.num_examples == len(NAMES)
        first, second = world.ours(ev.ConsentRootPublished)
        assert first.valid_until == world.now + DAY
        assert second.valid_until > world.now + 300 * DAY


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


class SlowLedger:
    """A chain whose answer to one kind of call is lost: delivered or not, the sender only sees a time-out."""

    def __init__(self, ledger: Any, kind: type, *, delivers: bool) -> None:
        self.ledger, self.kind, self.delivers, self.sent = ledger, kind, delivers, 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self.ledger, name)

    def send(self, call: Any) -> Any:
        if not isinstance(call, self.kind):
            return self.ledger.send(call)
        self.sent += 1
        self.late = call
        if self.delivers:
            self.ledger.send(call)
        raise ReceiptTimeoutError(TxHash(b"t" * 32), 1.0)


class TestATransactionOfUnknownFate:
    def start(self, folder: Path, *, delivers: bool) -> tuple[SiteWorld, SlowLedger, list[float]]:
        world = SiteWorld(folder, settings={"resend_after_seconds": 60})
        slow, clock = SlowLedger(world.ledger, calls.RegisterUpdate, delivers=delivers), [1_000_000.0]
        world.start(wrap=lambda name, port: slow if name == "ledger" else port, clock=lambda: clock[0])
        world.open_round()
        world.settle()
        return world, slow, clock

    def test_that_arrived_is_found_in_the_event_logs_and_pinned(self, tmp_path: Path) -> None:
        world, slow, _ = self.start(tmp_path / "node", delivers=True)
        world.settle()
        assert (record(world).stage, slow.sent) == (Stage.PINNED, 1)

    def test_is_sent_again_only_when_it_was_waited_for(self, tmp_path: Path) -> None:
        world, slow, clock = self.start(tmp_path / "node", delivers=False)
        clock[0] += 59
        world.settle()
        assert slow.sent == 1
        clock[0] += 1
        slow.delivers = True
        world.settle()
        world.settle()
        assert (record(world).stage, slow.sent) == (Stage.PINNED, 2)

    def test_is_not_sent_again_by_a_process_that_was_killed_meanwhile(self, tmp_path: Path) -> None:
        world, slow, clock = self.start(tmp_path / "node", delivers=False)
        world.start(wrap=lambda name, port: slow if name == "ledger" else port, clock=lambda: clock[0])
        world.settle()
        assert slow.sent == 1

    def test_that_arrives_after_a_withdrawal_is_taken_back_and_never_pinned(self, tmp_path: Path) -> None:
        world, slow, _ = self.start(tmp_path / "node", delivers=False)
        late = slow.late
        world.ledger.send(late)
        world.withdraw("P-002")
        world.settle()
        assert record(world).stage is Stage.WITHHELD
        assert late.envelope_cid not in world.store.contents
        assert world.view(1).revoked == {0}

    def test_is_given_up_when_a_patient_withdraws_before_it_shows(self, tmp_path: Path) -> None:
        world, slow, _ = self.start(tmp_path / "node", delivers=False)
        world.withdraw("P-002")
        world.settle()
        assert record(world).stage is Stage.WITHHELD
        assert slow.sent == 1
        assert not world.running.rounds.envelope(world.view(1).round_id).exists()

    def test_that_arrives_after_the_last_moment_is_still_pinned(self, tmp_path: Path) -> None:
        world, slow, _ = self.start(tmp_path / "node", delivers=False)
        world.world.advance(ROUND_SECONDS - 5)
        world.settle()
        assert record(world).stage is Stage.MISSED
        world.ledger.send(slow.late)
        world.settle()
        assert record(world).stage is Stage.PINNED


class TestAfterwards:
    def test_after_an_abort_the_next_round_is_trained_anew(self, tmp_path: Path) -> None:
        world = world_in_round_one(tmp_path / "node")
        world.settle()
        world.abort()
        world.settle()
        world.open_round()
        world.settle()
        assert record(world, 2).stage is Stage.PINNED
        digests = {view.registrations[0].event.envelope_digest for view in world.lineage.rounds.values()}
        assert len(digests) == 2

    def test_an_aborted_rounds_update_is_not_given_to_ipfs_any_more(self, tmp_path: Path) -> None:
        world = world_in_round_one(tmp_path / "node")
        while not world.view(1).registrations:
            world.loop.step()
        world.abort()
        world.settle()
        assert record(world).stage is Stage.WITHHELD
        assert record(world).sealed.envelope_cid not in world.store.contents  # type: ignore[union-attr]

    def test_an_update_of_a_finished_round_is_still_pinned(self, tmp_path: Path) -> None:
        world = world_in_round_one(tmp_path / "node")
        while not world.view(1).registrations:
            world.loop.step()
        world.others_register()
        world.finish()
        world.start()
        world.settle()
        assert record(world).stage is Stage.PINNED

    def test_a_sealed_file_that_is_gone_is_said_to_be_lost(self, tmp_path: Path) -> None:
        world = world_in_round_one(tmp_path / "node")
        while not world.view(1).registrations:
            world.loop.step()
        world.running.rounds.envelope(world.view(1).round_id).unlink()
        world.settle()
        assert record(world).stage is Stage.LOST
        lines = status_of(
            SITE_ID, {lineage_id_of(LINEAGE): LINEAGE}, world.history, world.now, world.journal, world.running.models
        )
        assert "the sealed file is gone" in lines.rounds[0].sentence

    def test_files_of_old_rounds_go_and_pins_stay(self, tmp_path: Path) -> None:
        world = SiteWorld(tmp_path / "node", settings={"keep_rounds": 2})
        world.start()
        for _ in range(4):
            world.open_round()
            world.settle()
            world.others_register()
            world.finish()
            world.settle()
        names = {path.name.split("-")[1] for path in (tmp_path / "node" / "envelopes").iterdir()}
        assert names == {"00000003.envelope", "00000003.plan", "00000004.envelope", "00000004.plan"}
        assert all(world.envelope(number) for number in range(1, 5))
        assert len(list((tmp_path / "node" / "models").iterdir())) == 2


def test_a_full_disk_leaves_nothing_behind_and_the_round_goes_on_when_there_is_space(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*arguments: Any) -> None:
        arguments[-1].write(b"the first bytes")
        raise OSError(errno.ENOSPC, "No space left on device")

    world = world_in_round_one(tmp_path / "node")
    with monkeypatch.context() as patch:
        patch.setattr(sealing, "seal_envelope", full)
        with pytest.raises(StoreError, match="disk is full"):
            world.settle()
    assert [path.suffix for path in (tmp_path / "node" / "envelopes").iterdir()] == [".plan"]
    world.settle()
    assert record(world).stage is Stage.PINNED


def test_the_same_words_plan_and_site_give_the_same_delta(tmp_path: Path) -> None:
    world = world_in_round_one(tmp_path / "node")
    plan = world.make_plan(1)
    world.settle()
    parts = world.running
    samples = trainable(parts.store, world.now, 20).train
    parent = parts.models.path_of(plan.parent_digest)
    trainer = parts.trainers.of(plan.backbone_digest, plan.scope)
    first, second = (trainer.fit(parent, samples, plan, SITE_ID, lambda _: None).delta for _ in range(2))
    assert all(np.array_equal(first[name], second[name]) for name in first)
