"""docs/spec/verification.md, steps 5 to 11: what an opened update holds, one fault a test, and the fault's code."""

from __future__ import annotations

import numpy as np
import pytest

from protocol.identifiers import Digest, SiteId
from protocol.tensors import encode_header
from protocol.update import MANIFEST_AREA_BYTES, data_offset, encode_delta, fresh_salt
from protocol.verdicts import VerdictCode
from tests.protocol.builders import Network, random_delta
from tests.protocol.faults import code_of, flip

SALT = fresh_salt()


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
