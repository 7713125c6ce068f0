"""Mutations of plans that a site's node refuses to follow: nothing of the site leaves it."""

from __future__ import annotations

import dataclasses
from typing import Any

from protocol import ledger_events as ev
from protocol.identifiers import Digest, aggregator_id_of, digest_of, lineage_id_of
from protocol.plan import PlannedTensor, Recipient, TrainingSettings, recipients_digest
from protocol.recipient_keys import RecipientPrivateKey
from protocol.tensors import TensorShape
from tests.protocol.builders import Network
from tests.tamper.catalogue import AGGREGATOR, NODE, chapter

mutation = chapter("Plans that a site does not follow", NODE)
REFUSED = "sits out"
OTHER = digest_of("test-other")


def _say(network: Network, **changes: Any) -> None:
    """The round's plan, and what the round says of its recipients, after the opener changed them."""
    assert network.plan is not None
    network.plan = dataclasses.replace(network.plan, **changes)
    for place, entry in enumerate(network.events):
        if isinstance(entry.event, ev.RoundOpened) and entry.event.round == network.round:
            named = recipients_digest(network.plan.recipients)
            event = dataclasses.replace(entry.event, recipients_digest=named)
            network.events[place] = dataclasses.replace(entry, event=event)


@mutation(AGGREGATOR, REFUSED, "another round or parent")
def another_round(it: Network) -> None:
    """A site's plan is that of another round"""
    _say(it, round=2)


@mutation(AGGREGATOR, REFUSED, "another round or parent")
def another_lineage(it: Network) -> None:
    """A site's plan is that of another lineage"""
    _say(it, lineage_id=lineage_id_of("elsewhere"))


@mutation(AGGREGATOR, REFUSED, "another round or parent")
def another_parent(it: Network) -> None:
    """A site's plan starts from another model"""
    _say(it, parent_digest=OTHER)


@mutation(AGGREGATOR, REFUSED, "min_accepted")
def another_quorum(it: Network) -> None:
    """A site's plan needs fewer updates than the chain says"""
    _say(it, min_accepted=2)


@mutation(AGGREGATOR, REFUSED, "another backbone")
def another_backbone(it: Network) -> None:
    """A site's plan is for another backbone"""
    _say(it, backbone_digest=OTHER)


@mutation(AGGREGATOR, REFUSED, "other tensors")
def other_tensors(it: Network) -> None:
    """A site's plan shares other tensors than the scope's"""
    _say(it, tensors=(PlannedTensor(TensorShape("head.bias", (3,)), 24),))


@mutation(AGGREGATOR, REFUSED, "do not fit")
def too_small_an_envelope(it: Network) -> None:
    """A site's plan would have every update refused for its length"""
    _say(it, max_envelope_bytes=1000)


@mutation(AGGREGATOR, REFUSED, "asks for 10000 epochs")
def endless_training(it: Network) -> None:
    """A site's plan lets it train for weeks"""
    _say(it, training=TrainingSettings(10_000, 32, "0.002", "5", 7))


@mutation(AGGREGATOR, REFUSED, "an aggregator that the chain does not know")
def a_second_reader(it: Network) -> None:
    """A site's plan lets somebody else read its update"""
    spy = Recipient("aggregator", Digest(aggregator_id_of("spy")), RecipientPrivateKey.generate().public_key())
    _say(it, recipients=(*it.recipients(), spy))


@mutation(AGGREGATOR, REFUSED, "an aggregator that the chain does not know")
def another_key_of_an_aggregator(it: Network) -> None:
    """A site's plan names another key of an aggregator"""
    first, *others = it.recipients()
    _say(it, recipients=(dataclasses.replace(first, public_key=RecipientPrivateKey.generate().public_key()), *others))


@mutation(AGGREGATOR, REFUSED, "an auditor that the chain does not know")
def another_auditor(it: Network) -> None:
    """A site's plan names another auditor's key than the chain"""
    *others, auditor = it.recipients()
    _say(it, recipients=(*others, dataclasses.replace(auditor, public_key=RecipientPrivateKey.generate().public_key())))


@mutation(AGGREGATOR, REFUSED, "leaves the auditor out")
def no_auditor(it: Network) -> None:
    """A site's plan leaves the auditor out, so that nobody could replay the round"""
    _say(it, recipients=it.recipients()[:-1])


@mutation(AGGREGATOR, REFUSED, "fewer aggregators")
def too_few_aggregators(it: Network) -> None:
    """A site's plan names fewer aggregators than must agree"""
    _say(it, recipients=it.recipients()[1:])
