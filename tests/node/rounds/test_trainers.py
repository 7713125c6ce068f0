"""node/rounds/trainers.py: the chain and the models say which backbone and scope a lineage uses."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from learning.lexicon_index import LexiconIndex
from node.data.samples import TrainableSample
from node.rounds.trainers import Trainers
from protocol.dataset import TrainingSample
from protocol.errors import LearningError, MalformedError
from protocol.identifiers import Digest, digest_of
from protocol.parameters import encode_parameters
from protocol.plan import Recipient
from protocol.recipient_keys import PUBLIC_KEY_BYTES
from tests.learning.drawn_words import draw_word
from tests.node.data_builders import SITE_ID, STORE_KEY
from tests.node.site_world import NAMES
from tests.node.tiny_backbone import DEVICE, FewBackbones, OtherBackbone, TinyBackbone
from tests.protocol.values import make_plan

TINY, OTHER = TinyBackbone(), OtherBackbone()


RECIPIENT = Recipient("aggregator", digest_of("test-aggregator"), bytes(PUBLIC_KEY_BYTES))


def samples() -> list[TrainableSample]:
    made = []
    for name in NAMES:
        sample_id = digest_of("test-sample", name.encode())[:16]
        made.append(
            TrainableSample(
                sample_id, draw_word(name), name, TrainingSample(sample_id, digest_of("c"), bytes(32), digest_of("r"))
            )
        )
    return made


@pytest.fixture
def trainers(tmp_path: Path) -> Trainers:
    return Trainers(tmp_path / "features", STORE_KEY, FewBackbones(TINY, OTHER), DEVICE, LexiconIndex.of(NAMES))


def model_of(backbone: TinyBackbone, folder: Path) -> Path:
    path = folder / f"{backbone.name}.safetensors"
    path.write_bytes(encode_parameters(backbone.initial_parameters()))
    return path


def files(folder: Path) -> dict[str, set[str]]:
    return {path.name: {file.name for file in path.iterdir()} for path in (folder / "features").iterdir()}


def test_two_lineages_have_a_trainer_each_and_keep_it(trainers: Trainers) -> None:
    first, second = trainers.of(TINY.digest, "last-conv"), trainers.of(OTHER.digest, "tail")
    assert (first.backbone, second.backbone) == (TINY, OTHER)
    assert trainers.of(TINY.digest, "last-conv") is first


def test_features_lie_in_a_folder_for_each_backbone(trainers: Trainers, tmp_path: Path) -> None:
    for backbone in (TINY, OTHER):
        path = model_of(backbone, tmp_path)
        trainers.of_model(backbone.digest, path).score(path, samples())
    ids = {sample.sample_id.hex() for sample in samples()}
    assert files(tmp_path) == {TINY.digest.hex(): ids, OTHER.digest.hex(): ids}
    shapes = {path.stat().st_size for path in (tmp_path / "features").rglob("*") if path.is_file()}
    assert len(shapes) == 2
    assert all(path.stat().st_mode & 0o077 == 0 for path in (tmp_path / "features").rglob("*"))


def test_a_withdrawn_sample_is_forgotten_in_every_folder_by_a_process_that_opened_none(
    trainers: Trainers, tmp_path: Path
) -> None:
    for backbone in (TINY, OTHER):
        path = model_of(backbone, tmp_path)
        trainers.of_model(backbone.digest, path).score(path, samples())
    (tmp_path / "features" / TINY.digest.hex() / ".leftover.tmp").write_bytes(b"of a write that was killed")
    keep = samples()[0].sample_id
    fresh = Trainers(tmp_path / "features", STORE_KEY, FewBackbones(), DEVICE, LexiconIndex.of(NAMES))
    fresh.forget_all_but(frozenset({keep}))
    assert files(tmp_path) == {TINY.digest.hex(): {keep.hex()}, OTHER.digest.hex(): {keep.hex()}}


def test_each_lineage_trains_its_own_tensors(trainers: Trainers, tmp_path: Path) -> None:
    for backbone in (TINY, OTHER):
        trainer = trainers.of(backbone.digest, backbone.scope)
        update = trainer.fit(model_of(backbone, tmp_path), samples(), make_plan((RECIPIENT,)), SITE_ID, lambda _: None)
        assert sorted(update.delta) == [name for name, _ in backbone.scope_tensors()]
        assert all(np.any(delta != 0) for delta in update.delta.values())


def test_a_training_that_the_memory_cannot_hold_is_refused_before_it_begins(
    trainers: Trainers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("learning.device.available_memory_bytes", lambda: 1024)
    trainer = trainers.of(TINY.digest, TINY.scope)
    with pytest.raises(LearningError, match="of memory"):
        trainer.fit(model_of(TINY, tmp_path), samples(), make_plan((RECIPIENT,)), SITE_ID, lambda _: None)
    assert files(tmp_path) == {TINY.digest.hex(): set()}


@pytest.mark.parametrize(("digest", "scope"), [(TINY.digest, "tail"), (digest_of("unknown"), "last-conv")])
def test_what_the_lineage_or_plan_names_must_be_known(trainers: Trainers, digest: Digest, scope: str) -> None:
    with pytest.raises(LearningError, match="no such backbone or scope"):
        trainers.of(digest, scope)


def test_a_model_of_another_backbone_than_its_lineages_is_refused(trainers: Trainers, tmp_path: Path) -> None:
    with pytest.raises(LearningError, match="another backbone"):
        trainers.of_model(TINY.digest, model_of(OTHER, tmp_path))


def test_a_file_that_is_no_model_is_refused(trainers: Trainers, tmp_path: Path) -> None:
    path = tmp_path / "model"
    path.write_bytes(b"no model")
    with pytest.raises(MalformedError):
        trainers.of_model(TINY.digest, path)
