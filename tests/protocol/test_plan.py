"""docs/spec/plan.md."""

from __future__ import annotations

import base64
import dataclasses
import json
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.canonical_json import encode
from protocol.errors import MalformedError
from protocol.identifiers import Digest
from protocol.plan import (
    MAX_PLAN_BYTES,
    MAX_SITES,
    MAX_TOTAL_WEIGHT,
    PlannedTensor,
    Recipient,
    TrainingSettings,
    auditor_recipient_id,
    encode_plan,
    parse_plan,
    plan_digest,
    recipients_digest,
)
from protocol.recipient_keys import RecipientPrivateKey
from protocol.tensors import TensorShape
from tests.protocol.builders import SMALL_TENSORS, make_plan

KEYS = tuple(RecipientPrivateKey.generate().public_key() for _ in range(2))
RECIPIENTS = (
    Recipient("aggregator", Digest(b"\x01" * 32), KEYS[0]),
    Recipient("auditor", auditor_recipient_id(1), KEYS[1]),
)
PLAN = make_plan(RECIPIENTS)


def changed(**changes) -> bytes:
    """The plan's bytes with fields replaced at the level of JSON."""
    return encode(json.loads(encode_plan(PLAN)) | changes)


def test_a_plan_comes_back_from_its_bytes():
    assert parse_plan(encode_plan(PLAN)) == PLAN


def test_the_digest_changes_with_every_field():
    encoded = encode_plan(PLAN)
    others = [
        dataclasses.replace(PLAN, round=2),
        dataclasses.replace(PLAN, scope="other"),
        dataclasses.replace(PLAN, max_norm="99"),
        dataclasses.replace(PLAN, recipients=RECIPIENTS[:1]),
        dataclasses.replace(PLAN, tensors=SMALL_TENSORS[:1]),
        dataclasses.replace(PLAN, training=dataclasses.replace(PLAN.training, seed=8)),
    ]
    assert len({plan_digest(encode_plan(plan)) for plan in others} | {plan_digest(encoded)}) == 7


BAD_FIELDS = {
    "no tensors": {"tensors": ()},
    "unsorted tensors": {"tensors": SMALL_TENSORS[::-1]},
    "a tensor twice": {"tensors": (SMALL_TENSORS[0], SMALL_TENSORS[0])},
    "too fine a scale": {"tensors": (PlannedTensor(TensorShape("a", (1,)), 31),)},
    "a negative scale": {"tensors": (PlannedTensor(TensorShape("a", (1,)), -1),)},
    "more values than a party can hold": {"tensors": (PlannedTensor(TensorShape("a", (2**16, 2**16)), 24),)},
    "astronomically many values": {"tensors": (PlannedTensor(TensorShape("a", (2**31 - 1,) * 8), 24),)},
    "max_abs zero": {"max_abs": 0},
    "max_abs 2^31": {"max_abs": 2**31},
    "max_weight zero": {"max_weight": 0},
    "max_weight 2^20": {"max_weight": 2**20},
    "examples_per_weight zero": {"examples_per_weight": 0},
    "min_accepted zero": {"min_accepted": 0},
    "norm zero": {"max_norm": "0"},
    "norm as a point": {"max_norm": "."},
    "norm without a whole part": {"max_norm": ".5"},
    "norm with a bare point": {"max_norm": "5."},
    "norm with a sign": {"max_norm": "-5"},
    "norm with an exponent": {"max_norm": "1e9"},
    "norm with an underscore": {"max_norm": "1_0"},
    "norm with a leading zero": {"max_norm": "05"},
    "norm in other digits": {"max_norm": "\u0661\u0662"},
    "norm with a line end": {"max_norm": "5\n"},
    "norm empty": {"max_norm": ""},
    "norm too long": {"max_norm": "1" * 21},
    "norm not a number": {"max_norm": "nan"},
    "norm a fraction": {"max_norm": "1/3"},
    "cosine zero": {"near_duplicate_cosine": "0"},
    "cosine above one": {"near_duplicate_cosine": "1.0000000001"},
    "unknown strategy": {"strategy": "krum"},
    "scope with a space": {"scope": "last conv"},
    "scope outside ASCII": {"scope": "caf\u00e9"},
    "scope empty": {"scope": ""},
    "scope too long": {"scope": "s" * 65},
    "no recipients": {"recipients": ()},
    "no aggregator": {"recipients": RECIPIENTS[1:]},
    "a key twice": {"recipients": (RECIPIENTS[0], dataclasses.replace(RECIPIENTS[1], public_key=KEYS[0]))},
    "a key of another length": {"recipients": (dataclasses.replace(RECIPIENTS[0], public_key=b"key"),)},
    "too many recipients": {
        "recipients": tuple(
            Recipient("aggregator", Digest(b"\x01" * 32), i.to_bytes(4, "big") * 304) for i in range(MAX_SITES + 1)
        )
    },
}


@pytest.mark.parametrize("what", BAD_FIELDS)
def test_a_plan_out_of_bounds_is_malformed(what):
    with pytest.raises(MalformedError):
        make_plan(**({"recipients": RECIPIENTS} | BAD_FIELDS[what]))


