"""What changed from one round, or model, to another: sites, weights, consents, who decides, and the plan's settings."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields

from audit.lineage import Contribution, contributions
from audit.names import Names
from audit.sentences import why_of
from protocol import ledger_events as ev
from protocol.canonical_json import JSONValue
from protocol.history import ConsentView, History, RoundView
from protocol.identifiers import LineageId, SiteId
from protocol.ledger_events import AuditorKeyPublished
from protocol.plan import RoundPlan, TrainingSettings
from protocol.ports import ChainIdentity

_OF_ITS_ROUND = frozenset({"lineage_id", "round", "parent_digest", "parent_cid", "recipients", "training", "tensors"})
"""Fields of a plan that are another round's by nature, or are compared on their own."""


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two."""

    identity: ChainIdentity
    history: History
    lineage_id: LineageId
    view: RoundView | None
    """None for genesis."""
    auditor_key: AuditorKeyPublished | None
    """In force at the round's opening."""
    plan: RoundPlan | None
    """None when it was not fetched."""

    @property
    def created(self) -> ev.LineageCreated:
        """How the lineage began."""
        return self.history.lineages[self.lineage_id].created

    def title(self, names: Names) -> str:
        """Which round or genesis it is, with its model."""
        where = names.label(self.lineage_id)
        if self.view is None:
            return f"genesis of {where} (model {self.created.model_digest})"
        outcome = self.view.outcome
        model = f"model {outcome.model_digest}" if isinstance(outcome, ev.RoundFinalized) else "no model"
        return f"round {self.view.opened.round} of {where} ({model})"


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that is not the same."""

    topic: str
    sentence: str
    before: JSONValue
    after: JSONValue


def changes(before: Side, after: Side, names: Names) -> Iterator[Change]:
    """What changed, the contract first and the sites last; nothing for two that agree in all of it."""
    yield from _suite(before, after, names)
    yield from _deciders(before, after, names)
    yield from _plans(before, after)
    yield from _asked(before, after, names)
    yield from _sites(before, after, names)


def _change(topic: str, what: str, before: JSONValue, after: JSONValue) -> Iterator[Change]:
    if before != after:
        yield Change(topic, f"{what}: {_word(before)} becomes {_word(after)}", before, after)


def _word(value: JSONValue) -> str:
    if isinstance(value, list):
        return ", ".join(_word(item) for item in value) or "none"
    return "none" if value is None else str(value)


def _suite(before: Side, after: Side, names: Names) -> Iterator[Change]:
    one, other = before.created, after.created
    yield from _change("suite", "the chain", before.identity.chain_id, after.identity.chain_id)
    places = [str(side.identity.contract_address) for side in (before, after)]
    yield from _change("suite", "the contract", *places)
    yield from _change("lineage", "the lineage", names.label(one.lineage_id), names.label(other.lineage_id))
    yield from _change("lineage", "the backbone", str(one.backbone_digest), str(other.backbone_digest))
    yield from _change("suite", "the plan's schema", one.plan_schema, other.plan_schema)
    yield from _change("suite", "the commitment scheme", one.commitment_scheme, other.commitment_scheme)


def _deciders(before: Side, after: Side, names: Names) -> Iterator[Change]:
    members = [_members(side, names) for side in (before, after)]
    yield from _change("aggregators", "the aggregators who may vote", members[0][0], members[1][0])
    yield from _change("aggregators", "the votes that decide", members[0][1], members[1][1])
    openers = [None if side.view is None else names.label(side.view.opened.aggregator_id) for side in (before, after)]
    yield from _change("aggregators", "opened by aggregator", *openers)
    epochs = [None if side.auditor_key is None else side.auditor_key.epoch for side in (before, after)]
    yield from _change("auditor", "the epoch of the auditor's key", *epochs)


def _members(side: Side, names: Names) -> tuple[JSONValue, JSONValue]:
    if side.view is None:
        return None, None
    found = side.history.aggregator_sets.get(side.view.opened.aggregator_set_version)
    if found is None:
        return None, None
    return sorted(names.label(one) for one in found.aggregator_ids), found.threshold


def _plans(before: Side, after: Side) -> Iterator[Change]:
    least = [None if side.view is None else side.view.opened.min_accepted for side in (before, after)]
    yield from _change("plan", "updates that must pass", *least)
    one, other = before.plan, after.plan
    if one is None or other is None:
        return
    settings = [item.name for item in fields(RoundPlan) if item.name not in _OF_ITS_ROUND | {"min_accepted"}]
    for name in settings:
        yield from _change("plan", _said(name), _json(getattr(one, name)), _json(getattr(other, name)))
    for item in fields(TrainingSettings):
        values = (getattr(plan.training, item.name) for plan in (one, other))
        yield from _change("plan", f"training, {_said(item.name)}", *values)
    tensors = [[f"{tensor.shape.name} {list(tensor.shape.shape)} 2^-{tensor.scale_bits}" for tensor in plan.tensors]
               for plan in (one, other)]  # fmt: skip
    yield from _change("plan", "the shared tensors", *tensors)


def _said(name: str) -> str:
    return name.replace("_", " ")


def _json(value: object) -> JSONValue:
    return value if isinstance(value, int | str) else str(value)


def _asked(before: Side, after: Side, names: Names) -> Iterator[Change]:
    one, other = (_selected(side) for side in (before, after))
    for site_id in sorted(other - one, key=names.label):
        yield Change("sites", f"site {names.label(site_id)} is asked now, and was not", False, True)
    for site_id in sorted(one - other, key=names.label):
        standing = after.history.sites.get(site_id)
        why = "" if standing is None or standing.active else " (it left)" if standing.left else " (it is suspended)"
        yield Change("sites", f"site {names.label(site_id)} is not asked any more{why}", True, False)


def _selected(side: Side) -> set[SiteId]:
    view = side.view
    return set() if view is None else {site.site_id for site in side.history.sites.values() if view.selects(site)}


def _sites(before: Side, after: Side, names: Names) -> Iterator[Change]:
    one, other = (_by_site(side) for side in (before, after))
    for site_id in sorted(one | other, key=names.label):
        label, old, new = names.label(site_id), one.get(site_id), other.get(site_id)
        said = [None if found is None else _verdict(found) for found in (old, new)]
        yield from _change("verdict", f"site {label}", said[0] or "no update", said[1] or "no update")
        if old is not None and new is not None:
            events = old.registration.event, new.registration.event
            yield from _change("weight", f"the weight of site {label}", events[0].weight, events[1].weight)
            roots = _root(before, old), _root(after, new)
            if roots[0] != roots[1]:
                versions = f"{events[0].consent_version} becomes {events[1].consent_version}"
                yield Change("consent", f"the consent root of site {label}: version {versions}", *roots)


def _by_site(side: Side) -> dict[SiteId, Contribution]:
    return {} if side.view is None else {one.site_id: one for one in contributions(side.view)}


def _verdict(found: Contribution) -> str:
    if found.code is None:
        return "registered, no verdict"
    return "accepted" if found.accepted else f"refused ({why_of(found.code)}; verdict {found.code})"


def _root(side: Side, found: Contribution) -> str | None:
    event = found.registration.event
    published = side.history.consents.get(event.site_id, ConsentView()).roots.get(event.consent_version)
    return None if published is None else str(published[0].root)
