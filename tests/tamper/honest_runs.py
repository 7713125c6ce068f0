"""Honest networks of every shape: whatever may happen by the rules, drawn from a seed."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any

import numpy as np

from protocol import ledger_events as ev
from protocol.history import Registration
from protocol.identifiers import Digest, SiteId, digest_of
from protocol.parameters import encode_parameters, parameters_digest
from protocol.plan import PLAN_SCHEMA, Recipient, auditor_recipient_id
from protocol.recipient_keys import RecipientPrivateKey, public_key_digest
from protocol.round import RoundState
from tests.protocol.builders import Network
from tests.protocol.values import (
    SMALL_TENSORS,
    PlannedTensor,
    Site,
    TensorShape,
    account_of,
    random_delta,
    random_parameters,
)

LINEAGES = ("first", "second")
SHAPES = (
    SMALL_TENSORS,
    (PlannedTensor(TensorShape("head.weight", (2, 3)), 24),),
    (PlannedTensor(TensorShape("head.bias", (1,)), 26), PlannedTensor(TensorShape("head.weight", (4, 4)), 16)),
)


@dataclass
class Story(Network):
    """A network whose members come, go, and change their keys."""

    rng: Random = field(default_factory=Random)
    epoch: int = 1
    keys: list[RecipientPrivateKey] = field(default_factory=list)
    """The auditor's, of all epochs."""
    gone: set[SiteId] = field(default_factory=set)
    """Sites that left or are suspended."""
    bare: set[SiteId] = field(default_factory=set)
    """Sites without a consent in force."""

    def recipients(self) -> tuple[Recipient, ...]:
        *aggregators, auditor = super().recipients()
        return (*aggregators, dataclasses.replace(auditor, recipient_id=auditor_recipient_id(self.epoch)))

    def often(self, percent: int) -> bool:
        return self.rng.randrange(100) < percent


def honest_run(seed: int) -> Story:
    """A whole network's story.

    Args:
        seed: Gives shape and events; keys and nonces are fresh each time.
    """
    rng = Random(seed)
    story = Story(
        sites_count=rng.randint(1, 8),
        aggregators_count=rng.choice((1, 1, 2, 3)),
        tensors=rng.choice(SHAPES),
        lineage=LINEAGES[0],
        rng=rng,
    )
    story.keys.append(story.auditor_key)
    for slug in LINEAGES[: rng.choice((1, 1, 2))]:
        if slug != story.lineage:
            _begin(story, slug)
        for _ in range(rng.randint(1, 4)):
            _between(story)
            able = [site for site in story.sites if site.site_id not in story.gone]
            live = story.round > 0 and story.view.outcome is None
            # The contract opens no round for fewer than three, and none beside a live one.
            if len(able) >= 3 and not live:
                _round(story, able)
    return story


def _begin(story: Story, slug: str) -> None:
    story.lineage, story.round = slug, 0
    story.model = encode_parameters(random_parameters(story.tensors, seed=story.rng.choice((1, 2))))
    digest, cid = parameters_digest(story.model), story.put(story.model)
    story.emit(ev.LineageCreated(story.lineage_id, 0, digest, cid, story.backbone_digest, PLAN_SCHEMA, 1))


def _between(story: Story) -> None:
    """What members do while no round needs them."""
    for site in story.sites:
        if site.site_id not in story.gone:
            _move(story, site)
    if story.often(10):
        governor = story.history.governor
        assert governor is not None
        story.emit(ev.GovernorChanged(governor, account_of(f"governor-{story.now}")))
    if story.often(10):
        story.emit(ev.AuditorKeyUsed(story.epoch, story.lineage_id, 1, story.round + 1))
    if story.often(10):
        story.epoch += 1
        story.auditor_key = RecipientPrivateKey.generate()
        story.keys.append(story.auditor_key)
        public = story.auditor_key.public_key()
        named = (account_of("auditor"), public_key_digest(public), story.put(public))
        story.emit(ev.AuditorKeyPublished(story.epoch, *named))


def _move(story: Story, site: Site) -> None:
    happens = story.rng.randrange(100)
    if happens < 3:
        story.emit(ev.SiteLeft(site.site_id))
        story.gone.add(site.site_id)
    elif happens < 6:
        story.emit(ev.SiteSuspended(site.site_id))
        if story.often(50):
            story.emit(ev.SiteReinstated(site.site_id))
        else:
            story.gone.add(site.site_id)
    elif happens < 10:
        before = story.history.sites[site.site_id].account
        after = account_of(f"{site.slug}-{story.now}")
        story.emit(ev.SiteAccountRotated(site.site_id, before, after, digest_of("test-key")))
    elif happens < 16 and site.site_id not in story.bare:
        story.withdraw(site)
        story.bare.add(site.site_id)
    elif happens < 24 or (site.site_id in story.bare and story.often(70)):
        story.publish_consent(site)
        story.bare.discard(site.site_id)


