"""Whatever somebody does to a round is named, and "missing" is never called "different"."""

from __future__ import annotations

import dataclasses
import io
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest

from audit.availability import check_availability, named_contents
from audit.findings import Outcome, Piece, Topic, WhyMissing
from audit.names import Names
from audit.pieces import FetchLimits
from protocol import envelope, recipient_keys
from protocol import ledger_events as ev
from protocol.aggregation import aggregate
from protocol.cid import cid_of_bytes
from protocol.identifiers import CID, Digest, digest_of
from protocol.parameters import encode_parameters, parameters_digest
from protocol.plan import Recipient, encode_plan, plan_digest, recipients_digest
from protocol.recipient_keys import RecipientPrivateKey
from protocol.result import RoundResult, encode_verdicts, failed_result, make_verdicts
from protocol.verdicts import VerdictCode
from tests.audit.stage import about, change, honest_network, logs_of, only_round, run, store_of, topics
from tests.fakes.block_store import FakeBlockStore
from tests.protocol.builders import Network, random_delta, random_parameters

REFUSED = VerdictCode.NORM_TOO_LARGE


def filled(sites: int = 5, **plan: object) -> Network:
    network = Network(sites_count=sites)
    network.open_round(**plan)
    network.register_all()
    return network


def lying_result(network: Network, codes: Mapping[int, VerdictCode], *, summed: set[int] | None = None) -> RoundResult:
    """A result with other verdicts, over the sum of the updates that it accepts (or of ``summed``)."""
    network.close()
    verdicts = make_verdicts(network.view.registrations, codes)
    wanted = {v.index for v in verdicts if v.code is VerdictCode.ACCEPTED} if summed is None else summed
    chosen = [update for update in network.judge().accepted if update.index in wanted]
    assert network.plan is not None
    model = b"".join(aggregate(io.BytesIO(network.model), chosen, network.plan))
    honest = network.result(network.judge())
    return dataclasses.replace(
        honest,
        model_digest=parameters_digest(model),
        model_cid=network.put(model),
        verdicts=verdicts,
        verdicts_cid=network.put(encode_verdicts(network.round_id, verdicts)),
    )


# ------------------------------------------------------------------------------------------------------- the model


def test_other_bytes_delivered_for_the_models_cid_are_missing_not_different() -> None:
    network = honest_network(rounds=1)
    store = store_of(network)
    store.damage(cid_of_bytes(network.model))
    found = only_round(run(network, store))
    assert [(lost.piece, lost.why) for lost in found.missing] == [(Piece.GLOBAL_MODEL, WhyMissing.DAMAGED)]
    assert found.differences == ()
    assert found.outcome is Outcome.MISSING


@pytest.mark.parametrize("keyless", [False, True], ids=["with the key", "without a key"])
def test_a_cid_on_chain_that_holds_another_model_than_the_digest_says_is_different(keyless: bool) -> None:
    network = filled()
    other = network.put(encode_parameters(random_parameters(network.tensors, seed=99)))
    network.conclude(model_cid=other)
    found = only_round(run(network, keyless=keyless))
    assert found.outcome is Outcome.DIFFERENT
    assert any("are not the global model whose digest is on chain" in d.sentence for d in found.differences)


def test_a_model_that_is_not_the_sum_is_different_to_whoever_holds_the_key() -> None:
    network = filled()
    forged = encode_parameters(random_parameters(network.tensors, seed=99))
    network.conclude(model_digest=parameters_digest(forged), model_cid=network.put(forged))
    finding = run(network)
    found = only_round(finding)
    assert topics(found) == {Topic.MODEL}
    assert not found.model_recomputed
    assert not finding.same
    # Nobody without a key can see it, and the finding says that nothing was opened.
    assert only_round(run(network, keyless=True)).outcome is Outcome.SAME


def test_a_round_after_a_forged_model_is_judged_on_the_model_that_the_chain_names() -> None:
    network = filled()
    forged = encode_parameters(random_parameters(network.tensors, seed=99))
    network.conclude(model_digest=parameters_digest(forged), model_cid=network.put(forged))
    network.open_round()
    network.register_all()
    network.conclude()
    finding = run(network)
    assert [found.outcome for found in finding.rounds] == [Outcome.DIFFERENT, Outcome.SAME]


