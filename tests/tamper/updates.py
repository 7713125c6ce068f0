"""Mutations of updates: a site seals something wrong, and the aggregators accept it all the same."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np

from protocol import ledger_events as ev
from protocol.identifiers import digest_of, lineage_id_of, site_id_of
from protocol.recipient_keys import RecipientPrivateKey
from protocol.update import encode_delta
from tests.protocol.builders import Network
from tests.protocol.values import PlannedTensor, TensorShape, random_delta
from tests.tamper.catalogue import REPLAY, SITE, chapter
from tests.tamper.recording import LAST, Recording, lying_result

mutation = chapter("Updates that the aggregators accept", REPLAY)
WRONG, ROUND = "different (verdict)", f"tests round {LAST}"
OTHER = digest_of("test-other")


def _accept(it: Recording, **fault: Any) -> None:
    """The last round again, in which the first site's update has a fault and is accepted."""
    network = it.opening
    network.open_round(selected=network.sites[:6], **fault.pop("plan", {}))
    network.register(network.sites[0], **fault)
    for site in network.sites[1:5]:
        network.register(site)
    _conclude(it, network)


def _conclude(it: Recording, network: Network) -> None:
    said = lying_result(network, {}, None)
    network.blocks.update(said.pop("contents"))
    network.conclude()
    it.play(network)
    it.attest(**said)


def _flipped(place: int) -> Callable[[bytes], bytes]:
    return lambda sealed: sealed[: place % len(sealed)] + bytes([sealed[place] ^ 1]) + sealed[place % len(sealed) + 1 :]


@mutation(SITE, WRONG, "the rules give 30 envelope malformed", where=ROUND)
def no_envelope(it: Recording) -> None:
    """An envelope does not begin as one"""
    _accept(it, envelope=_flipped(0))


@mutation(SITE, WRONG, "the rules give 31 version unknown", where=ROUND)
def another_version(it: Recording) -> None:
    """An envelope has an unknown version"""
    _accept(it, envelope=_flipped(8))


@mutation(SITE, WRONG, "the rules give 31 version unknown", where=ROUND)
def another_suite(it: Recording) -> None:
    """An envelope has an unknown suite"""
    _accept(it, envelope=_flipped(9))


@mutation(SITE, WRONG, "the rules give 30 envelope malformed", where=ROUND)
def a_longer_header(it: Recording) -> None:
    """An envelope says another length of its header"""
    _accept(it, envelope=_flipped(10))


@mutation(SITE, WRONG, "the rules give 41 not opened", where=ROUND, public=False)
def a_bit_of_the_ciphertext(it: Recording) -> None:
    """One bit of the ciphertext is flipped"""
    _accept(it, envelope=_flipped(-40))


@mutation(SITE, WRONG, "the rules give 41 not opened", where=ROUND, public=False)
def a_bit_of_the_tag(it: Recording) -> None:
    """One bit of the last tag is flipped"""
    _accept(it, envelope=_flipped(-1))


@mutation(SITE, WRONG, "the rules give 30 envelope malformed", where=ROUND)
def an_envelope_cut_off(it: Recording) -> None:
    """An envelope's end is cut off"""
    _accept(it, envelope=lambda sealed: sealed[:-1])


@mutation(SITE, WRONG, "the rules give 30 envelope malformed", where=ROUND)
def an_envelope_with_more(it: Recording) -> None:
    """Bytes are appended to an envelope"""
    _accept(it, envelope=lambda sealed: sealed + b"\0")


@mutation(SITE, WRONG, "the rules give 40 context mismatch", where=ROUND)
def sealed_for_another_round(it: Recording) -> None:
    """An envelope was sealed for another round"""
    _accept(it, bound={"round": 2})


@mutation(SITE, WRONG, "the rules give 40 context mismatch", where=ROUND)
def sealed_for_another_lineage(it: Recording) -> None:
    """An envelope was sealed for another lineage"""
    _accept(it, bound={"lineage_id": lineage_id_of("second")})


