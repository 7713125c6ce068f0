"""Gathers a round's plan and sealed updates while sites register (step 1 of the verification)."""

from __future__ import annotations

from dataclasses import dataclass

import structlog

from aggregator.fetcher import Delivery
from aggregator.parts import Parts
from aggregator.settings import LineageSettings
from protocol.cid import cid_of_file
from protocol.errors import MalformedError
from protocol.history import Registration, RoundView
from protocol.plan import MAX_PLAN_BYTES, RoundPlan, parse_plan, plan_digest

logger = structlog.get_logger(__name__)

_PLAN_TIMEOUT_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Collection:
    """What has arrived of a round's registered envelopes, by index. Revoked ones are in neither set."""

    held: frozenset[int]
    too_large: frozenset[int]
    missing: frozenset[int]
    unsought: frozenset[int]
    """Those of the missing that no try of this process was made for yet while IPFS answered."""


def patience_ends(view: RoundView, settings: LineageSettings) -> int:
    """When an envelope that has not come is given up, in seconds since 1970: the same for every aggregator.

    That is as long after the close as the opening gave from the deadline to ``attest_by``, less the margin. A full
    round closes with its last registration: a site that registers and does not deliver must not hold the others up
    until a deadline that may be a day away.
    """
    opened = view.opened
    closed_at = view.registrations[-1].position.timestamp if view.full and view.registrations else opened.deadline
    return closed_at + opened.attest_by - opened.deadline - settings.attest_margin_seconds


class Collector:
    """Fetches and pins what a round's registrations name.

    Args:
        parts: The aggregator's.
    """

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    def plan(self, view: RoundView) -> RoundPlan | None:
        """The round's plan, pinned here, or None while it is being fetched.

        Raises:
            MalformedError: The content is not the plan that the round names, or none that this aggregator follows.
        """
        path = self._parts.files.plan(view.opened.plan_cid)
        delivery = self._parts.fetcher.request(
            view.opened.plan_cid, path, max_bytes=MAX_PLAN_BYTES, longest_timeout_seconds=_PLAN_TIMEOUT_SECONDS
        )
        if delivery is Delivery.TOO_LARGE:
            raise MalformedError(f"the plan of round {view.opened.round} is longer than {MAX_PLAN_BYTES} bytes")
        if delivery is Delivery.WAITING:
            return None
        data = path.read_bytes()
        if plan_digest(data) != view.opened.plan_digest:
            raise MalformedError(f"the pinned plan of round {view.opened.round} is not the one that the round names")
        plan = parse_plan(data)
        # Another aggregator wrote it: a plan must not make this one fill its disk.
        if plan.max_envelope_bytes > self._parts.settings.max_model_bytes:
            raise MalformedError(
                f"the plan of round {plan.round} allows envelopes of {plan.max_envelope_bytes} bytes",
                hint="raise max_model_bytes if that is wanted",
            )
        return plan

    def collect(self, view: RoundView, plan: RoundPlan, settings: LineageSettings) -> Collection:
        """Asks for every envelope that is not here yet; returns at once."""
        found: dict[Delivery, set[int]] = {delivery: set() for delivery in Delivery}
        unsought: set[int] = set()
        for registration in view.registrations:
            index = registration.event.index
            if index in view.revoked:
                continue
            path = self._parts.files.envelope(settings.slug, plan.round, index)
            delivery = self._parts.fetcher.request(
                registration.event.envelope_cid,
                path,
                max_bytes=plan.max_envelope_bytes,
                longest_timeout_seconds=min(plan.fetch_timeout_seconds, settings.fetch_timeout_seconds),
            )
            found[delivery].add(index)
            if delivery is Delivery.WAITING and not self._parts.fetcher.was_sought(path):
                unsought.add(index)
        return Collection(
            held=frozenset(found[Delivery.HELD]),
            too_large=frozenset(found[Delivery.TOO_LARGE]),
            missing=frozenset(found[Delivery.WAITING]),
            unsought=frozenset(unsought),
        )

    def drop_damaged(self, registrations: list[Registration], held: frozenset[int], slug: str) -> bool:
        """Drops copies that changed on this disk since they were fetched; says whether there were any.

        What a disk damages must not become a verdict on the site.
        """
        damaged = False
        for registration in registrations:
            event = registration.event
            if event.index not in held:
                continue
            path = self._parts.files.envelope(slug, event.round, event.index)
            if cid_of_file(path) != event.envelope_cid:
                logger.error("envelope.damaged_here", lineage=slug, round=event.round, index=event.index)
                self._parts.fetcher.forget(path)
                damaged = True
        return damaged
