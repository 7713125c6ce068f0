"""node/status.py: how a site stands, in sentences that say what to do."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from learning.training import TrainingProgress
from node.rounds.training_note import TrainingNote, training_noted
from node.status import Status, _verdict, status_of
from node.store.withdrawals import know_on_chain
from protocol import ledger_calls as calls
from protocol.identifiers import lineage_id_of
from protocol.plan import TrainingSettings
from protocol.verdicts import VerdictCode, explain
from tests.node.data_builders import SITE_ID
from tests.node.site_world import LINEAGE, SiteWorld
from tests.node.tiny_backbone import TinyBackbone


@pytest.fixture
def world(tmp_path: Path) -> SiteWorld:
    world = SiteWorld(tmp_path / "node")
    world.start()
    return world


def status(world: SiteWorld, **options: object) -> Status:
    lineages = {lineage_id_of(LINEAGE): LINEAGE}
    return status_of(
        SITE_ID,
        lineages,
        world.history,
        world.now,
        world.journal,
        world.running.models,
        **options,  # type: ignore[arg-type]
    )


def sentence(world: SiteWorld) -> str:
    return status(world).rounds[0].sentence


def register(world: SiteWorld) -> None:
    world.open_round()
    world.settle()


def test_before_the_first_step_it_says_what_is_missing(world: SiteWorld) -> None:
    found = status(world)
    assert found.membership.startswith("member, account 0x")
    assert "no consent root published" in found.consent
    assert "no model yet" in found.model[0]
    assert found.rounds == ()


def test_a_stranger_is_told_to_read_the_fingerprint(world: SiteWorld) -> None:
    world.history.sites.clear()
    found = status_of(b"x" * 32, {}, world.history, world.now, world.journal, world.running.models)  # type: ignore[arg-type]
    assert "fingerprint" in found.membership


def test_a_lineage_that_does_not_exist_yet_is_named(world: SiteWorld) -> None:
    found = status_of(
        SITE_ID, {lineage_id_of("later"): "later"}, world.history, world.now, world.journal, world.running.models
    )
    assert found.model == ("later: the governor has not created this lineage yet",)


def test_membership_tells_of_suspension_leaving_and_rotation(world: SiteWorld) -> None:
    assert "keystore holds" in status(world, account=world.governor.account).membership
    world.governor.send(calls.SuspendSite(SITE_ID))
    assert "suspended" in status(world, account=world.ledger.account).membership
    world.ledger.send(calls.LeaveNetwork())
    assert "left" in status(world).membership


def test_consent_tells_of_withdrawal_and_expiry(world: SiteWorld) -> None:
    world.settle()
    assert status(world).consent == "consent root version 1 in force"
    with world.clinic.store.write() as transaction:
        know_on_chain(transaction, [1])
    world.ledger.send(calls.WithdrawConsents())
    assert "withdrawn" in status(world).consent
    world.loop.step()
    world.world.advance(400 * 24 * 3600)
    assert "expired" in status(world).consent


def test_a_round_is_told_from_opening_to_verdict(world: SiteWorld) -> None:
    world.settle()
    world.open_round()
    assert sentence(world) == "open for this site"
    world.loop.step()
    assert "being registered" in sentence(world)
    world.loop.step()
    assert "being given to IPFS" in sentence(world)
    world.settle()
    assert "waiting for the aggregators" in sentence(world)
    world.others_register()
    world.finish()
    assert sentence(world).startswith("ACCEPTED")
    assert status(world).rounds[0].state == "finalized"


def test_the_chains_outcome_counts_though_the_journal_is_from_before(world: SiteWorld) -> None:
    world.settle()
    world.open_round()
    world.loop.step()
    before = world.journal.entries("")
    world.settle()
    world.others_register()
    world.finish()
    for key in world.journal.entries(""):
        world.journal.forget(key)
    with training_noted(world.journal, world.view(1).round_id) as note:
        note(TrainingProgress(step=1, steps=10, epoch=1, epochs=1, loss=1.0, elapsed_seconds=1.0))
        assert sentence(world).startswith("ACCEPTED")
    for key, value in before.items():
        world.journal.record(key, value)
    assert sentence(world).startswith("ACCEPTED")


def test_a_training_is_told_while_it_runs_and_no_longer(world: SiteWorld) -> None:
    said: list[str] = []
    world.start(lambda _round, _step: said.append(sentence(world)))
    world.settle()
    world.open_round(training=TrainingSettings(3, 4, "0.002", "5", 7))
    world.loop.step()
    assert said[0].startswith("training, epoch 1 of 3, ")
    assert said[-1] == "training, epoch 3 of 3, 100 %, a few seconds left"
    assert sentence(world).startswith("trained; ")


def test_features_that_are_computed_before_it_are_told_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    world = SiteWorld(tmp_path / "node", settings={"training": {"held_out_percent": 0}})
    said: list[str] = []
    front = TinyBackbone.front_features

    def told(backbone: TinyBackbone, crops: Sequence[Any]) -> Any:
        said.append(sentence(world))
        return front(backbone, crops)

    world.start()
    world.settle()
    world.open_round()
    monkeypatch.setattr(TinyBackbone, "front_features", told)
    world.loop.step()
    assert len(said) == 2
    assert said[1].startswith("computing features, 8 of 16 words, ")


def test_a_training_that_was_killed_is_not_told(world: SiteWorld) -> None:
    world.settle()
    world.open_round()
    training_noted(world.journal, world.view(1).round_id).__enter__()(TrainingProgress(1, 1, 1, 2, 0.5, 1.0))
    assert status(world).rounds[0].training == TrainingNote(1, 1, 50, 1)
    assert status(world, clock=lambda: time.time() + 60).rounds[0].sentence == "open for this site"


def test_a_refusal_says_why_and_that_the_round_failed(world: SiteWorld) -> None:
    register(world)
    world.others_register()
    world.finish(code=int(VerdictCode.NORM_TOO_LARGE))
    assert sentence(world).startswith("NORM_TOO_LARGE: ")
    assert "no new model" in sentence(world)


@pytest.mark.parametrize("code", list(VerdictCode))
def test_every_verdict_has_a_sentence(code: VerdictCode) -> None:
    assert _verdict(bytes([code]), 0) == f"{code.name}: {explain(code)}"


def test_a_verdict_that_nobody_knows_does_not_stop_the_status(world: SiteWorld) -> None:
    register(world)
    world.others_register()
    world.finish(code=255)
    assert "does not know" in sentence(world)


def test_sitting_out_gives_its_reason(tmp_path: Path) -> None:
    world = SiteWorld(tmp_path / "node", words=False)
    world.start()
    world.open_round()
    world.settle()
    assert sentence(world).startswith("sat out: 0 reviewed words")


def test_a_round_that_was_missed_aborted_or_taken_back_says_so(world: SiteWorld) -> None:
    register(world)
    world.withdraw("P-001")
    world.settle()
    assert "taken back" in sentence(world)
    world.abort()
    assert "aborted" in sentence(world)
    world.open_round()
    world.loop.step()
    world.close()
    world.loop.step()
    assert sentence(world).startswith("missed")


def test_rounds_that_passed_without_this_site_say_so(world: SiteWorld) -> None:
    world.open_round()
    world.close()
    assert sentence(world) == "this site registered nothing"
    world.abort()
    world._admit("other-2")
    world.open_round(selected=0b1110)
    assert sentence(world) == "this site was not selected"


def test_a_model_that_was_kept_back_is_named_with_the_score(world: SiteWorld) -> None:
    world.settle()
    register(world)
    world.others_register()
    world.finish(model=b"no model")
    world.settle()
    assert "reads with the model of round 0" in status(world).model[0]
    assert "kept back: " in status(world).model[0]
