"""Every field of every event: the replay sees that it was changed, or it is one that its block alone guards."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

import pytest

from audit.chain_walk import walk_chain
from audit.names import Names
from protocol.errors import MalformedError
from tests.tamper.detecting import replayed
from tests.tamper.recording import Recording, recorded

GUARDED_BY_ITS_BLOCK_ALONE = frozenset(
    {
        "AggregatorAdmitted.account",
        "AggregatorAdmitted.key_digest",
        "AuditorKeyPublished.auditor",
        "AuditorKeyPublished.key_cid",
        "AuditorKeyPublished.key_digest",
        "AuditorKeyUsed.last_round",
        "AuditorKeyUsed.lineage_id",
        "ConsentRootPublished.guardians",
        "ConsentRootPublished.patients",
        "ConsentRootPublished.root",
        "ConsentRootPublished.valid_until",
        "ConsentRootPublished.waivers",
        "GovernorChanged.governor",
        "RoundAborted.by",
        "RoundKeyAnnounced.key_cid",
        "RoundOpened.attest_by",
        "RoundOpened.deadline",
        "SiteAccountRotated.account",
        "SiteAccountRotated.key_digest",
        "SiteAdmitted.account",
        "SiteAdmitted.key_digest",
        "SuiteSealed.successor",
        "SuiteSealed.successor_chain_id",
        # Of an update that was revoked, or whose round was aborted: nothing is opened or summed.
        "UpdateRegistered.dataset_root",
        "UpdateRegistered.envelope_cid",
        "UpdateRegistered.envelope_digest",
        "UpdateRegistered.parameters_commitment",
        "UpdateRegistered.weight",
    }
)
"""Fields of which at least one event's can be changed unseen by a replay (docs/tamper-catalogue.md)."""


def other(value: Any) -> Any:
    """Almost the same value."""
    if isinstance(value, int):
        return value + 1
    if isinstance(value, tuple):
        return (*value[:-1], value[-1] + 1) if isinstance(value[-1], int) else value[:-1]
    data = bytes(value)
    return type(value)(data[:-1] + bytes([data[-1] ^ 1]))


def unseen(recording: Recording) -> Iterator[str]:
    for place, entry in enumerate(recording.events):
        for field in dataclasses.fields(entry.event):
            changed = recording.copy()
            changed.change(place, **{field.name: other(getattr(entry.event, field.name))})
            if not broken_rules(changed) and not replayed(changed):
                yield f"{type(entry.event).__name__}.{field.name}"


def broken_rules(recording: Recording) -> bool:
    """The replay's first step alone, which is quick and sees most."""
    try:
        walk = walk_chain(recording.events, recording.identity, Names())
    except MalformedError:
        return True
    return bool(walk.of_network or any(walk.of_lineages.values()) or any(walk.of_rounds.values()))


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_every_field_is_watched_by_the_replay_or_listed() -> None:
    assert set(unseen(recorded())) == GUARDED_BY_ITS_BLOCK_ALONE


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_no_block_can_be_moved_in_time_and_no_event_told_twice() -> None:
    for place in range(1, len(recorded().events) - 1):
        for seconds in (-100_000, 100_000):
            changed = recorded().copy()
            changed.move(place, timestamp=changed.events[place].position.timestamp + seconds)
            assert broken_rules(changed), (place, seconds)
        changed = recorded().copy()
        changed.events.insert(place, changed.events[place])
        assert broken_rules(changed), place
