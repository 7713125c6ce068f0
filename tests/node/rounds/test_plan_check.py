"""node/rounds/plan_check.py: a hostile aggregator's plans, one fault each."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from node.rounds.plan_check import check_plan
from node.settings import TrainingLimits
from protocol import ledger_calls as calls
from protocol.errors import ConfigError
from protocol.identifiers import Digest, aggregator_id_of, digest_of, lineage_id_of
from protocol.plan import PlannedTensor, Recipient, TrainingSettings, auditor_recipient_id, recipients_digest
from protocol.recipient_keys import RecipientPrivateKey
from protocol.tensors import TensorShape
from tests.node.site_world import SiteWorld


@pytest.fixture
def world(tmp_path: Path) -> SiteWorld:
    return SiteWorld(tmp_path / "node", words=False)


def check(world: SiteWorld, plan: Any, **limits: Any) -> None:
    check_plan(
        plan,
        world.view(world.lineage.last_round),
        world.history,
        backbone_digest=world.backbone.digest,
        scope=world.backbone.scope_tensors(),
        limits=TrainingLimits(**limits),
    )


def test_an_honest_plan_is_followed(world: SiteWorld) -> None:
    check(world, world.open_round())


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"lineage_id": lineage_id_of("other")}, "another round or parent"),
        ({"round": 2}, "another round or parent"),
        ({"parent_digest": digest_of("other")}, "another round or parent"),
        ({"min_accepted": 4}, "min_accepted"),
        ({"backbone_digest": digest_of("other")}, "another backbone"),
        ({"tensors": (PlannedTensor(TensorShape("head.bias", (3,)), 24),)}, "other tensors"),
        ({"max_envelope_bytes": 1000}, "do not fit"),
        ({"training": TrainingSettings(21, 32, "0.002", "5", 7)}, "21 epochs"),
    ],
)
def test_a_plan_that_differs_is_not_followed(world: SiteWorld, changes: dict[str, Any], why: str) -> None:
    world.open_round()
    with pytest.raises(ConfigError, match=why):
        check(world, world.make_plan(1, **({"parent_digest": world.lineage.head_digest} | changes)))


def test_an_operator_may_allow_more_epochs(world: SiteWorld) -> None:
    check(world, world.open_round(training=TrainingSettings(21, 32, "0.002", "5", 7)), max_epochs=30)


def test_recipients_that_the_round_does_not_name_are_refused(world: SiteWorld) -> None:
    plan = world.open_round()
    with pytest.raises(ConfigError, match="not those that the round names"):
        check(world, replace(plan, recipients=plan.recipients[::-1]))


class TestRecipientsOfAHostileAggregator:
    """The round names them all: the aggregator wrote the round too."""

    def refused(self, world: SiteWorld, recipients: tuple[Recipient, ...], why: str, *, announce: bool = True) -> None:
        plan = world.open_round(recipients=recipients, announce=announce)
        with pytest.raises(ConfigError, match=why):
            check(world, plan)

    def key(self, world: SiteWorld) -> tuple[Recipient, Recipient]:
        # The round's key is made by open_round, so a plan of another key stands for a smuggled one.
        own = Recipient("aggregator", Digest(world.aggregator_id), RecipientPrivateKey.generate().public_key())
        auditor = Recipient("auditor", auditor_recipient_id(1), world.auditor_key.public_key())
        return own, auditor

    def test_a_key_that_was_not_announced(self, world: SiteWorld) -> None:
        self.refused(world, self.key(world), "an aggregator that the chain does not know")

    def test_a_key_for_a_round_without_announcements(self, world: SiteWorld) -> None:
        self.refused(world, self.key(world), "an aggregator that the chain does not know", announce=False)

    def test_a_second_reader_beside_the_right_ones(self, world: SiteWorld) -> None:
        plan = world.open_round()
        spy = Recipient("aggregator", Digest(aggregator_id_of("spy")), RecipientPrivateKey.generate().public_key())
        world.abort()
        world.open_round(recipients=(*plan.recipients, spy))
        with pytest.raises(ConfigError, match="does not know"):
            check(world, world.make_plan(2, recipients=(*plan.recipients, spy)))

    def test_the_auditors_key_of_an_epoch_that_is_over(self, world: SiteWorld) -> None:
        old = world.auditor_key
        world.publish_auditor_key()
        world.auditor_key, new = old, world.auditor_key
        plan = world.open_round()
        assert plan.recipients[1].public_key == old.public_key()
        with pytest.raises(ConfigError, match="an auditor that the chain does not know"):
            check(world, plan)
        world.auditor_key = new
        world.abort()
        check(world, world.open_round())

    def test_no_auditor(self, world: SiteWorld) -> None:
        world.open_round()
        only = (world.recipients()[0],)
        view = world.view(1)
        # The recipients digest is compared first, so the view is made to name them.
        plan = world.make_plan(1, recipients=only)
        changed = replace(view.opened, recipients_digest=recipients_digest(only))
        view.opened = changed
        with pytest.raises(ConfigError, match="leaves the auditor out"):
            check_plan(
                plan,
                view,
                world.history,
                backbone_digest=world.backbone.digest,
                scope=world.backbone.scope_tensors(),
                limits=TrainingLimits(),
            )

    def test_fewer_aggregators_than_must_agree(self, world: SiteWorld) -> None:
        second = world.world.fresh_ledger()
        other = aggregator_id_of("second")
        world.governor.send(calls.AdmitAggregator(other, second.account, digest_of("test-key")))
        world.governor.send(calls.SetAggregators((world.aggregator_id, other), 2))
        plan = world.open_round()
        with pytest.raises(ConfigError, match="fewer aggregators"):
            check(world, plan)