@mutation(SITE, WRONG, "the rules give 40 context mismatch", where=ROUND)
def sealed_by_another_site(it: Recording) -> None:
    """An envelope is another site's"""
    _accept(it, bound={"site_id": site_id_of("site-6")})


@mutation(SITE, WRONG, "the rules give 40 context mismatch", where=ROUND)
def sealed_for_another_chain(it: Recording) -> None:
    """An envelope was sealed for another chain"""
    _accept(it, bound={"chain_id": 1})


@mutation(SITE, WRONG, "the rules give 40 context mismatch", where=ROUND)
def sealed_for_another_parent(it: Recording) -> None:
    """An envelope was sealed for another parent"""
    _accept(it, bound={"parent_digest": OTHER})


@mutation(SITE, WRONG, "the rules give 40 context mismatch", where=ROUND)
def sealed_without_the_auditor(it: Recording) -> None:
    """An envelope leaves the auditor out"""
    _accept(it, recipients=it.opening.recipients()[:2])


@mutation(SITE, WRONG, "the rules give 40 context mismatch", where=ROUND)
def sealed_for_another_reader(it: Recording) -> None:
    """An envelope is sealed for another reader than the plan names"""
    stranger = RecipientPrivateKey.generate().public_key()
    named = it.opening.recipients()
    _accept(it, recipients=(*named[:2], dataclasses.replace(named[2], public_key=stranger)))


@mutation(SITE, WRONG, "the rules give 21 envelope digest mismatch", where=ROUND)
def another_cid(it: Recording) -> None:
    """A registration's CID is that of another pinned file"""
    other = it.event(ev.RoundOpened, round=2).plan_cid
    plan = it.contents[other]
    _accept(it, event={"envelope_cid": other})
    it.contents[other] = plan


@mutation(SITE, WRONG, "the rules give 21 envelope digest mismatch", where=ROUND)
def another_digest(it: Recording) -> None:
    """A registration's digest is not that of its envelope"""
    _accept(it, event={"envelope_digest": OTHER})


@mutation(SITE, WRONG, "the rules give 11 too large", where=ROUND)
def too_large(it: Recording) -> None:
    """An envelope is longer than the plan allows"""
    _accept(it, plan={"max_envelope_bytes": 30_000}, envelope=lambda sealed: sealed + bytes(30_000))


@mutation(SITE, WRONG, "the rules give 50 commitment mismatch", where=ROUND, public=False)
def another_commitment(it: Recording) -> None:
    """The delta is not the one that was committed to"""
    _accept(it, manifest={"commitment_salt": bytes(32)})


@mutation(SITE, WRONG, "the rules give 61 manifest mismatch", where=ROUND, public=False)
def another_round_in_the_manifest(it: Recording) -> None:
    """The manifest is that of another round"""
    _accept(it, manifest={"round": 2})


@mutation(SITE, WRONG, "the rules give 61 manifest mismatch", where=ROUND, public=False)
def another_site_in_the_manifest(it: Recording) -> None:
    """The manifest is another site's"""
    _accept(it, manifest={"site_id": site_id_of("site-6")})


@mutation(SITE, WRONG, "the rules give 61 manifest mismatch", where=ROUND, public=False)
def another_parent_in_the_manifest(it: Recording) -> None:
    """The update was trained from another parent"""
    _accept(it, manifest={"parent_digest": OTHER})


@mutation(SITE, WRONG, "the rules give 61 manifest mismatch", where=ROUND, public=False)
def another_plan_in_the_manifest(it: Recording) -> None:
    """The update was trained by another plan"""
    _accept(it, manifest={"plan_digest": OTHER})


@mutation(SITE, WRONG, "the rules give 61 manifest mismatch", where=ROUND, public=False)
def another_dataset_in_the_manifest(it: Recording) -> None:
    """The manifest names another dataset than the registration"""
    _accept(it, manifest={"dataset_root": OTHER})


