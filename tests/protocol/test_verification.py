"""docs/spec/verification.md: each test builds one fault and reads its code."""

from __future__ import annotations

import dataclasses
import io
import os

import numpy as np
import pytest

from protocol.envelope import sealed_length
from protocol.errors import KeyRingError, MalformedError, VerificationError
from protocol.identifiers import CID, AccountAddress, Digest, SiteId
from protocol.judgement import judge_round
from protocol.recipient_keys import RecipientPrivateKey
from protocol.tensors import encode_header
from protocol.update import MANIFEST_AREA_BYTES, data_offset, encode_delta, fresh_salt, update_length
from protocol.verdicts import AVAILABILITY_CODES, RECIPIENT_CODES, VerdictCode
from protocol.verification import RoundContext, VerifiedUpdate, verify_update
from tests.protocol.builders import Network, make_plan, random_delta

SALT = fresh_salt()


@pytest.fixture
def network() -> Network:
    network = Network()
    network.open_round()
    return network


def code_of(network: Network, **fault) -> VerdictCode:
    """The verdict on one faulty update among honest ones."""
    first, *others = network.sites
    network.register(first, **fault)
    for site in others:
        network.register(site)
    judgement = network.judge()
    assert [v.code for v in judgement.verdicts[1:]] == [VerdictCode.ACCEPTED] * len(others)
    return judgement.verdicts[0].code


def test_honest_updates_are_accepted_by_every_recipient(network):
    network.register_all()
    for key in (network.aggregators[0].key, network.auditor_key):
        judgement = network.judge(key)
        assert {v.code for v in judgement.verdicts} == {VerdictCode.ACCEPTED}
        assert [u.index for u in judgement.accepted] == [0, 1, 2, 3]
        assert judgement.enough
        assert judgement.details == ()


def flip(position: int):
    def change(data: bytes) -> bytes:
        changed = bytearray(data)
        changed[position] ^= 1
        return bytes(changed)

    return change


def oversized(network: Network):
    return lambda sealed: sealed + bytes(network.plan.max_envelope_bytes)


class TestStep1:
    def test_what_is_not_fetched_is_an_availability_code(self, network):
        network.register_all()
        del network.envelopes[1, 0]
        assert network.judge().verdicts[0].code is VerdictCode.NOT_FETCHED
        assert VerdictCode.NOT_FETCHED in AVAILABILITY_CODES

    def test_an_envelope_longer_than_the_plan_allows_is_too_large(self):
        network = Network()
        limit = sealed_length(update_length(make_plan(network.recipients())), 2)
        network.open_round(max_envelope_bytes=limit)
        assert code_of(network, envelope=lambda sealed: sealed + bytes(limit)) is VerdictCode.TOO_LARGE


class TestStep2:
    def test_other_bytes_than_the_cid_names_are_a_mismatch(self, network):
        assert code_of(network, delivered=flip(-1)) is VerdictCode.CID_MISMATCH

    def test_a_truncated_delivery_is_a_mismatch(self, network):
        assert code_of(network, delivered=lambda sealed: sealed[:-1]) is VerdictCode.CID_MISMATCH

    def test_a_registered_cid_of_something_else_is_a_mismatch(self, network):
        assert code_of(network, event={"envelope_cid": CID(b"\x01" * 32)}) is VerdictCode.CID_MISMATCH

    def test_a_registered_digest_of_something_else_is_a_mismatch(self, network):
        fault = {"envelope_digest": Digest(b"\x01" * 32)}
        assert code_of(network, event=fault) is VerdictCode.ENVELOPE_DIGEST_MISMATCH


class TestStep3:
    @pytest.mark.parametrize("data", [b"", b"FEDRXENV", b"no envelope at all", b"FEDRXENV\x01\x01\xff\xff\xff\xff"])
    def test_bytes_that_are_no_envelope_are_malformed(self, network, data):
        assert code_of(network, envelope=lambda _: data) is VerdictCode.ENVELOPE_MALFORMED

    def test_another_format_version_is_unknown(self, network):
        assert code_of(network, envelope=lambda s: s[:8] + b"\x02" + s[9:]) is VerdictCode.VERSION_UNKNOWN

    def test_another_commitment_scheme_is_unknown(self, network):
        assert code_of(network, event={"commitment_scheme": 2}) is VerdictCode.VERSION_UNKNOWN


