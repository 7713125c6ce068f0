from functools import cache
from operator import attrgetter

import numpy as np
import pytest
from drawn_pages import cropped, grey_of, half_size, jpeg, page, photographed, turned
from hypothesis import given, settings
from hypothesis import strategies as st

from prescriptions.duplicates import NEAR, likeness
from prescriptions.fingerprint import MAX_FEATURES, Fingerprint, decode_fingerprint, encode_fingerprint, look_at
from prescriptions.fingerprint_index import FingerprintIndex
from protocol.errors import PrescriptionError


@cache
def look(seed):
    return look_at(grey_of(page(seed)))


def fingerprint(seed):
    return look(seed).fingerprint


@pytest.mark.parametrize("happened", [jpeg, half_size, turned, cropped, photographed])
def test_a_page_that_comes_again_is_near_itself(happened):
    again = look_at(grey_of(happened(page(1))))
    assert likeness(again, fingerprint(1)) >= NEAR
    assert likeness(look(1), again.fingerprint) >= NEAR


@pytest.mark.parametrize("other", [2, 3, 4])
def test_another_page_on_the_same_letterhead_is_not_near(other):
    assert likeness(look(other), fingerprint(1)) < NEAR - 0.15


@pytest.mark.parametrize("happened", [jpeg, half_size, turned, cropped, photographed])
def test_the_index_names_the_page_first_among_pages_of_one_letterhead(happened):
    index = FingerprintIndex()
    index.add(*(fingerprint(seed) for seed in range(8)))
    assert index.candidates(look_at(grey_of(happened(page(5)))).fingerprint, 1) == (5,)


def test_a_page_is_found_in_an_index_that_grew_page_by_page_and_in_one_that_was_built_at_once():
    rng = np.random.default_rng(3)
    many = [with_codes(rng, base) for base in [fingerprint(1)] * 300]
    grown, built = FingerprintIndex(), FingerprintIndex()
    for one in many:
        grown.add(one)
    built.extend(many)
    for asked in (0, 255, 256, 299):
        assert grown.candidates(many[asked], 1) == built.candidates(many[asked], 1) == (asked,)


def with_codes(rng, base):
    codes = rng.integers(0, 2**64, base.codes.shape, dtype=np.uint64)
    return Fingerprint(base.places, codes, base.cells)


def test_an_empty_index_and_an_empty_page_name_nothing():
    nothing = look_at(np.full((400, 300), 245, np.uint8))
    empty = nothing.fingerprint
    index = FingerprintIndex()
    assert index.candidates(fingerprint(1)) == ()
    index.add(empty)
    assert index.candidates(fingerprint(1)) == index.candidates(empty) == ()
    assert likeness(nothing, fingerprint(1)) == likeness(nothing, empty) == likeness(look(1), empty) == 0


@pytest.mark.parametrize("shape", [(1, 1), (3, 900), (900, 3), (40, 2000), (64, 64)])
def test_a_picture_of_any_shape_has_a_fingerprint(shape):
    made = look_at(np.random.default_rng(1).integers(0, 256, shape, dtype=np.uint8))
    again = decode_fingerprint(encode_fingerprint(made.fingerprint))
    assert len(again.places) == len(again.codes) <= MAX_FEATURES
    for one in (made, look(1)):
        for other in (again, fingerprint(1)):
            assert 0 <= likeness(one, other) <= 1


def test_the_same_pixels_have_the_same_fingerprint():
    assert encode_fingerprint(look_at(grey_of(page(1))).fingerprint) == encode_fingerprint(fingerprint(1))


def test_a_fingerprint_survives_its_bytes():
    again = decode_fingerprint(encode_fingerprint(fingerprint(1)))
    assert (again.cells.height, again.cells.width) == (fingerprint(1).cells.height, fingerprint(1).cells.width)
    for name in ("places", "codes", "cells.signs", "cells.spread"):
        one, other = attrgetter(name)(again), attrgetter(name)(fingerprint(1))
        assert one.dtype == other.dtype
        assert np.array_equal(one, other)
        assert not one.flags.writeable


def test_a_fingerprint_is_small():
    assert len(encode_fingerprint(fingerprint(1))) < 6_000


@settings(deadline=None)
@given(st.data())
def test_damaged_bytes_are_refused_or_still_a_fingerprint(data):
    content = bytearray(encode_fingerprint(fingerprint(1)))
    content[data.draw(st.integers(0, len(content) - 1))] ^= data.draw(st.integers(1, 255))
    cut = data.draw(st.one_of(st.none(), st.integers(0, len(content) - 1)))
    try:
        found = decode_fingerprint(bytes(content[:cut]))
    except PrescriptionError:
        return
    likeness(look(1), found)


@pytest.mark.parametrize("content", [b"", b"\x02" * 7, b"\x01" + b"\xff" * 40, b"\x01\0\0\1\0\1\0\0"])
def test_other_bytes_are_no_fingerprint(content):
    with pytest.raises(PrescriptionError, match="no page's fingerprint"):
        decode_fingerprint(content)
