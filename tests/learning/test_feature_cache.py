"""learning/feature_cache.py"""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from learning.feature_cache import decode_features, encode_features, feature_key
from protocol.errors import LearningError, MalformedError
from protocol.identifiers import Digest

SHAPE = (2, 3, 4)
FEATURES = np.arange(24, dtype=np.float16).reshape(SHAPE)


@given(hnp.arrays(np.float16, hnp.array_shapes(min_dims=3, max_dims=3, max_side=5)))
def test_features_survive_the_round_trip_bit_for_bit(features):
    assert decode_features(encode_features(features), features.shape).tobytes() == features.tobytes()


@given(st.integers(0, 17 + 48))
def test_a_truncated_entry_is_malformed(length):
    with pytest.raises(MalformedError):
        decode_features(encode_features(FEATURES)[:length], SHAPE)


@pytest.mark.parametrize("position", [0, 4, 5, 6])
def test_another_header_is_malformed(position):
    content = bytearray(encode_features(FEATURES))
    content[position] ^= 1
    with pytest.raises(MalformedError):
        decode_features(bytes(content), SHAPE)


def test_trailing_bytes_and_another_backbones_shape_are_malformed():
    with pytest.raises(MalformedError):
        decode_features(encode_features(FEATURES) + b"\x00", SHAPE)
    with pytest.raises(MalformedError):
        decode_features(encode_features(FEATURES), (4, 3, 2))


def test_only_one_crops_float16_features_are_encoded():
    with pytest.raises(LearningError):
        encode_features(FEATURES.astype(np.float32))
    with pytest.raises(LearningError):
        encode_features(FEATURES[None])


def test_the_key_depends_on_backbone_size_and_pixels():
    crop = np.zeros((4, 6), np.uint8)
    other = crop.copy()
    other[3, 5] = 1
    digest = Digest(bytes(32))
    keys = {feature_key(digest, c) for c in (crop, crop.reshape(6, 4), other)} | {feature_key(Digest(b"\1" * 32), crop)}
    assert len(keys) == 4
    assert feature_key(digest, crop.copy()) in keys
