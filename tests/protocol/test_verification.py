"""docs/spec/verification.md, what arrives and who may open it: each test builds one fault and reads its code."""

from __future__ import annotations

import dataclasses
import io
import os

import pytest

from protocol.envelope import sealed_length
from protocol.errors import KeyRingError, MalformedError, VerificationError
from protocol.identifiers import CID, AccountAddress, Digest, SiteId
from protocol.judgement import judge_round
from protocol.recipient_keys import RecipientPrivateKey
from protocol.update import update_length
from protocol.verdicts import AVAILABILITY_CODES, RECIPIENT_CODES, VerdictCode
from protocol.verification import RoundContext, VerifiedUpdate, verify_update
from tests.protocol.builders import Network, make_plan
from tests.protocol.faults import code_of, flip


def test_honest_updates_are_accepted_by_every_recipient(network):
    network.register_all()
    for key in (network.aggregators[0].key, network.auditor_key):
        judgement = network.judge(key)
        assert {v.code for v in judgement.verdicts} == {VerdictCode.ACCEPTED}
        assert [u.index for u in judgement.accepted] == [0, 1, 2, 3]
        assert judgement.enough
        assert judgement.details == ()


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
