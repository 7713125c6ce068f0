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
from node.rounds.records import Stage, approve
from protocol import ledger_calls as calls
from protocol import ledger_events as ev
from protocol.envelope import open_envelope
from protocol.errors import BlockStoreError, StoreError
from protocol.identifiers import digest_of
from protocol.plan import TrainingSettings, plan_digest
from protocol.verification import RoundContext, verify_update
from tests.node.data_builders import DAY, SITE_ID
from tests.node.network_around import ROUND_SECONDS
from tests.node.rounds.round_one import SETTINGS, reason, record, world_in_round_one
from tests.node.site_world import NAMES, SiteWorld


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