def test_a_single_flipped_bit_of_the_sum_is_different() -> None:
    network = filled()
    network.close()
    honest = network.result(network.judge())
    model = bytearray(network.blocks[honest.model_cid])
    model[-1] ^= 1
    network.conclude(model_digest=parameters_digest(bytes(model)), model_cid=network.put(bytes(model)))
    assert topics(only_round(run(network))) == {Topic.MODEL}


def test_a_server_state_that_nobody_keeps_is_different_without_a_key() -> None:
    network = filled()
    network.conclude(state_digest=digest_of("server-state", b"something"))
    assert topics(only_round(run(network, keyless=True))) == {Topic.STATE}


# ----------------------------------------------------------------------------------------------------- the verdicts


def test_an_honest_update_that_was_refused_is_found_and_the_sum_is_told_apart() -> None:
    network = filled()
    network.conclude(lying_result(network, {2: REFUSED}))
    found = only_round(run(network))
    (wrong,) = about(found, Topic.VERDICT)
    assert wrong.index == 2
    assert "90 norm too large on chain, but the rules give 0 accepted" in wrong.sentence
    assert any("sum of the updates that were accepted on chain" in note for note in found.notes)
    assert found.outcome is Outcome.DIFFERENT


def test_a_bad_update_that_was_accepted_is_found() -> None:
    network = Network(sites_count=5)
    network.open_round(max_norm="1")
    network.register(network.sites[0], delta=random_delta(network.tensors, seed=5, scale=1.0))
    for site in network.sites[1:]:
        network.register(site)
    network.conclude(lying_result(network, {}, summed={1, 2, 3, 4}))
    (wrong,) = about(only_round(run(network)), Topic.VERDICT)
    assert wrong.index == 0
    assert "0 accepted on chain, but the rules give 90 norm too large" in wrong.sentence


def test_one_refusal_called_by_another_code_is_found() -> None:
    network = Network(sites_count=5)
    network.open_round(max_norm="1")
    network.register(network.sites[0], delta=random_delta(network.tensors, seed=5, scale=1.0))
    for site in network.sites[1:]:
        network.register(site)
    network.conclude(lying_result(network, {0: VerdictCode.DUPLICATE_NEAR}))
    assert [d.index for d in about(only_round(run(network)), Topic.VERDICT)] == [0]


def test_a_verdict_that_cannot_be_is_found_without_a_key() -> None:
    network = filled()
    network.conclude(lying_result(network, {3: VerdictCode.CONSENT_NOT_IN_FORCE}))
    (wrong,) = about(only_round(run(network, keyless=True)), Topic.VERDICT)
    assert wrong.index == 3


def test_an_accepted_update_whose_envelope_belongs_elsewhere_is_found_without_a_key() -> None:
    network = Network(sites_count=4)
    network.open_round()
    network.register(network.sites[0], bound={"round": 7})
    for site in network.sites[1:]:
        network.register(site)
    network.conclude(lying_result(network, {}, summed={1, 2, 3}))
    (wrong,) = about(only_round(run(network, keyless=True)), Topic.VERDICT)
    assert wrong.index == 0


def test_a_bitmap_that_is_not_that_of_the_codes_is_found_without_a_key() -> None:
    network = filled()
    network.conclude(accepted=0b10111)
    assert Topic.ACCEPTED in topics(only_round(run(network, keyless=True)))
    assert Topic.ACCEPTED in topics(only_round(run(network)))


def test_a_pinned_verdict_list_that_says_otherwise_than_the_codes_is_found_without_a_key() -> None:
    network = filled()
    network.close()
    verdicts = make_verdicts(network.view.registrations, {1: REFUSED})
    network.conclude(verdicts_cid=network.put(encode_verdicts(network.round_id, verdicts)))
    (wrong,) = about(only_round(run(network, keyless=True)), Topic.VERDICT_LIST)
    assert wrong.sentence.endswith("of updates 1")


