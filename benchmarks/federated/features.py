"""Front features, computed once for each crop and kept between runs in the cache that sites use."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

from learning.backbone import Backbone
from node.data.samples import TrainableSample
from node.rounds.features import FeatureCache

_BATCH = 32


def open_cache(folder: Path, backbone: Backbone) -> FeatureCache:
    """The cache of one backbone, in a folder that all backbones may share."""
    folder.mkdir(parents=True, exist_ok=True)
    # The words are a published set without patients: the node's cache seals them, and there is nothing to hide.
    return FeatureCache(folder, bytes(32), backbone)


def fill(cache: FeatureCache, samples: Sequence[TrainableSample], what: str) -> None:
    """Computes what is missing; a killed run goes on where it was."""
    started = shown = time.monotonic()
    for start in range(0, len(samples), _BATCH):
        cache.features_of(samples[start : start + _BATCH])
        if (now := time.monotonic()) - shown > 30:
            shown = now
            print(f"{what}: features of {start + _BATCH} of {len(samples)} words, {now - started:.0f} s", flush=True)