@mutation(SITE, WRONG, "the rules give 61 manifest mismatch", where=ROUND, public=False)
def another_consent_root_in_the_manifest(it: Recording) -> None:
    """The manifest names another consent root than the site published"""
    _accept(it, manifest={"consent_root": OTHER})


@mutation(SITE, WRONG, "the rules give 80 weight rule broken", where=ROUND, public=False)
def too_much_weight(it: Recording) -> None:
    """A site takes a weight that its number of examples does not give"""
    _accept(it, event={"weight": 9}, manifest={"weight": 9})


@mutation(SITE, WRONG, "the rules give 60 manifest malformed", where=ROUND, public=False)
def no_manifest(it: Recording) -> None:
    """The manifest is none"""
    _accept(it, content=lambda plain: plain[:6] + b"?" + plain[7:])


@mutation(SITE, WRONG, "the rules give 70 tensors mismatch", where=ROUND, public=False)
def other_tensors(it: Recording) -> None:
    """The delta is that of other tensors"""
    names = it.opening.tensors
    other = (PlannedTensor(TensorShape("conv.other", (3,)), 24), *names[1:])
    network = it.opening
    network.open_round(selected=network.sites[:6])
    assert network.plan is not None
    encoded = encode_delta(random_delta(other, seed=1), dataclasses.replace(network.plan, tensors=other))
    network.register(network.sites[0], encoded=encoded)
    for site in network.sites[1:5]:
        network.register(site)
    _conclude(it, network)


@mutation(SITE, WRONG, "the rules give 70 tensors mismatch", where=ROUND, public=False)
def a_longer_delta(it: Recording) -> None:
    """The delta has more values than the plan's tensors"""
    _accept(it, content=lambda plain: plain + bytes(4))


@mutation(SITE, WRONG, "the rules give 71 value out of range", where=ROUND, public=False)
def a_value_out_of_range(it: Recording) -> None:
    """A value of the delta is beyond the plan's range"""
    _accept(it, content=lambda plain: plain[:-4] + (2**31 - 1).to_bytes(4, "little"))


@mutation(SITE, WRONG, "the rules give 90 norm too large", where=ROUND, public=False)
def too_long_a_delta(it: Recording) -> None:
    """The delta is longer than the plan allows"""
    _accept(it, plan={"max_norm": "1"}, delta=random_delta(it.opening.tensors, seed=5, scale=1.0))


@mutation(SITE, WRONG, "the rules give 101 duplicate near", where=ROUND, public=False)
def almost_a_copy(it: Recording) -> None:
    """An update that is almost another's is accepted"""
    network = it.opening
    network.open_round(selected=network.sites[:6])
    network.register(network.sites[0])
    near = {name: values * 1.01 for name, values in network.delta(network.sites[0]).items()}
    network.register(network.sites[1], delta=near)
    for site in network.sites[2:5]:
        network.register(site)
    _conclude(it, network)


@mutation(SITE, WRONG, "the rules give 100 duplicate exact", where=ROUND, public=False)
def nothing_learned_twice(it: Recording) -> None:
    """Two sites send an empty update, and both are accepted"""
    network = it.opening
    network.open_round(selected=network.sites[:6])
    nothing = {t.shape.name: np.zeros(t.shape.shape) for t in network.tensors}
    for site in network.sites[:2]:
        network.register(site, delta=nothing)
    for site in network.sites[2:5]:
        network.register(site)
    _conclude(it, network)


@mutation(SITE, "different (chain-rule)", "without consent in force", where=ROUND)
def an_older_consent(it: Recording) -> None:
    """An update is made under a consent root that the site had withdrawn"""
    network = it.opening
    network.withdraw(network.sites[0])
    _accept(it)


@mutation(SITE, WRONG, "the rules give 111 consent withdrawn", where=ROUND)
def a_withdrawal_ignored(it: Recording) -> None:
    """A patient's withdrawal before the close is ignored"""
    network = it.opening
    network.open_round(selected=network.sites[:6])
    for site in network.sites[:5]:
        network.register(site)
    network.withdraw(network.sites[0])
    _conclude(it, network)
