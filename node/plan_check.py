"""Whether a site follows a round's plan. An aggregator may be hostile: nothing in a plan is believed."""

from __future__ import annotations

from collections.abc import Sequence

from node.settings import TrainingLimits
from protocol.errors import ConfigError
from protocol.history import History, RoundView
from protocol.identifiers import AggregatorId, Digest, LineageId, RoundId
from protocol.plan import RoundPlan, auditor_recipient_id, recipients_digest
from protocol.recipient_keys import public_key_digest


def check_plan(
    plan: RoundPlan,
    view: RoundView,
    history: History,
    *,
    backbone_digest: Digest,
    scope: Sequence[tuple[str, tuple[int, ...]]],
    limits: TrainingLimits,
) -> None:
    """Compares a plan with the chain and with what this site is willing to do.

    Args:
        plan: Its digest was compared with the chain's before.
        view: The round as the chain tells it.
        history: The network as the chain tells it.
        backbone_digest: Of the site's own backbone.
        scope: Names and shapes of the backbone's shared tensors.
        limits: What the site is willing to do.

    Raises:
        ConfigError: The site sits this round out; says why.
    """
    opened = view.opened
    created = history.lineages[opened.lineage_id].created
    if (plan.lineage_id, plan.round, plan.parent_digest) != (opened.lineage_id, opened.round, opened.parent_digest):
        raise ConfigError("the plan was made for another round or parent")
    if plan.min_accepted != opened.min_accepted:
        raise ConfigError("the plan and the chain differ in min_accepted")
    if plan.backbone_digest != created.backbone_digest or plan.backbone_digest != backbone_digest:
        raise ConfigError("the plan names another backbone than this site's", hint="install the network's version")
    if [(tensor.shape.name, tensor.shape.shape) for tensor in plan.tensors] != sorted(scope):
        raise ConfigError("the plan shares other tensors than the scope of this site's backbone")
    if plan.training.epochs > limits.max_epochs:
        raise ConfigError(
            f"the plan asks for {plan.training.epochs} epochs, this site allows {limits.max_epochs}",
            hint="raise training.max_epochs in the node's settings if that is wanted",
        )
    _check_recipients(plan, view, history)


def _check_recipients(plan: RoundPlan, view: RoundView, history: History) -> None:
    """Only the keys that the chain names may open an update: a plan cannot smuggle in another reader."""
    opened = view.opened
    if recipients_digest(plan.recipients) != opened.recipients_digest:
        raise ConfigError("the plan's recipients are not those that the round names")
    round_id = RoundId(LineageId(opened.lineage_id), opened.round)
    members = set(history.aggregator_sets[opened.aggregator_set_version].aggregator_ids)
    for recipient in plan.recipients:
        digest = public_key_digest(recipient.public_key)
        if recipient.role == "aggregator":
            announced = history.round_keys.get((AggregatorId(recipient.recipient_id), round_id))
            known = announced is not None and announced.aggregator_id in members and announced.key_digest == digest
        else:
            known = any(
                recipient.recipient_id == auditor_recipient_id(key.epoch) and key.key_digest == digest
                for key in history.auditor_keys.values()
            )
        if not known:
            raise ConfigError(f"the plan names a {recipient.role}'s key that the chain does not know")
