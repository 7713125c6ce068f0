"""The site's own update on the site's own held-out words: scored before it is sealed, and never sent."""

from __future__ import annotations

import io
import time
from pathlib import Path
from typing import Any

import pytest

from learning.evaluation import Score, score_of
from learning.training import applied
from node.data.samples import trainable
from node.rounds import preparation
from node.rounds.features import FeatureCache
from node.rounds.local_training import Trainer
from node.rounds.records import RoundRecord, Stage
from node.status import status_of
from protocol import ledger_events as ev
from protocol.envelope import open_envelope
from protocol.parameters import encode_parameters, parse_parameters
from protocol.verification import RoundContext
from tests.node.data_builders import SITE_ID
from tests.node.network_around import ROUND_SECONDS
from tests.node.site_world import LINEAGE, SiteWorld

# Which words are held out follows from random ids: of sixteen, half held out, one is on each side without luck.
HALF = {"training": {"min_examples": 1, "held_out_percent": 50}}
NONE = {"training": {"min_examples": 1, "held_out_percent": 0}}


class Killed(BaseException):
    """kill -9."""


def world_in_round_one(folder: Path, settings: dict[str, Any]) -> SiteWorld:
    world = SiteWorld(folder, settings=settings)
    world.start()
    world.settle()
    world.open_round()
    return world


def record(world: SiteWorld) -> RoundRecord:
    return world.running.rounds.get(world.view(1).round_id)


def sentence(world: SiteWorld) -> str:
    found = status_of(
        SITE_ID, {world.lineage_id: LINEAGE}, world.history, world.now, world.journal, world.running.models
    )
    return found.rounds[0].sentence


def test_it_is_the_score_of_the_parent_with_the_delta_added(tmp_path: Path) -> None:
    world = world_in_round_one(tmp_path / "node", HALF)
    plan = world.make_plan(1)
    world.settle()
    parts = world.running
    words = trainable(parts.store, world.view(1).opened.deadline, 50)
    parent = parts.models.path_of(plan.parent_digest)
    trainer = parts.trainers.of(plan.backbone_digest, plan.scope)
    delta = trainer.fit(parent, words.train, plan, SITE_ID, lambda _: None).delta
    alone = tmp_path / "alone.safetensors"
    alone.write_bytes(encode_parameters(applied(parse_parameters(parent.read_bytes()), delta)))
    assert record(world).own_score == trainer.score(alone, words.held_out)
    assert record(world).stage is Stage.PINNED
    assert 0 < len(words.held_out) < 16


def test_the_status_says_it_from_sealing_to_verdict(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Trainer, "score_own", lambda *_: score_of(14, 20))
    world = world_in_round_one(tmp_path / "node", HALF)
    world.loop.step()
    says = "alone it reads 14 of 20 held-out words right"
    assert sentence(world) == f"trained; the update is being registered; {says}"
    world.settle()
    world.others_register()
    world.finish()
    assert sentence(world).startswith("ACCEPTED")
    assert sentence(world).endswith(says)


def test_without_held_out_words_nothing_is_said(tmp_path: Path) -> None:
    world = world_in_round_one(tmp_path / "node", NONE)
    world.settle()
    assert record(world).stage is Stage.PINNED
    assert record(world).own_score is None
    assert "held-out" not in sentence(world)


def test_a_round_that_is_about_to_close_is_not_missed_for_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    features_of, monotonic, passed = FeatureCache.features_of, time.monotonic, [0.0]

    def slow_features_of(*arguments: Any) -> Any:
        # Nearly the whole round goes by before the training begins.
        passed[0] += ROUND_SECONDS * 0.9
        return features_of(*arguments)

    monkeypatch.setattr(time, "monotonic", lambda: monotonic() + passed[0])
    monkeypatch.setattr(FeatureCache, "features_of", slow_features_of)
    world = world_in_round_one(tmp_path / "node", HALF)
    world.settle()
    assert record(world).stage is Stage.PINNED
    assert record(world).own_score is None


def test_it_leaves_the_site_by_no_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    secret = score_of(123_454_321, 987_656_789)
    monkeypatch.setattr(Trainer, "score_own", lambda *_: secret)
    world = world_in_round_one(tmp_path / "node", HALF)
    plan = world.make_plan(1)
    world.settle()
    assert record(world).own_score == secret
    bound = RoundContext(world.ledger.identity, world.history, world.view(1), plan).bound_context(
        world.view(1).registrations[0].event
    )
    opened = open_envelope(io.BytesIO(world.envelope(1)), world.round_key, plan.recipients, bound)
    update = b"".join(opened.chunks())
    assert b'"num_examples"' in update
    chain = world.ledger.events(world.ledger.identity.deployment_block_number, world.ledger.head().number)
    said = repr(chain) + repr(world.running.sent.items())
    for number in (secret.correct, secret.total):
        assert str(number) not in said
        for form in (str(number).encode(), number.to_bytes(4, "little"), number.to_bytes(4, "big")):
            assert form not in update
            assert all(form not in content for content in world.store.contents.values())


def test_a_kill_between_training_and_sealing_costs_the_work_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = world_in_round_one(tmp_path / "node", HALF)

    def killed(*_arguments: Any) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(preparation, "seal_update", killed)
        with pytest.raises(Killed):
            world.settle()
    assert record(world) == RoundRecord(world.view(1).round_id)
    world.start()
    world.settle()
    assert record(world).stage is Stage.PINNED
    assert isinstance(record(world).own_score, Score)
    assert len(world.ours(ev.UpdateRegistered)) == 1


def test_it_is_forgotten_with_an_update_that_is_discarded(tmp_path: Path) -> None:
    world = SiteWorld(tmp_path / "node", words=False, settings=HALF)
    world.add_patient("P-001", *("Napa", "Seclo", "Ace", "Monas") * 4)
    world.start()
    world.open_round()
    while record(world).stage is not Stage.SEALED:
        world.loop.step()
    assert record(world).own_score is not None
    world.withdraw("P-001")
    world.settle()
    assert record(world).stage is Stage.SAT_OUT
    assert record(world).own_score is None