class TestStep4:
    @pytest.mark.parametrize(
        "bound",
        [
            {"chain_id": 1},
            {"contract_address": AccountAddress(b"\x01" * 20)},
            {"round": 2},
            {"site_id": SiteId(b"\x01" * 32)},
            {"parent_digest": Digest(b"\x01" * 32)},
            {"plan_digest": Digest(b"\x01" * 32)},
            {"recipients_digest": Digest(b"\x01" * 32)},
            {"parameters_commitment": Digest(b"\x01" * 32)},
        ],
        ids=lambda bound: next(iter(bound)),
    )
    def test_an_envelope_of_another_context_is_a_mismatch(self, network, bound):
        assert code_of(network, bound=bound) is VerdictCode.CONTEXT_MISMATCH

    def test_an_envelope_without_the_auditor_is_a_mismatch(self, network):
        assert code_of(network, recipients=network.plan.recipients[:1]) is VerdictCode.CONTEXT_MISMATCH

    def test_another_sites_envelope_registered_as_ones_own_is_a_mismatch(self, network):
        network.register(network.sites[1])
        stolen, theirs = network.envelopes[1, 0], network.view.registrations[0].event
        network.register(
            network.sites[0],
            envelope=lambda _: stolen,
            event={"parameters_commitment": theirs.parameters_commitment},
        )
        for site in network.sites[2:]:
            network.register(site)
        assert [v.code for v in network.judge().verdicts] == [0, VerdictCode.CONTEXT_MISMATCH, 0, 0]

    def test_last_rounds_envelope_registered_again_is_a_mismatch(self, network):
        network.register_all()
        old = network.envelopes[1, 0]
        network.conclude()
        network.open_round()
        assert code_of(network, envelope=lambda _: old) is VerdictCode.CONTEXT_MISMATCH

    def test_a_chunk_that_does_not_open_is_not_opened(self, network):
        assert code_of(network, envelope=flip(-1)) is VerdictCode.NOT_OPENED

    def test_a_damaged_header_is_refused_by_its_own_key_commitment_or_chunks(self, network):
        def spoil(sealed: bytes) -> bytes:
            at = sealed.index(b'"key_commitment":"') + 18
            return sealed[:at] + (b"0" if sealed[at : at + 1] != b"0" else b"1") + sealed[at + 1 :]

        code = code_of(network, envelope=spoil)
        assert code is VerdictCode.KEY_COMMITMENT_MISMATCH
        assert code in RECIPIENT_CODES

    def test_a_key_wrapped_for_nobody_is_not_unwrapped(self, network):
        def spoil(sealed: bytes) -> bytes:
            at = sealed.index(b'"wrapped":"') + 11
            return sealed[:at] + (b"A" if sealed[at : at + 1] != b"A" else b"B") + sealed[at + 1 :]

        code = code_of(network, envelope=spoil)
        assert code is VerdictCode.KEY_NOT_UNWRAPPED
        assert code in RECIPIENT_CODES

    def test_a_private_key_that_is_no_recipients_judges_nobody(self, network):
        network.register_all()
        with pytest.raises(KeyRingError):
            network.judge(RecipientPrivateKey.generate())


class TestStep5:
    def test_another_delta_than_the_committed_one_is_a_mismatch(self, network):
        assert code_of(network, content=flip(-1)) is VerdictCode.COMMITMENT_MISMATCH

    def test_another_salt_is_a_mismatch(self, network):
        assert code_of(network, manifest={"commitment_salt": SALT}) is VerdictCode.COMMITMENT_MISMATCH

    def test_a_manifest_that_lies_of_its_delta_is_a_mismatch(self, network):
        assert code_of(network, manifest={"delta_digest": Digest(b"\x01" * 32)}) is VerdictCode.COMMITMENT_MISMATCH


class TestStep6:
    @pytest.mark.parametrize("position", [0, 3, 4, 12, MANIFEST_AREA_BYTES - 1])
    def test_a_damaged_manifest_is_malformed(self, network, position):
        assert code_of(network, content=flip(position)) is VerdictCode.MANIFEST_MALFORMED

    def test_integers_that_python_refuses_to_read_are_malformed(self, network):
        body = b'{"round":' + b"1" * 5000 + b"}"
        area = (len(body).to_bytes(4, "little") + body).ljust(MANIFEST_AREA_BYTES, b"\x00")
        fault = code_of(network, content=lambda plain: area + plain[MANIFEST_AREA_BYTES:])
        assert fault is VerdictCode.MANIFEST_MALFORMED

    def test_nesting_that_exhausts_a_stack_is_malformed(self, network):
        area = ((8000).to_bytes(4, "little") + b"[" * 8000).ljust(MANIFEST_AREA_BYTES, b"\x00")
        fault = code_of(network, content=lambda plain: area + plain[MANIFEST_AREA_BYTES:])
        assert fault is VerdictCode.MANIFEST_MALFORMED

    @pytest.mark.parametrize(
        "manifest",
        [
            {"round": 2},
            {"site_id": SiteId(b"\x01" * 32)},
            {"parent_digest": Digest(b"\x01" * 32)},
            {"plan_digest": Digest(b"\x01" * 32)},
            {"scope": "whole-model"},
            {"weight": 3},
            {"dataset_root": Digest(b"\x01" * 32)},
            {"consent_version": 2},
            {"consent_root": Digest(b"\x01" * 32)},
        ],
        ids=lambda manifest: next(iter(manifest)),
    )
    def test_a_manifest_that_says_something_else_is_a_mismatch(self, network, manifest):
        assert code_of(network, manifest=manifest) is VerdictCode.MANIFEST_MISMATCH