def test_a_pinned_verdict_list_that_is_none_is_named() -> None:
    network = filled()
    network.conclude(verdicts_cid=network.put(b"not a list"))
    (wrong,) = about(only_round(run(network)), Topic.VERDICT_LIST)
    assert "the pinned verdict list is none" in wrong.sentence


def test_a_root_that_is_not_that_of_the_codes_is_found_without_a_key() -> None:
    network = filled()
    network.conclude(verdicts_root=digest_of("test-root"))
    assert topics(only_round(run(network, keyless=True))) == {Topic.VERDICT_LIST}


def test_an_unknown_code_is_named() -> None:
    network = filled()
    network.conclude(codes=bytes([0, 0, 77, 0, 0]), accepted=0b11011)
    assert any("not known" in d.sentence for d in about(only_round(run(network)), Topic.VERDICT))


def test_a_round_that_failed_although_enough_updates_pass_is_different() -> None:
    network = filled()
    network.close()
    verdicts = make_verdicts(network.view.registrations, dict.fromkeys(range(3), REFUSED))
    cid = network.put(encode_verdicts(network.round_id, verdicts))
    network.conclude(failed_result(network.round_id, verdicts, cid))
    found = only_round(run(network))
    assert {Topic.VERDICT, Topic.OUTCOME} <= topics(found)
    assert [d.index for d in about(found, Topic.VERDICT)] == [0, 1, 2]


# ---------------------------------------------------------------------------------------------- what is not delivered


def test_a_flipped_byte_of_an_envelope_is_missing_as_damaged() -> None:
    network = filled()
    network.conclude()
    store = store_of(network)
    store.damage(network.view.registrations[1].event.envelope_cid)
    for keyless in (False, True):
        found = only_round(run(network, store, keyless=keyless))
        assert [(lost.piece, lost.why, lost.index) for lost in found.missing] == [
            (Piece.ENVELOPE, WhyMissing.DAMAGED, 1)
        ]
        assert found.differences == ()


def test_a_missing_envelope_is_named_by_its_cid_and_the_other_verdicts_are_still_compared() -> None:
    network = filled()
    network.conclude(lying_result(network, {4: REFUSED}))
    gone = network.view.registrations[1].event.envelope_cid
    store = store_of(network)
    store.forget(gone)
    found = only_round(run(network, store))
    assert [(lost.cid, lost.why) for lost in found.missing] == [(gone, WhyMissing.NOT_DELIVERED)]
    assert [d.index for d in about(found, Topic.VERDICT)] == [4]


def test_a_duplicate_of_a_missing_update_is_not_called_a_wrong_verdict() -> None:
    network = Network(sites_count=5)
    network.open_round()
    first = network.register(network.sites[0])
    network.register(network.sites[1], delta=network.delta(network.sites[0]))
    for site in network.sites[2:]:
        network.register(site)
    network.conclude()
    store = store_of(network)
    store.forget(first.event.envelope_cid)
    found = only_round(run(network, store))
    assert found.outcome is Outcome.MISSING
    assert found.differences == ()


def test_a_missing_refused_update_leaves_the_sum_comparable() -> None:
    network = Network(sites_count=5)
    network.open_round(max_norm="1")
    refused = network.register(network.sites[0], delta=random_delta(network.tensors, seed=5, scale=1.0))
    for site in network.sites[1:]:
        network.register(site)
    network.conclude()
    store = store_of(network)
    store.forget(refused.event.envelope_cid)
    found = only_round(run(network, store))
    assert found.outcome is Outcome.MISSING
    assert any("sum of the updates that were accepted on chain" in note for note in found.notes)


def test_an_update_that_the_aggregators_did_not_fetch_is_noted_and_the_sum_is_the_same() -> None:
    network = filled()
    network.conclude(lying_result(network, {2: VerdictCode.NOT_FETCHED}))
    for keyless in (False, True):
        found = only_round(run(network, keyless=keyless))
        assert found.outcome is Outcome.SAME
        assert found.notes == ("update 2 was not fetched by the aggregators and is there now: not provably wrong",)
    assert only_round(run(network)).model_recomputed
    store = store_of(network)
    store.forget(network.view.registrations[2].event.envelope_cid)
    found = only_round(run(network, store))
    assert found.outcome is Outcome.SAME
    assert "not there now either" in found.notes[0]


