"""The catalogue, run: each mutation of the recorded network is named by the replay, and the network itself by none."""

from __future__ import annotations

import pytest

from tests.tamper.catalogue import REPLAY, Mutation, mutations
from tests.tamper.detecting import Found, replayed
from tests.tamper.recording import recorded


def test_the_recorded_network_gives_no_alarm() -> None:
    assert replayed(recorded()) == []
    assert replayed(recorded(), keyless=True) == []


@pytest.mark.parametrize("mutation", mutations(REPLAY), ids=lambda mutation: mutation.name)
def test_the_replay_names(mutation: Mutation) -> None:
    honest, changed = recorded(), recorded().copy()
    mutation.change(changed)
    before = (honest.identity, honest.events, honest.contents)
    assert (changed.identity, changed.events, changed.contents) != before, "it changes nothing"
    found = replayed(changed, where=mutation.where)
    assert any(_same_place(one, mutation) and mutation.words in one.sentence for one in found), found
    # Without the key the sentence may be another: what cannot be, instead of what the rules give.
    without_a_key = replayed(changed, keyless=True, where=mutation.where)
    assert any(_same_place(one, mutation) for one in without_a_key) == mutation.public, without_a_key


def _same_place(found: Found, mutation: Mutation) -> bool:
    return (found.where, found.kind) == (mutation.where, mutation.kind)