class TestStep7:
    def test_a_shorter_or_longer_update_is_a_mismatch(self, network):
        assert code_of(network, content=lambda plain: plain[:-4]) is VerdictCode.TENSORS_MISMATCH

    def test_a_longer_update_is_a_mismatch(self, network):
        assert code_of(network, content=lambda plain: plain + bytes(4)) is VerdictCode.TENSORS_MISMATCH

    def test_an_empty_update_is_a_mismatch(self, network):
        assert code_of(network, content=lambda _: b"") is VerdictCode.TENSORS_MISMATCH

    def test_another_dtype_is_a_mismatch(self, network):
        header = encode_header(network.plan.shapes, "I32")
        body = encode_delta(network.delta(network.sites[0]), network.plan)
        other = encode_header(network.plan.shapes, "F32") + body[len(header) :]
        assert code_of(network, encoded=other) is VerdictCode.TENSORS_MISMATCH

    def test_another_name_is_a_mismatch(self, network):
        body = encode_delta(network.delta(network.sites[0]), network.plan)
        assert code_of(network, encoded=body.replace(b"conv.bias", b"conv.bibs")) is VerdictCode.TENSORS_MISMATCH

    @pytest.mark.parametrize("value", [2**20 + 1, -(2**20) - 1, 2**31 - 1, -(2**31)])
    @pytest.mark.parametrize("place", [0, -4])
    def test_a_value_out_of_the_plans_range_is_refused(self, value, place):
        network = Network()
        network.open_round(max_abs=2**20)
        body = bytearray(encode_delta(network.delta(network.sites[0]), network.plan))
        start = data_offset(network.plan) - MANIFEST_AREA_BYTES + place if place >= 0 else len(body) + place
        body[start : start + 4] = value.to_bytes(4, "little", signed=True)
        assert code_of(network, encoded=bytes(body)) is VerdictCode.VALUE_OUT_OF_RANGE

    def test_a_value_at_the_end_of_the_range_is_accepted(self):
        network = Network()
        network.open_round(max_abs=2**20)
        delta = network.delta(network.sites[0])
        delta["conv.bias"][0], delta["conv.bias"][1] = 2**-4, -(2**-4)
        assert code_of(network, delta=delta) is VerdictCode.ACCEPTED


class TestStep8:
    def test_a_weight_that_does_not_follow_the_rule_is_refused(self, network):
        fault = code_of(network, num_examples=100, event={"weight": 64}, manifest={"weight": 64})
        assert fault is VerdictCode.WEIGHT_RULE_BROKEN

    def test_more_examples_than_the_weight_says_are_refused(self, network):
        assert code_of(network, manifest={"num_examples": 101}) is VerdictCode.WEIGHT_RULE_BROKEN

    def test_equal_weighting_allows_one_only(self):
        network = Network()
        network.open_round(weighting="equal")
        fault = code_of(network, event={"weight": 2}, manifest={"weight": 2})
        assert fault is VerdictCode.WEIGHT_RULE_BROKEN


class TestStep9:
    def deltas(self, network: Network, last: int):
        """A delta of norm 5·2^-20 with a last step of one unit of the finest scale."""
        delta = {name: np.zeros_like(values) for name, values in network.delta(network.sites[0]).items()}
        delta["conv.bias"][0] = 3 * 2.0**-10
        delta["head.weight"][0, 0] = 4 * 2.0**-10
        delta["conv.bias"][1] = last * 2.0**-24
        return delta

    def test_the_bound_is_inclusive_and_exact(self):
        for last, expected in ((0, VerdictCode.ACCEPTED), (1, VerdictCode.NORM_TOO_LARGE)):
            network = Network()
            network.open_round(max_norm="0.0048828125")  # 5 · 2^-10
            honest = {site: random_delta(network.tensors, seed=site.ordinal, scale=1e-5) for site in network.sites}
            network.register(network.sites[0], delta=self.deltas(network, last))
            for site in network.sites[1:]:
                network.register(site, delta=honest[site])
            assert network.judge().verdicts[0].code is expected


