"""node/rounds/features.py: cached features are encrypted, and a cache is never trusted."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from node.data.samples import TrainableSample
from node.rounds.features import FeatureCache, FeaturesProgress, erase_features, forget_features
from protocol.dataset import TrainingSample
from protocol.identifiers import Digest, digest_of
from tests.learning.drawn_words import draw_word
from tests.node.site_world import NAMES
from tests.node.tiny_backbone import TinyBackbone

KEY = bytes(range(32))


class CountingBackbone(TinyBackbone):
    def __init__(self) -> None:
        self.computed = 0

    def front_features(self, crops):  # type: ignore[no-untyped-def]
        self.computed += len(crops)
        return super().front_features(crops)


def samples() -> list[TrainableSample]:
    made = []
    for name in NAMES:
        sample_id = digest_of("test-sample", name.encode())[:16]
        leaf = TrainingSample(sample_id, digest_of("c"), bytes(32), digest_of("r"))
        made.append(TrainableSample(sample_id, draw_word(name), name, leaf))
    return made


def files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


@pytest.fixture
def backbone() -> CountingBackbone:
    return CountingBackbone()


@pytest.fixture
def cache(tmp_path: Path, backbone: CountingBackbone) -> FeatureCache:
    return FeatureCache(tmp_path, KEY, backbone)


def test_features_are_those_of_the_front_in_the_samples_order(cache: FeatureCache, backbone: CountingBackbone) -> None:
    wanted = backbone.front_features([sample.crop for sample in samples()])
    assert np.array_equal(cache.features_of(samples()), wanted)
    assert np.array_equal(cache.features_of(samples()[::-1]), wanted[::-1])


def test_they_are_computed_once(cache: FeatureCache, backbone: CountingBackbone, tmp_path: Path) -> None:
    cache.features_of(samples())
    FeatureCache(tmp_path, KEY, backbone).features_of(samples())
    assert backbone.computed == len(NAMES)


def test_what_is_computed_is_told_batch_by_batch_and_what_is_cached_is_not(cache: FeatureCache) -> None:
    told: list[tuple[int, int]] = []

    def tell(progress: FeaturesProgress) -> None:
        told.append((progress.done, progress.total))

    many = [replace(sample, sample_id=bytes([n]) * 16) for n, sample in enumerate(samples() * 3)]
    cache.features_of(many[:2])
    cache.features_of(many, tell)
    total = len(many) - 2
    assert told == [(min(done, total), total) for done in range(8, total + 8, 8)]
    cache.features_of(many, tell)
    assert told[-1] == (total, total)
    assert len(told) == len(range(8, total + 8, 8))


def test_who_ends_it_halfway_keeps_what_was_computed(cache: FeatureCache, backbone: CountingBackbone) -> None:
    class EndedError(Exception):
        pass

    def end(_: FeaturesProgress) -> None:
        raise EndedError

    many = [replace(sample, sample_id=bytes([n]) * 16) for n, sample in enumerate(samples() * 3)]
    with pytest.raises(EndedError):
        cache.features_of(many, end)
    cache.features_of(many)
    assert backbone.computed == len(many)


def test_nothing_of_them_is_on_disk_in_clear(cache: FeatureCache, backbone: CountingBackbone, tmp_path: Path) -> None:
    features = cache.features_of(samples())
    for path, row in zip(sorted(files(tmp_path)), features, strict=True):
        assert row.tobytes()[:64] not in path.read_bytes()
        assert path.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("damage", [b"", b"short", os.urandom(500)])
def test_what_is_damaged_is_computed_again(
    cache: FeatureCache, backbone: CountingBackbone, tmp_path: Path, damage: bytes
) -> None:
    wanted = cache.features_of(samples())
    min(files(tmp_path)).write_bytes(damage)
    assert np.array_equal(cache.features_of(samples()), wanted)
    assert backbone.computed == len(NAMES) + 1


def test_another_backbone_or_key_reads_none_of_them(cache: FeatureCache, tmp_path: Path) -> None:
    cache.features_of(samples())
    other = CountingBackbone()
    other.digest = Digest(digest_of("other-backbone"))
    FeatureCache(tmp_path, KEY, other).features_of(samples())
    FeatureCache(tmp_path, bytes(32), other).features_of(samples())
    assert other.computed == 2 * len(NAMES)


def test_a_file_put_in_another_samples_place_is_not_read(
    cache: FeatureCache, backbone: CountingBackbone, tmp_path: Path
) -> None:
    wanted = cache.features_of(samples())
    first, second, *_ = sorted(files(tmp_path))
    first.write_bytes(second.read_bytes())
    assert np.array_equal(cache.features_of(samples()), wanted)
    assert backbone.computed == len(NAMES) + 1


def test_all_but_the_named_samples_are_forgotten(cache: FeatureCache, tmp_path: Path) -> None:
    cache.features_of(samples())
    (files(tmp_path)[0].parent / ".leftover.tmp").write_bytes(b"of a write that was killed")
    keep = samples()[0].sample_id
    forget_features(tmp_path, frozenset({keep}))
    assert [path.name for path in files(tmp_path)] == [keep.hex()]


def test_an_erased_patients_features_go_whichever_backbone_made_them(cache: FeatureCache, tmp_path: Path) -> None:
    other = CountingBackbone()
    other.digest = Digest(digest_of("other-backbone"))
    for filled in (cache, FeatureCache(tmp_path, KEY, other)):
        filled.features_of(samples())
    erased = [sample.sample_id for sample in samples()[1:]]
    erase_features(tmp_path, erased)
    assert {path.name for path in files(tmp_path)} == {samples()[0].sample_id.hex()}
    assert len(files(tmp_path)) == 2
    erase_features(tmp_path / "not-there-yet", erased)


def test_no_samples_have_empty_features(cache: FeatureCache) -> None:
    assert cache.features_of([]).shape == (0, *TinyBackbone.feature_shape)