def test_nobody_waits_long_for_what_the_aggregators_could_not_fetch(tmp_path: Path) -> None:
    class Patient(FakeBlockStore):
        waited: ClassVar[dict[CID, float]] = {}

        def fetch(self, cid: CID, destination: Path, *, max_bytes: int, timeout_seconds: float) -> int:
            self.waited[cid] = timeout_seconds
            return super().fetch(cid, destination, max_bytes=max_bytes, timeout_seconds=timeout_seconds)

    network = filled()
    network.conclude(lying_result(network, {2: VerdictCode.NOT_FETCHED}))
    never = network.view.registrations[2].event.envelope_cid
    store = Patient()
    store.contents = {cid: content for cid, content in network.blocks.items() if cid != never}
    limits = FetchLimits(timeout_seconds=60.0, doubtful_seconds=2.0)
    assert only_round(run(network, store, limits=limits)).outcome is Outcome.SAME
    assert store.waited.pop(never) == 2.0
    assert set(store.waited.values()) == {60.0}

    contents = named_contents(logs_of(network), Names(["tests"]))
    rows = list(check_availability(contents, [store], tmp_path, limits, read=True))
    assert store.waited[never] == 2.0
    assert [row.content.cid for row in rows if not row.there] == [never]
    assert not any(row.lost for row in rows)


def test_a_missing_plan_a_missing_parent_and_a_missing_verdict_list_are_told_apart() -> None:
    network = filled()
    network.conclude()
    opened, outcome = network.view.opened, network.view.outcome
    assert isinstance(outcome, ev.RoundFinalized)
    parent = network.history.lineages[network.lineage_id].created.model_cid
    cases = {opened.plan_cid: Piece.PLAN, parent: Piece.PARENT_MODEL, outcome.verdicts_cid: Piece.VERDICT_LIST}
    for cid, piece in cases.items():
        store = store_of(network)
        store.forget(cid)
        found = only_round(run(network, store))
        assert [lost.piece for lost in found.missing] == [piece]
        assert found.outcome is Outcome.MISSING
        assert not found.model_recomputed or piece is Piece.VERDICT_LIST


def test_a_missing_genesis_model_is_said_of_the_lineage() -> None:
    network = honest_network(rounds=1)
    store = store_of(network)
    store.forget(network.history.lineages[network.lineage_id].created.model_cid)
    assert [lost.piece for lost in run(network, store).lineages[0].missing] == [Piece.GENESIS_MODEL]


def test_an_envelope_longer_than_the_plan_allows_is_agreed_to_be_too_large() -> None:
    network = Network(sites_count=4)
    network.open_round(max_envelope_bytes=9_500)
    # Sealed envelopes of this network are longer than 9,500 bytes: every one is too large.
    network.register_all()
    result = network.conclude()
    assert set(result.codes) == {VerdictCode.TOO_LARGE}
    assert run(network).same
    assert run(network, keyless=True).same


# ------------------------------------------------------------------------------------------------------- content keys


def wrapped_for(network: Network, auditor: bytes) -> tuple[Recipient, ...]:
    return tuple(
        dataclasses.replace(recipient, public_key=auditor) if recipient.role == "auditor" else recipient
        for recipient in network.recipients()
    )


def test_an_update_sealed_for_another_auditor_must_be_refused_and_its_acceptance_is_found() -> None:
    network = Network(sites_count=4)
    network.open_round()
    stranger = RecipientPrivateKey.generate().public_key()
    network.register(network.sites[0], recipients=wrapped_for(network, stranger))
    for site in network.sites[1:]:
        network.register(site)
    result = network.conclude()
    assert result.codes[0] == VerdictCode.CONTEXT_MISMATCH
    assert run(network).same


