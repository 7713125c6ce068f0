"""Words of a public set of handwriting, shared out among sites."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks.recogniser_probe import load_words, pixels_digest
from node.data.samples import TrainableSample
from prescriptions.words import encode_png
from protocol.dataset import TrainingSample, sample_content_digest
from protocol.identifiers import digest_of

_SAME_INK_COSINE = 0.7
"""Chosen by eye: pairs from 0.74 up were one writing cut twice, pairs below 0.7 two writings of one name."""

Shares = dict[str, tuple[TrainableSample, ...]]
"""A site's slug and its words."""


@dataclass(frozen=True, slots=True)
class Words:
    """Two splits that share no image."""

    training: tuple[TrainableSample, ...]
    judged: tuple[TrainableSample, ...]
    """What accuracy is reported on."""
    names: tuple[str, ...]
    """Every brand, sorted."""
    left_out: int
    """Exact copies that were left out."""
    apart: tuple[bool, ...]
    """For each judging word whether no training picture shows the same ink, cut or scaled a little differently."""


def load(folder: Path, judged_split: str, *, keep_judged_whole: bool = True, limit: int | None = None) -> Words:
    """Reads the training split and the split that judges.

    Args:
        folder: Laid out as in benchmarks/recogniser_probe.py.
        judged_split: ``"Validation"``, or one that nothing was chosen on.
        keep_judged_whole: Leave copies out of the training split; otherwise out of the judged one, for models whose
            training did not know it.
        limit: At most so many words of a split, chosen by a fixed seed.
    """
    training, judged = _samples(folder, "Training", limit), _samples(folder, judged_split, limit)
    before = len(training) + len(judged)
    if keep_judged_whole:
        training = _without(training, judged)
    else:
        judged = _without(judged, training)
    names = tuple(sorted({sample.label for sample in (*training, *judged)}))
    left_out = before - len(training) - len(judged)
    return Words(training, judged, names, left_out, _apart(judged, training))


def share_out(samples: Sequence[TrainableSample], sites: int, dirichlet: float | None, seed: int) -> Shares:
    """Shares words out: each brand in proportions of its own, drawn from a symmetric Dirichlet distribution.

    Args:
        samples: The words.
        sites: 1 or more.
        dirichlet: Concentration: small is uneven. None shares evenly, whatever the brand.
        seed: The same seed gives the same shares.

    Returns:
        For each site its words, sorted by sample id as a site's own store gives them; some may have none.
    """
    rng = np.random.default_rng(seed)
    if dirichlet is None:
        owners = rng.permutation(len(samples)) % sites
    else:
        names = sorted({sample.label for sample in samples})
        odds = dict(zip(names, rng.dirichlet([dirichlet] * sites, size=len(names)), strict=True))
        owners = np.array([rng.choice(sites, p=odds[sample.label]) for sample in samples], dtype=int)
    return {
        f"site-{site + 1}": tuple(
            sorted((s for s, owner in zip(samples, owners, strict=True) if owner == site), key=lambda s: s.sample_id)
        )
        for site in range(sites)
    }


def unseen_names(names: Sequence[str], count: int, seed: int) -> frozenset[str]:
    """Brands that no site is to have."""
    return frozenset(names[i] for i in np.random.default_rng(seed).permutation(len(names))[:count])


def _apart(judged: Sequence[TrainableSample], training: Sequence[TrainableSample]) -> tuple[bool, ...]:
    """Compares thumbnails: the set holds many words twice, with other margins or another scale."""
    if not training:
        return (True,) * len(judged)
    nearest = (_thumbnails(judged) @ _thumbnails(training).T).max(axis=1)
    return tuple(bool(cosine < _SAME_INK_COSINE) for cosine in nearest)


def _thumbnails(samples: Sequence[TrainableSample]) -> np.ndarray:
    """float32 [samples, pixels]: contrast around its mean, of length 1."""
    rows = [
        np.asarray(Image.fromarray(sample.crop).resize((64, 24), Image.Resampling.BOX), dtype=np.float32).ravel()
        for sample in samples
    ]
    centred = np.stack([row - row.mean() for row in rows])
    return centred / np.maximum(np.linalg.norm(centred, axis=1, keepdims=True), 1e-6)


def _samples(folder: Path, split: str, limit: int | None) -> tuple[TrainableSample, ...]:
    crops, labels = load_words(folder, split)
    chosen = sorted(np.random.default_rng(0).permutation(len(crops))[:limit])
    return tuple(_sample(split, int(row), crops[row], labels[row]) for row in chosen)


def _sample(split: str, row: int, crop: np.ndarray, label: str) -> TrainableSample:
    sample_id = digest_of("benchmark-word", split.encode(), row.to_bytes(4, "big"), pixels_digest(crop))[:16]
    said = TrainingSample(
        sample_id=sample_id,
        content_digest=sample_content_digest(encode_png(crop), label),
        salt=digest_of("benchmark-salt", sample_id),
        receipt_id=digest_of("benchmark-receipt", sample_id),
    )
    return TrainableSample(sample_id, crop, label, said)


def _without(samples: tuple[TrainableSample, ...], others: tuple[TrainableSample, ...]) -> tuple[TrainableSample, ...]:
    seen = {pixels_digest(other.crop) for other in others}
    return tuple(sample for sample in samples if pixels_digest(sample.crop) not in seen)
