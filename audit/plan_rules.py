"""A round's plan against the chain: whether it is the one that was named, and whether it may be so."""

from __future__ import annotations

from collections.abc import Iterator

from audit.chain_walk import OpeningFacts
from audit.findings import Difference, Topic
from audit.names import Names
from protocol.aggregation import NO_SERVER_STATE
from protocol.errors import MalformedError
from protocol.history import History, RoundView
from protocol.identifiers import AggregatorId, Digest
from protocol.plan import PLAN_SCHEMA, Recipient, auditor_recipient_id, parse_plan, plan_digest
from protocol.ports import ChainIdentity
from protocol.recipient_keys import public_key_digest
from protocol.verification import RoundContext


def read_context(data: bytes, identity: ChainIdentity, history: History, view: RoundView) -> RoundContext | Difference:
    """The context of a round's verification, or why the fetched plan is not the round's."""
    if plan_digest(data) != view.opened.plan_digest:
        return Difference(Topic.PLAN, "the bytes at the plan's CID are not those of the plan's digest on chain")
    try:
        return RoundContext(identity, history, view, parse_plan(data))
    except MalformedError as error:
        return Difference(Topic.PLAN, f"the plan cannot be the round's: {error}")


def plan_faults(context: RoundContext, facts: OpeningFacts, names: Names) -> Iterator[Difference]:
    """What a plan says otherwise than the chain at the round's opening."""
    plan, opened = context.plan, context.view.opened
    created = context.history.lineages[opened.lineage_id].created
    if plan.parent_cid != facts.head_cid:
        yield Difference(Topic.PARENT, "the plan names another CID for the parent than the chain does for the head")
    if plan.backbone_digest != created.backbone_digest:
        yield Difference(Topic.PLAN, "the plan names another backbone than the lineage")
    if created.plan_schema != PLAN_SCHEMA:
        yield Difference(Topic.PLAN, "the lineage names a plan schema that this version does not know")
    if plan.max_rounds and plan.round > plan.max_rounds:
        yield Difference(Topic.PLAN, f"the plan's stop rule ends the lineage at round {plan.max_rounds}")
    for recipient in plan.recipients:
        yield from _recipient_faults(recipient, context, facts, names)


def plan_notes(context: RoundContext, facts: OpeningFacts, names: Names) -> Iterator[str]:
    """What an auditor should know of a plan that breaks no rule."""
    recipients = context.plan.recipients
    if not any(recipient.role == "auditor" for recipient in recipients):
        yield "the plan names no auditor's key: nobody but its aggregators can open this round"
    members = context.history.aggregator_sets.get(context.view.opened.aggregator_set_version)
    if members is not None:
        named = {bytes(recipient.recipient_id) for recipient in recipients}
        for aggregator_id in members.aggregator_ids:
            if bytes(aggregator_id) not in named:
                yield f"the plan leaves out aggregator {names.label(aggregator_id)}: it cannot open this round"
    if facts.auditor_key is None:
        yield "no auditor's key was on chain when the round was opened"


def _recipient_faults(
    recipient: Recipient, context: RoundContext, facts: OpeningFacts, names: Names
) -> Iterator[Difference]:
    digest = public_key_digest(recipient.public_key)
    if recipient.role == "auditor":
        key = facts.auditor_key
        if key is None or digest != key.key_digest or recipient.recipient_id != auditor_recipient_id(key.epoch):
            yield Difference(Topic.PLAN, "the plan's auditor key is not the one in force at the round's opening")
        return
    owner, who = AggregatorId(recipient.recipient_id), names.label(recipient.recipient_id)
    if (owner, digest) not in facts.announced_keys:
        yield Difference(Topic.PLAN, f"the plan's key of aggregator {who} was not announced on chain for this round")
        return
    members = context.history.aggregator_sets.get(context.view.opened.aggregator_set_version)
    if members is not None and owner not in members.aggregator_ids:
        yield Difference(Topic.PLAN, f"the plan lets aggregator {who} open updates, who is not in the round's set")


def state_faults(state_digest: Digest) -> Iterator[Difference]:
    """What a finalised result says of the server optimizer's state."""
    if state_digest != NO_SERVER_STATE:
        yield Difference(Topic.STATE, "the result names a server state, and the strategy keeps none")