def spoil_wrapping_for(public_key: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """A hostile site: it wraps another content key for one recipient than for the others."""

    def wrap(content_key: bytes, recipient: bytes, info: bytes) -> bytes:
        return recipient_keys.wrap(bytes(32) if recipient == public_key else content_key, recipient, info)

    monkeypatch.setattr(envelope, "wrap", wrap)


def test_a_key_wrapped_badly_for_the_auditor_alone_is_missing_and_no_fault_of_the_aggregators(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    network = Network(sites_count=4)
    network.open_round()
    with monkeypatch.context() as patch:
        spoil_wrapping_for(network.auditor_key.public_key(), patch)
        network.register(network.sites[0])
    for site in network.sites[1:]:
        network.register(site)
    assert network.conclude().codes[0] == VerdictCode.ACCEPTED
    found = only_round(run(network))
    assert [(lost.piece, lost.why) for lost in found.missing] == [(Piece.CONTENT_KEY, WhyMissing.NOT_FOR_THIS_KEY)]
    assert found.differences == ()
    assert found.outcome is Outcome.MISSING


def test_a_key_wrapped_badly_for_the_aggregator_alone_is_noted_and_the_sum_is_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    network = Network(sites_count=4)
    network.open_round()
    with monkeypatch.context() as patch:
        spoil_wrapping_for(network.aggregators[0].key.public_key(), patch)
        network.register(network.sites[0])
    for site in network.sites[1:]:
        network.register(site)
    assert network.conclude().codes[0] == VerdictCode.KEY_COMMITMENT_MISMATCH
    found = only_round(run(network))
    assert found.outcome is Outcome.SAME
    assert found.model_recomputed
    assert found.notes == (
        "update 0 did not open with the aggregators' keys, and the auditor's key opens it: not provably wrong",
    )
    assert run(network, keyless=True).same


# --------------------------------------------------------------------------------------------------------- the plan


def test_another_plan_at_the_plans_cid_is_different() -> None:
    network = filled()
    assert network.plan is not None
    other = network.put(encode_plan(dataclasses.replace(network.plan, max_abs=7)))
    network.conclude()
    events = change(logs_of(network), ev.RoundOpened, plan_cid=other)
    found = only_round(run(network, events=events))
    assert topics(found) == {Topic.PLAN}


def test_a_plan_for_another_round_is_different() -> None:
    network = filled()
    assert network.plan is not None
    encoded = encode_plan(dataclasses.replace(network.plan, round=2))
    network.conclude()
    events = change(logs_of(network), ev.RoundOpened, plan_cid=network.put(encoded), plan_digest=plan_digest(encoded))
    (wrong,) = about(only_round(run(network, events=events)), Topic.PLAN)
    assert "made for another round" in wrong.sentence


def test_bytes_that_are_no_plan_are_different() -> None:
    network = filled()
    network.conclude()
    junk = b'{"version":1}'
    events = change(logs_of(network), ev.RoundOpened, plan_cid=network.put(junk), plan_digest=plan_digest(junk))
    assert topics(only_round(run(network, events=events))) == {Topic.PLAN}


def test_a_recipient_who_announced_no_key_is_found_without_a_key() -> None:
    network = Network(sites_count=4)
    spy = Recipient(
        "aggregator", Digest(network.aggregators[0].aggregator_id), RecipientPrivateKey.generate().public_key()
    )
    named = (*network.recipients(), spy)
    network.recipients = lambda: named  # type: ignore[method-assign]
    network.open_round()
    opened = network.view.opened
    assert network.plan is not None
    assert opened.recipients_digest == recipients_digest(network.plan.recipients)
    network.register_all()
    network.conclude()
    (wrong,) = about(only_round(run(network, keyless=True)), Topic.PLAN)
    assert "was not announced on chain" in wrong.sentence


def test_another_auditors_key_is_found_and_none_at_all_is_noted() -> None:
    network = Network(sites_count=4)
    named = wrapped_for(network, RecipientPrivateKey.generate().public_key())
    network.recipients = lambda: named  # type: ignore[method-assign]
    network.open_round()
    network.register_all()
    network.conclude()
    assert topics(only_round(run(network))) == {Topic.PLAN}
    network = Network(sites_count=4)
    aggregators_only = network.recipients()[:1]
    network.recipients = lambda: aggregators_only  # type: ignore[method-assign]
    network.open_round()
    network.register_all()
    network.conclude()
    found = only_round(run(network))
    assert found.outcome is Outcome.SAME
    assert not found.opened
    assert any("no auditor's key" in note for note in found.notes)


@pytest.mark.parametrize(
    ("changes", "topic"),
    [
        ({"parent_cid": cid_of_bytes(b"elsewhere")}, Topic.PARENT),
        ({"backbone_digest": digest_of("another-backbone")}, Topic.PLAN),
        ({"max_rounds": 1}, Topic.PLAN),
    ],
    ids=["the parent's CID", "the backbone", "the stop rule"],
)
def test_a_plan_that_contradicts_the_chain_is_different(changes: dict[str, object], topic: Topic) -> None:
    network = honest_network(rounds=1)
    network.open_round(**changes)
    network.register_all()
    network.conclude()
    assert topics(only_round(run(network, keyless=True), 2)) == {topic}


def test_a_parent_that_is_not_the_head_is_different() -> None:
    network = honest_network(rounds=1)
    genesis = network.history.lineages[network.lineage_id].created
    network.model = network.blocks[genesis.model_cid]
    network.open_round()
    network.register_all()
    network.conclude()
    assert Topic.PARENT in topics(only_round(run(network, keyless=True), 2))


def test_a_genesis_model_that_is_not_its_digest_is_said_of_the_lineage() -> None:
    network = honest_network(rounds=0)
    other = network.put(encode_parameters(random_parameters(network.tensors, seed=3)))
    events = change(logs_of(network), ev.LineageCreated, number=1, model_cid=other)
    events = [
        dataclasses.replace(entry, event=dataclasses.replace(entry.event, model_cid=other))
        if isinstance(entry.event, ev.LineageCreated)
        else entry
        for entry in events
    ]
    finding = run(network, events=events)
    assert [d.topic for d in finding.lineages[0].differences] == [Topic.MODEL]


# -------------------------------------------------------------------------------------------------------- the votes


def test_a_vote_for_another_result_is_named() -> None:
    network = honest_network(rounds=1, aggregators_count=2)
    events = logs_of(network)
    first = next(i for i, entry in enumerate(events) if isinstance(entry.event, ev.ResultAttested))
    vote = events[first].event
    assert isinstance(vote, ev.ResultAttested)
    wrong_vote = dataclasses.replace(vote, result_digest=digest_of("other-result"))
    events[first] = dataclasses.replace(events[first], event=wrong_vote)
    sentences = [d.sentence for d in about(only_round(run(network, events=events, keyless=True)), Topic.VOTE)]
    assert len(sentences) == 2
    assert "voted for another result" in sentences[0]
    assert sentences[1] == "1 of the 2 votes needed are for this result"


def test_a_result_without_any_vote_is_named() -> None:
    network = honest_network(rounds=1)
    events = [entry for entry in logs_of(network) if not isinstance(entry.event, ev.ResultAttested)]
    assert Topic.VOTE in topics(only_round(run(network, events=events, keyless=True)))


def test_a_failed_rounds_votes_are_checked_too() -> None:
    network = Network(sites_count=4)
    network.open_round()
    network.register(network.sites[0])
    network.conclude()
    events = change(logs_of(network), ev.RoundFailed, verdicts_cid=CID(b"\x07" * 32))
    assert Topic.VOTE in topics(only_round(run(network, events=events)))


def test_values_that_overflow_give_no_model_and_say_so() -> None:
    network = Network(sites_count=3)
    huge = {t.shape.name: np.full(t.shape.shape, np.finfo(np.float32).max, np.float32) for t in network.tensors}
    # A published model whose bytes hold an infinity cannot follow from any updates.
    data = bytearray(encode_parameters(huge))
    data[-4:] = np.float32(np.inf).tobytes()
    network.open_round()
    network.register_all()
    network.conclude(model_digest=parameters_digest(bytes(data)), model_cid=network.put(bytes(data)))
    assert topics(only_round(run(network))) == {Topic.MODEL}
