"""aggregator/scheduler.py: who opens, when, with which sites."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aggregator.scheduler import choose_sites, patience_seconds, selection_words, turn_of
from protocol.history import SiteView
from protocol.identifiers import AccountAddress, AggregatorId, Digest, SiteId


def site(ordinal: int) -> SiteView:
    return SiteView(SiteId(ordinal.to_bytes(32, "big")), AccountAddress(bytes(20)), ordinal, Digest.zero())


@given(st.sets(st.integers(0, 5000), min_size=1, max_size=256))
def test_the_words_name_just_the_chosen_ordinals(ordinals: set[int]) -> None:
    words = selection_words([site(ordinal) for ordinal in ordinals])
    bits = sum(word << 256 * place for place, word in enumerate(words))
    assert {position for position in range(bits.bit_length()) if bits >> position & 1} == ordinals
    assert words[-1] != 0
    assert all(0 <= word < 2**256 for word in words)


def test_up_to_256_sites_are_all_chosen() -> None:
    assert len(choose_sites([site(n) for n in range(256)], 7)) == 256


@given(st.integers(257, 700))
def test_of_more_sites_every_one_gets_its_turn(count: int) -> None:
    sites = [site(ordinal) for ordinal in range(count)]
    seen = set()
    for number in range(1, count + 1):
        chosen = choose_sites(sites, number)
        assert len({view.ordinal for view in chosen}) == 256
        seen |= {view.ordinal for view in chosen}
        if len(seen) == count:
            return
    raise AssertionError("a site is never chosen")


def test_the_turn_goes_round() -> None:
    members = [AggregatorId(bytes([n] * 32)) for n in range(3)]
    assert [turn_of(members, number) for number in (1, 2, 3)] == [members[1], members[2], members[0]]


@pytest.mark.parametrize(
    ("my_turn", "all_keys", "graces"), [(True, True, 0), (True, False, 1), (False, True, 1), (False, False, 2)]
)
def test_patience(my_turn: bool, all_keys: bool, graces: int) -> None:
    assert patience_seconds(my_turn=my_turn, all_keys=all_keys, grace_seconds=60) == 60 * graces