class TestStep10:
    def test_of_two_equal_updates_the_later_is_refused(self, network):
        network.register(network.sites[0])
        network.register(network.sites[1], delta=network.delta(network.sites[0]))
        network.register(network.sites[2])
        network.register(network.sites[3], delta={n: 2 * v for n, v in network.delta(network.sites[2]).items()})
        codes = [v.code for v in network.judge().verdicts]
        assert codes == [0, VerdictCode.DUPLICATE_EXACT, 0, VerdictCode.DUPLICATE_NEAR]

    def test_a_copy_of_an_update_that_was_refused_for_itself_stays(self, network):
        """A revoked or refused update takes nothing with it: only updates that passed are compared."""
        network.register(network.sites[0])
        network.register(network.sites[1], delta=network.delta(network.sites[0]))
        network.register(network.sites[2])
        network.revoke(network.sites[0])
        network.register(network.sites[3])
        assert [v.code for v in network.judge().verdicts] == [VerdictCode.REVOKED, 0, 0, 0]


class TestStep11:
    def test_a_consent_root_that_was_not_in_force_is_refused(self, network):
        assert code_of(network, consent_version=2) is VerdictCode.CONSENT_NOT_IN_FORCE

    def test_a_withdrawal_before_close_is_refused(self, network):
        for site in network.sites[:2]:
            network.register(site)
        network.withdraw(network.sites[1])
        for site in network.sites[2:]:
            network.register(site)
        assert [v.code for v in network.judge().verdicts] == [0, VerdictCode.CONSENT_WITHDRAWN, 0, 0]


def test_a_revoked_update_is_not_even_opened(network):
    network.register(network.sites[0])
    network.revoke(network.sites[0])
    for site in network.sites[1:]:
        network.register(site)
    del network.envelopes[1, 0]
    assert [v.code for v in network.judge().verdicts] == [VerdictCode.REVOKED, 0, 0, 0]
    registration = network.view.registrations[0]
    with pytest.raises(VerificationError) as caught:
        verify_update(io.BytesIO(b""), registration, network.context, network.aggregators[0].key)
    assert caught.value.code is VerdictCode.REVOKED


def test_too_few_accepted_updates_give_no_sum(network):
    for site in network.sites[:2]:
        network.register(site)
    judgement = network.judge()
    assert not judgement.enough
    assert judgement.accepted == ()
    assert [v.code for v in judgement.verdicts] == [0, 0]


def test_the_details_tell_the_operator_what_was_found(network):
    network.register(network.sites[0], envelope=lambda _: b"")
    assert network.judge().details == ((0, "the envelope is truncated before its header"),)


def test_only_a_verification_makes_a_verified_update():
    with pytest.raises(RuntimeError):
        VerifiedUpdate(object(), None, None, None, None, 0)


class TestRoundContext:
    def test_refuses_another_plan(self, network):
        context = network.context
        for change in ({"max_norm": "99"}, {"round": 2}, {"parent_digest": Digest(b"\x01" * 32)}):
            with pytest.raises(MalformedError):
                dataclasses.replace(context, plan=dataclasses.replace(network.plan, **change))

    @pytest.mark.parametrize(
        "lie",
        [
            {"round": 9},
            {"parent_digest": Digest(b"\x01" * 32)},
            {"min_accepted": 4},
            {"recipients_digest": Digest(b"\x01" * 32)},
            {"plan_digest": Digest(b"\x01" * 32)},
        ],
        ids=lambda lie: next(iter(lie)),
    )
    def test_refuses_a_round_that_contradicts_its_plan(self, network, lie):
        view = network.view
        view.opened = dataclasses.replace(view.opened, **lie)
        with pytest.raises(MalformedError):
            RoundContext(network.identity, network.history, view, network.plan)


def test_a_file_that_changes_after_its_verification_is_noticed(network, tmp_path):
    network.register_all()
    path = tmp_path / "envelope"
    path.write_bytes(network.envelopes[1, 0])
    with path.open("rb") as stream:
        registration = network.view.registrations[0]
        update = verify_update(stream, registration, network.context, network.aggregators[0].key)
        with path.open("r+b") as other:
            other.seek(-1, os.SEEK_END)
            other.write(b"\x00" if network.envelopes[1, 0][-1] else b"\x01")
        with pytest.raises(VerificationError) as caught:
            update.values(0)
    assert caught.value.code is VerdictCode.NOT_OPENED


def test_availability_errors_of_the_fetch_are_not_swallowed(network):
    network.register_all()

    def fetched(registration):
        raise OSError("the disk is gone")

    with pytest.raises(OSError, match="disk"):
        judge_round(network.context, network.aggregators[0].key, fetched)