def _round(story: Story, able: Sequence[Site]) -> None:
    rng = story.rng
    selected = sorted(rng.sample(able, rng.randint(3, len(able))), key=lambda site: site.ordinal)
    story.open_round(
        selected=selected,
        weighting=rng.choice(("equal", "num_examples")),
        max_weight=rng.choice((1, 4, 64)),
        examples_per_weight=rng.choice((1, 50)),
        max_norm=rng.choice(("1", "100")),
        min_accepted=rng.choice((3, 3, 3, rng.randint(3, len(selected)))),
    )
    if story.often(15):
        _copy_a_key(story)
    if story.often(8):
        _learn_nothing(story, selected)
        selected = []
    for site in rng.sample(selected, len(selected)):
        if site.site_id not in story.bare and story.often(90):
            _take_part(story, site)
    if story.often(8):
        aborted = ev.RoundAborted(story.lineage_id, story.round, account_of("anyone"))
        story.emit(aborted, at=story.view.opened.attest_by)
    elif story.often(95):
        story.conclude()


def _copy_a_key(story: Story) -> None:
    """An aggregator announces what another announced, for the round to come; it is its own affair."""
    first, last = story.aggregators[0], story.aggregators[-1]
    digest = public_key_digest(first.key.public_key())
    cid = story.put(first.key.public_key())
    story.emit(ev.RoundKeyAnnounced(last.aggregator_id, story.lineage_id, story.round + 1, digest, cid))


def _learn_nothing(story: Story, selected: Sequence[Site]) -> None:
    """Three updates that cancel out, so that the new model has its parent's bytes."""
    able = [site for site in selected if site.site_id not in story.bare]
    if len(able) < 3:
        return
    # Multiples of 2^-10, so that fixed point rounds nothing.
    one, two = ({k: np.round(v * 1024) / 1024 for k, v in story.delta(site).items()} for site in able[:2])
    for site, delta in zip(able, (one, two, {k: -one[k] - two[k] for k in one}), strict=False):
        story.register(site, delta=delta)


def _take_part(story: Story, site: Site) -> None:
    """A site registers; one in seven does something for which the rules have a code."""
    earlier = story.view.registrations
    fault = story.rng.choice(list(_FAULTS)) if story.often(15) else ""
    options = dict(_FAULTS.get(fault, {}))
    if fault == "a copy" and earlier:
        original = next(s for s in story.sites if s.site_id == earlier[0].event.site_id)
        factor = story.rng.choice((1.0, 1.01))
        options["delta"] = {name: values * factor for name, values in story.delta(original).items()}
    if fault == "another's envelope" and earlier:
        event = earlier[0].event
        sealed = story.blocks.get(event.envelope_cid)
        if sealed is not None:
            options["event"] = {"envelope_digest": event.envelope_digest, "envelope_cid": event.envelope_cid}
            options["delivered"] = lambda _: sealed
    if fault == "a long delta":
        options["delta"] = random_delta(story.tensors, seed=site.ordinal, scale=3.0)
    registration = story.register(site, num_examples=story.rng.choice((1, 50, 51, 700)), **options)
    if fault == "lost":
        _lose(story, registration)
    if story.view.state(story.now) is not RoundState.OPEN:
        return
    if story.often(5):
        story.revoke(site)
    if story.often(5):
        story.withdraw(site)
        story.bare.add(site.site_id)


_FAULTS: dict[str, dict[str, Any]] = {
    "a copy": {},
    "a long delta": {},
    "another's envelope": {},
    "lost": {},
    "another weight": {"event": {"weight": 3}},
    "another weight in both": {"event": {"weight": 3}, "manifest": {"weight": 3}},
    "another round": {"bound": {"round": 77}},
    "another manifest": {"manifest": {"round": 77}},
    "another root": {"manifest": {"consent_root": Digest(digest_of("test-other"))}},
    "another salt": {"manifest": {"commitment_salt": bytes(32)}},
    "no envelope": {"envelope": lambda sealed: b"?" + sealed[1:]},
    "a cut envelope": {"envelope": lambda sealed: sealed[:-1]},
    "a changed tag": {"envelope": lambda sealed: sealed[:-1] + bytes([sealed[-1] ^ 1])},
    "more values": {"content": lambda plain: plain + bytes(4)},
}


def _lose(story: Story, registration: Registration) -> None:
    """Nobody delivered the envelope in time; whether anybody does later is open."""
    event = registration.event
    del story.envelopes[event.round, event.index]
    if story.often(50):
        del story.blocks[event.envelope_cid]
