"""Whether a site follows a round's plan. An aggregator may be hostile: nothing in a plan is believed."""

from __future__ import annotations

from collections.abc import Sequence

from node.settings import TrainingLimits
from protocol.envelope import sealed_length
from protocol.errors import ConfigError
from protocol.history import History, RoundView
from protocol.identifiers import AggregatorId, Digest
from protocol.plan import Recipient, RoundPlan, auditor_recipient_id, recipients_digest
from protocol.recipient_keys import public_key_digest
from protocol.update import update_length


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
    if sealed_length(update_length(plan), len(plan.recipients)) > plan.max_envelope_bytes:
        raise ConfigError("the plan's own tensors do not fit its max_envelope_bytes: every update would be refused")
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
    chosen = history.aggregator_sets[opened.aggregator_set_version]
    for recipient in plan.recipients:
        known = _is_aggregator(recipient, view, history, chosen.aggregator_ids)
        if recipient.role == "auditor":
            known = _is_auditor(recipient, history)
        if not known:
            raise ConfigError(f"the plan names a key of an {recipient.role} that the chain does not know")
    # The rest is about being able to finish: an update that nobody can judge or replay need not leave the site.
    named = [recipient.recipient_id for recipient in plan.recipients]
    if len(set(named)) != len(named):
        raise ConfigError("the plan names a recipient twice")
    if sum(recipient.role == "aggregator" for recipient in plan.recipients) < chosen.threshold:
        raise ConfigError("the plan names fewer aggregators than must agree on a result")
    if history.auditor_key is not None and not any(recipient.role == "auditor" for recipient in plan.recipients):
        raise ConfigError("the plan leaves the auditor out: the round could not be replayed")


def _is_aggregator(recipient: Recipient, view: RoundView, history: History, members: tuple[AggregatorId, ...]) -> bool:
    announced = history.round_keys.get((AggregatorId(recipient.recipient_id), view.round_id))
    return (
        announced is not None
        and announced.aggregator_id in members
        and announced.key_digest == public_key_digest(recipient.public_key)
    )


def _is_auditor(recipient: Recipient, history: History) -> bool:
    """Whether it is the newest epoch's key: an older one may have been replaced because it leaked."""
    key = history.auditor_key
    return (
        key is not None
        and recipient.recipient_id == auditor_recipient_id(key.epoch)
        and key.key_digest == public_key_digest(recipient.public_key)
    )
