"""node/rounds/adoption.py: the site scores every global model on its own words and decides for itself."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from protocol.errors import ContentMismatchError, ContentMissingError, StoreError
from protocol.parameters import encode_parameters
from tests.node.site_world import NAMES, SiteWorld


def finished(world: SiteWorld, model: bytes | None = None) -> None:
    world.open_round()
    world.settle()
    world.others_register()
    world.finish(model=model)


def test_without_held_out_words_a_newer_model_is_adopted(tmp_path: Path) -> None:
    world = SiteWorld(tmp_path / "node", settings={"training": {"held_out_percent": 0, "min_examples": 1}})
    world.start()
    finished(world)
    world.settle()
    records = world.running.models.records(world.lineage_id)
    assert [(record.round, record.adopted, record.total) for record in records] == [(0, True, 0), (1, True, 0)]
    assert world.running.models.in_use(world.lineage_id) == records[-1]


def test_a_model_that_reads_fewer_held_out_words_is_kept_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    world = SiteWorld(tmp_path / "node", settings={"training": {"held_out_percent": 50, "min_examples": 1}})
    world.start()
    world.settle()
    finished(world)
    scores = iter([3, 4])
    trainer = world.running.trainers.of(world.backbone.digest, world.backbone.scope)
    real = trainer.score

    def score(model, samples):  # type: ignore[no-untyped-def]
        found = real(model, samples)
        return type(found)(next(scores), found.total, 0, 0, 0)

    monkeypatch.setattr(type(trainer), "score", lambda _self, model, samples: score(model, samples))
    world.settle()
    kept = world.running.models.records(world.lineage_id)[-1]
    assert (kept.round, kept.correct, kept.kept_correct, kept.adopted) == (1, 3, 4, False)
    in_use = world.running.models.in_use(world.lineage_id)
    assert in_use is not None
    assert in_use.round == 0


def test_every_head_is_pinned_adopted_or_not(tmp_path: Path) -> None:
    world = SiteWorld(tmp_path / "node")
    world.start()
    world.settle()
    assert world.store.holds(world.lineage.head_cid)


@pytest.mark.parametrize(
    "model",
    [
        pytest.param(b"no model at all", id="no safetensors"),
        pytest.param(encode_parameters({"other.weight": np.zeros((2, 2), np.float32)}), id="another scope"),
    ],
)
def test_a_head_that_is_no_model_of_this_backbone_is_kept_back_and_the_node_lives(tmp_path: Path, model: bytes) -> None:
    world = SiteWorld(tmp_path / "node")
    world.start()
    finished(world, model=model)
    world.settle()
    record = world.running.models.records(world.lineage_id)[-1]
    assert not record.adopted
    assert record.reason
    in_use = world.running.models.in_use(world.lineage_id)
    assert in_use is not None
    assert in_use.round == 0


def test_a_head_of_other_bytes_than_the_chain_names_is_refused(tmp_path: Path) -> None:
    world = SiteWorld(tmp_path / "node", words=False)
    world.start()
    world.others_store.damage(world.lineage.head_cid)
    with pytest.raises(ContentMismatchError):
        world.loop.step()
    assert world.running.models.records(world.lineage_id) == []


def test_a_head_that_is_not_delivered_is_tried_again(tmp_path: Path) -> None:
    world = SiteWorld(tmp_path / "node", words=False)
    world.start()
    kept = world.others_store.contents.pop(world.lineage.head_cid)
    with pytest.raises(ContentMissingError):
        world.loop.step()
    world.others_store.contents[world.lineage.head_cid] = kept
    world.settle()
    assert len(world.running.models.records(world.lineage_id)) == 1


def test_a_withdrawn_patients_words_score_nothing(tmp_path: Path) -> None:
    world = SiteWorld(tmp_path / "node", settings={"training": {"held_out_percent": 90, "min_examples": 1}})
    world.withdraw("P-001")
    world.start()
    world.settle()
    assert world.running.models.records(world.lineage_id)[0].total <= len(NAMES)


def test_a_damaged_file_of_the_model_in_use_is_fetched_again(tmp_path: Path) -> None:
    world = SiteWorld(tmp_path / "node")
    world.start()
    world.settle()
    models = world.running.models
    in_use = models.in_use(world.lineage_id)
    assert in_use is not None
    path = models.path_of(in_use.digest)
    good = path.read_bytes()
    path.write_bytes(b"damaged")
    with pytest.raises(StoreError):
        models.parameters_of(in_use)
    world.settle()
    assert path.read_bytes() == good


def test_a_round_trains_from_the_published_parent_though_its_file_was_changed(tmp_path: Path) -> None:
    world = SiteWorld(tmp_path / "node")
    world.start()
    world.settle()
    path = world.running.models.path_of(world.lineage.head_digest)
    good = path.read_bytes()
    path.write_bytes(
        encode_parameters({name: value + 1 for name, value in world.backbone.initial_parameters().items()})
    )
    world.open_round()
    world.settle()
    assert path.read_bytes() == good
    assert world.view(1).registrations


def test_a_new_head_is_compared_with_the_published_model_though_its_file_was_changed(tmp_path: Path) -> None:
    world = SiteWorld(tmp_path / "node", settings={"training": {"held_out_percent": 50, "min_examples": 1}})
    world.start()
    world.settle()
    finished(world)
    in_use = world.running.models.in_use(world.lineage_id)
    assert in_use is not None
    path = world.running.models.path_of(in_use.digest)
    good = path.read_bytes()
    path.write_bytes(b"damaged")
    world.settle()
    assert path.read_bytes() == good
    assert world.running.models.records(world.lineage_id)[-1].kept_correct >= 0
