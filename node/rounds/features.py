"""Front features of word crops, computed once and kept encrypted: they show the handwriting as the crop does."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from gateways.data_folder import DataFolder, write_atomically
from learning.feature_cache import decode_features, encode_features
from protocol.errors import MalformedError

if TYPE_CHECKING:
    from learning.backbone import Backbone
    from node.data.samples import TrainableSample

_NONCE_BYTES = 12
_BATCH = 8
"""Words between two calls of ``progress``. A front takes them one by one; a busy machine needs a third of a second."""


@dataclass(frozen=True, slots=True)
class FeaturesProgress:
    """Sent after each batch of features that was not cached."""

    done: int
    """Words, of those that were not cached."""
    total: int
    elapsed_seconds: float


class FeatureCache:
    """float16 features by sample, one sealed file each, in a folder of its own for each backbone.

    Two scopes of a backbone share them: its front is the same.

    Args:
        folder: Private folder of all backbones' features.
        store_key: 32 bytes; the files' key is derived from it (RFC 5869).
        backbone: Whose front computes them; another backbone never reads them.
    """

    def __init__(self, folder: Path, store_key: bytes, backbone: Backbone) -> None:
        self._folder = DataFolder(folder).subfolder(backbone.digest.hex())
        self._backbone = backbone
        self._cipher = AESGCM(
            HKDF(hashes.SHA256(), 32, salt=backbone.digest, info=b"fedrx/feature-cache/v1").derive(store_key)
        )

    def features_of(
        self, samples: Sequence[TrainableSample], progress: Callable[[FeaturesProgress], None] = lambda _: None
    ) -> npt.NDArray[np.float16]:
        """Features in the samples' order, float16 [samples, *feature_shape].

        Args:
            samples: Whose.
            progress: Called while some are computed. What it raises passes through; what was computed stays cached.
        """
        shape, started = self._backbone.feature_shape, time.monotonic()
        found = {sample.sample_id: self._read(sample.sample_id) for sample in samples}
        missing = [sample for sample in samples if found[sample.sample_id] is None]
        for start in range(0, len(missing), _BATCH):
            batch = missing[start : start + _BATCH]
            for sample, features in zip(batch, self._backbone.front_features([s.crop for s in batch]), strict=True):
                self._write(sample.sample_id, features)
                found[sample.sample_id] = features
            progress(FeaturesProgress(start + len(batch), len(missing), time.monotonic() - started))
        arrays = [features for sample in samples if (features := found[sample.sample_id]) is not None]
        return np.stack(arrays) if arrays else np.empty((0, *shape), np.float16)

    def _read(self, sample_id: bytes) -> npt.NDArray[np.float16] | None:
        try:
            sealed = (self._folder / sample_id.hex()).read_bytes()
            if len(sealed) <= _NONCE_BYTES:
                return None
            plain = self._cipher.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], sample_id)
            return decode_features(plain, self._backbone.feature_shape)
        except (FileNotFoundError, InvalidTag, MalformedError):
            # A cache: what is missing, damaged or of another backbone is computed again.
            return None

    def _write(self, sample_id: bytes, features: npt.NDArray[np.float16]) -> None:
        nonce = os.urandom(_NONCE_BYTES)
        data = encode_features(features)
        write_atomically(self._folder / sample_id.hex(), nonce + self._cipher.encrypt(nonce, data, sample_id))


def forget_features(folder: Path, keep: frozenset[bytes]) -> None:
    """Removes features of samples that no longer train, such as a withdrawn patient's.

    Of every backbone that was ever used here, opened by this process or not.

    Args:
        folder: As ``FeatureCache`` has it.
        keep: The samples that train.
    """
    names = {sample_id.hex() for sample_id in keep}
    _unlink(path for path in folder.rglob("*") if path.name not in names)


def erase_features(folder: Path, sample_ids: Iterable[bytes]) -> None:
    """Removes the features of these samples, whichever backbone made them.

    Args:
        folder: As ``FeatureCache`` has it; it may not be there yet.
        sample_ids: Of an erased patient.
    """
    names = {sample_id.hex() for sample_id in sample_ids}
    _unlink(path for path in folder.rglob("*") if path.name in names)


def _unlink(paths: Iterable[Path]) -> None:
    for path in list(paths):
        if not path.is_dir():
            path.unlink(missing_ok=True)