TRAINING = {"epochs": 1, "batch_size": 1, "learning_rate": "1", "clip_norm": "1", "seed": 0}
BAD_JSON = {
    "another version": {"version": 2},
    "a version that only equals one": {"version": True},
    "round zero": {"round": 0},
    "round as text": {"round": "1"},
    "an unknown weighting": {"weighting": "loudest"},
    "an unknown key": {"more": 1},
    "a digest in capitals": {"parent_digest": "AB" * 32},
    "a digest with 0x": {"parent_digest": "0x" + "ab" * 32},
    "a digest too short": {"parent_digest": "ab" * 31},
    "a CID that is none": {"parent_cid": "bafybeigdyrzt5sfp7udm7hu76uh7y26nf3efuylqabf3oclgtqy55fbzdi"},
    "a CID with white space": {"parent_cid": str(PLAN.parent_cid) + " "},
    "a CID of a million letters": {"parent_cid": "Q" * 1_000_000},
    "tensors as an object": {"tensors": {}},
    "a tensor without a scale": {"tensors": [{"name": "a", "shape": [1]}]},
    "a tensor with a zero size": {"tensors": [{"name": "a", "shape": [0], "scale_bits": 24}]},
    "no training": {"training": {}},
    "zero epochs": {"training": TRAINING | {"epochs": 0}},
    "a million epochs": {
        "training": {"epochs": 10**6, "batch_size": 1, "learning_rate": "1", "clip_norm": "1", "seed": 0}
    },
    "a huge batch": {"training": TRAINING | {"batch_size": 10**9}},
    "a rate of zero": {"training": TRAINING | {"learning_rate": "0.0"}},
    "an unknown role": {"recipients": [{"role": "friend", "id": "01" * 32, "public_key": ""}]},
    "a key that is not base64": {"recipients": [{"role": "aggregator", "id": "01" * 32, "public_key": "!"}]},
    "a key in another base64": {
        "recipients": [
            {"role": "aggregator", "id": "01" * 32, "public_key": base64.b64encode(KEYS[0]).decode() + "===="}
        ]
    },
}


@pytest.mark.parametrize("what", BAD_JSON)
def test_bytes_that_are_no_plan_are_malformed(what):
    with pytest.raises(MalformedError):
        parse_plan(changed(**BAD_JSON[what]))


def test_a_missing_key_is_malformed():
    for key in json.loads(encode_plan(PLAN)):
        value = json.loads(encode_plan(PLAN))
        del value[key]
        with pytest.raises(MalformedError):
            parse_plan(encode(value))


def test_a_plan_longer_than_the_limit_is_not_even_parsed():
    with pytest.raises(MalformedError, match="longer than"):
        parse_plan(b" " * (MAX_PLAN_BYTES + 1))


def test_equal_weighting_gives_one():
    plan = dataclasses.replace(PLAN, weighting="equal")
    assert {plan.weight_of(n) for n in (1, 50, 10**9)} == {1}


@given(st.integers(1, 10**9), st.integers(1, 10**6), st.integers(1, 2**20 - 1))
def test_a_weight_is_the_ceiling_of_examples_over_the_unit_capped(examples, unit, cap):
    plan = dataclasses.replace(PLAN, examples_per_weight=unit, max_weight=cap)
    weight = plan.weight_of(examples)
    assert weight == cap or (weight - 1) * unit < examples <= weight * unit
    assert 1 <= weight <= cap


def test_weights_of_a_full_round_stay_below_the_bound():
    plan = dataclasses.replace(PLAN, max_weight=2**20 - 1, examples_per_weight=1)
    assert MAX_SITES * plan.weight_of(10**9) < MAX_TOTAL_WEIGHT


def test_the_sum_of_a_full_round_fits_int64():
    assert (MAX_TOTAL_WEIGHT - 1) * (2**31 - 1) < 2**63


def test_bounds_are_exact_numbers():
    plan = dataclasses.replace(PLAN, max_norm="0.1", near_duplicate_cosine="0.95")
    assert plan.max_norm_squared() == Fraction(1, 100)
    assert plan.cosine_threshold() == Fraction(19, 20)


def test_the_recipients_digest_covers_role_id_key_and_order():
    lists = [
        RECIPIENTS,
        RECIPIENTS[::-1],
        RECIPIENTS[:1],
        (RECIPIENTS[0], dataclasses.replace(RECIPIENTS[1], role="aggregator")),
        (RECIPIENTS[0], dataclasses.replace(RECIPIENTS[1], recipient_id=auditor_recipient_id(2))),
        (RECIPIENTS[0], dataclasses.replace(RECIPIENTS[1], public_key=KEYS[1][:-1] + b"\x00")),
    ]
    assert len({recipients_digest(recipients) for recipients in lists}) == len(lists)


def test_training_settings_are_kept_as_written():
    training = TrainingSettings(epochs=3, batch_size=8, learning_rate="0.0020", clip_norm="5.0", seed=2**53 - 1)
    assert parse_plan(encode_plan(dataclasses.replace(PLAN, training=training))).training == training
