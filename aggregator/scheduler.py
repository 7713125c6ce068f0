"""Who opens a lineage's next round, when, and with which sites. Pure: the chain's history and ``now`` in, values out.

The data scheduler of the source paper: a round waits for every selected site, and its deadline is how long.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from aggregator.settings import LineageSettings
from protocol.history import History, LineageView, SiteView
from protocol.identifiers import AggregatorId, RoundId
from protocol.ledger_events import AggregatorSetChanged, RoundKeyAnnounced
from protocol.plan import MAX_SITES


@dataclass(frozen=True, slots=True)
class Opening:
    """A round that may be opened now."""

    round_id: RoundId
    sites: tuple[SiteView, ...]
    """Selected, by ordinal."""
    keys: tuple[RoundKeyAnnounced, ...]
    """Of the aggregator set's members, in the set's order."""
    members: AggregatorSetChanged
    """The set that opens the round."""


@dataclass(frozen=True, slots=True)
class NotYet:
    """Why no round can be opened now, for the operator."""

    why: str


def next_opening(
    history: History, lineage: LineageView, settings: LineageSettings, now: int, *, require_auditor_key: bool
) -> Opening | NotYet:
    """The next round of a lineage, if the chain is ready for it.

    Args:
        history: The network.
        lineage: One of its lineages, without a live round.
        settings: Of that lineage.
        now: Seconds since 1970, of the head block.
        require_auditor_key: Whether a round needs an auditor among its recipients.
    """
    members = history.aggregator_set
    if members is None:
        return NotYet("the governor has named no aggregator set")
    if (why := stopped(history, lineage, settings) or _pause(lineage, settings, now)) is not None:
        return NotYet(why)
    if require_auditor_key and history.auditor_key is None:
        return NotYet("the governor has published no auditor key")
    eligible = eligible_sites(history, now)
    if len(eligible) < settings.min_sites:
        return NotYet(f"{len(eligible)} sites are active with a consent root in force; {settings.min_sites} are needed")
    round_id = RoundId(lineage.created.lineage_id, lineage.last_round + 1)
    keys = announced_keys(history, members.aggregator_ids, round_id)
    if len(keys) < members.threshold:
        return NotYet(f"{len(keys)} of {len(members.aggregator_ids)} aggregators have announced their round key")
    return Opening(round_id, choose_sites(eligible, round_id.number), keys, members)


def stopped(history: History, lineage: LineageView, settings: LineageSettings) -> str | None:
    """Why this lineage gets no further round, or None."""
    if history.sealed is not None:
        return "the deployment is sealed: its successor goes on"
    if settings.max_rounds and lineage.last_round >= settings.max_rounds:
        return f"the stop rule: no round after {settings.max_rounds}"
    return None


def eligible_sites(history: History, now: int) -> tuple[SiteView, ...]:
    """Active sites whose newest consent root is in force, by ordinal."""
    return tuple(
        site
        for site in sorted(history.sites.values(), key=lambda site: site.ordinal)
        if site.active and _consent_in_force(history, site, now)
    )


def choose_sites(eligible: Sequence[SiteView], number: int) -> tuple[SiteView, ...]:
    """All sites, or where there are more than a round can hold, the next so many in turn."""
    if len(eligible) <= MAX_SITES:
        return tuple(eligible)
    start = number * MAX_SITES % len(eligible)
    turn = [eligible[(start + offset) % len(eligible)] for offset in range(MAX_SITES)]
    return tuple(sorted(turn, key=lambda site: site.ordinal))


def selection_words(sites: Sequence[SiteView]) -> tuple[int, ...]:
    """Bitmap words of 256 bits over the sites' ordinals, least significant word first."""
    words = [0] * (max((site.ordinal for site in sites), default=-1) // 256 + 1)
    for site in sites:
        word, bit = divmod(site.ordinal, 256)
        words[word] |= 1 << bit
    return tuple(words)


def announced_keys(
    history: History, members: Sequence[AggregatorId], round_id: RoundId
) -> tuple[RoundKeyAnnounced, ...]:
    """The keys that members have announced for a round, in the set's order."""
    found = (history.round_keys.get((member, round_id)) for member in members)
    return tuple(event for event in found if event is not None)


def turn_of(members: Sequence[AggregatorId], number: int) -> AggregatorId:
    """Whose turn it is to open a round."""
    return members[number % len(members)]


def patience_seconds(*, my_turn: bool, all_keys: bool, grace_seconds: int) -> int:
    """How long after it became possible this aggregator opens a round.

    The one whose turn it is opens at once, but gives a member without a key one grace; the others come a grace later.
    """
    return grace_seconds * ((0 if my_turn else 1) + (0 if all_keys else 1))


def _pause(lineage: LineageView, settings: LineageSettings, now: int) -> str | None:
    newest = lineage.rounds.get(lineage.last_round)
    if newest is None or newest.outcome_at is None or now >= newest.outcome_at.timestamp + settings.pause_seconds:
        return None
    return f"the pause after round {lineage.last_round} is not over"


def _consent_in_force(history: History, site: SiteView, now: int) -> bool:
    consent = history.consents.get(site.site_id)
    if consent is None or consent.latest_version < max(1, consent.min_version):
        return False
    return consent.roots[consent.latest_version][0].valid_until > now
