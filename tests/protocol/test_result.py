"""docs/spec/result.md."""

from __future__ import annotations

import dataclasses
import json

import pytest

from protocol.aggregation import NO_SERVER_STATE
from protocol.canonical_json import encode
from protocol.errors import MalformedError
from protocol.identifiers import CID, Digest, LineageId, RoundId, SiteId
from protocol.merkle import MerkleTree, verify_inclusion
from protocol.result import (
    Verdict,
    _leaf,
    differences,
    encode_verdicts,
    failed_result,
    parse_verdicts,
    verdicts_root,
)
from protocol.verdicts import VerdictCode

ROUND = RoundId(LineageId(b"\x01" * 32), 4)
VERDICTS = tuple(
    Verdict(index, SiteId(bytes([index + 1]) * 32), Digest(bytes([index + 9]) * 32), code)
    for index, code in enumerate([VerdictCode.ACCEPTED, VerdictCode.NOT_FETCHED, VerdictCode.ACCEPTED])
)


def test_a_verdict_list_comes_back_from_its_bytes():
    assert parse_verdicts(encode_verdicts(ROUND, VERDICTS)) == (ROUND, VERDICTS)
    assert parse_verdicts(encode_verdicts(ROUND, ())) == (ROUND, ())


def changed(**changes) -> bytes:
    return encode(json.loads(encode_verdicts(ROUND, VERDICTS)) | changes)


def with_entry(**changes) -> bytes:
    value = json.loads(encode_verdicts(ROUND, VERDICTS))
    value["verdicts"][1] |= changes
    return encode(value)


@pytest.mark.parametrize(
    "data",
    [
        changed(version=2),
        changed(version=True),
        changed(round=0),
        changed(more=1),
        changed(lineage_id="01" * 31),
        changed(lineage_id="0x" + "01" * 32),
        changed(verdicts={}),
        changed(verdicts=json.loads(encode_verdicts(ROUND, VERDICTS))["verdicts"][::-1]),
        changed(verdicts=json.loads(encode_verdicts(ROUND, VERDICTS))["verdicts"][1:]),
        with_entry(index=2),
        with_entry(code=2),
        with_entry(code=256),
        with_entry(code=-1),
        with_entry(code="0"),
        with_entry(site_id="AB" * 32),
        with_entry(more=1),
        b"",
        b"[]",
    ],
)
def test_other_bytes_are_no_verdict_list(data):
    with pytest.raises(MalformedError):
        parse_verdicts(data)


def test_one_verdict_can_be_shown_alone():
    tree = MerkleTree([_leaf(verdict) for verdict in VERDICTS])
    for verdict in VERDICTS:
        leaf = verify_inclusion(tree.prove(_leaf(verdict).key), verdicts_root(VERDICTS))
        assert leaf == _leaf(verdict)
    for change in ({"code": VerdictCode.REVOKED}, {"site_id": SiteId(b"\x0a" * 32)}):
        assert _leaf(dataclasses.replace(VERDICTS[0], **change)).value != _leaf(VERDICTS[0]).value


def test_codes_and_bitmap_follow_from_the_verdicts(network):
    for site in network.sites[:3]:
        network.register(site)
    network.register(network.sites[3], envelope=lambda _: b"")
    result = network.result(network.judge())
    assert result.codes == bytes([0, 0, 0, VerdictCode.ENVELOPE_MALFORMED])
    assert result.accepted == 0b0111
    assert result.state_digest == NO_SERVER_STATE


def test_an_honest_result_has_no_differences(network):
    network.register_all()
    result = network.conclude()
    assert differences(result, network.view.outcome) == ()


@pytest.mark.parametrize(
    "lie",
    [
        {"model_digest": Digest(b"\x01" * 32)},
        {"model_cid": CID(b"\x01" * 32)},
        {"state_digest": Digest(b"\x01" * 32)},
        {"verdicts_root": Digest(b"\x01" * 32)},
        {"verdicts_cid": CID(b"\x01" * 32)},
        {"accepted": 0b0111},
        {"codes": bytes([0, 0, 0, 10])},
    ],
    ids=lambda lie: next(iter(lie)),
)
def test_each_lie_is_named(network, lie):
    network.register_all()
    result = network.conclude(**lie)
    assert differences(result, network.view.outcome) == tuple(lie)


def test_a_failed_result_names_neither_model_nor_state(network):
    """The contract refuses a failed result that does."""
    network.register(network.sites[0])
    result = network.conclude()
    call = result.to_call()
    assert (call.model_digest, call.model_cid, call.state_digest) == (Digest.zero(), CID.zero(), Digest.zero())
    assert call.verdicts_root == verdicts_root(result.verdicts)
    assert differences(result, network.view.outcome) == ()


def test_a_round_called_failed_that_was_not_differs_in_its_outcome(network):
    network.register_all()
    honest = network.result(network.judge())
    lie = failed_result(network.round_id, honest.verdicts, honest.verdicts_cid)
    network.conclude(lie)
    assert differences(honest, network.view.outcome) == ("outcome",)


def test_a_round_called_finalised_that_failed_differs_in_its_model(network):
    network.register(network.sites[0])
    honest = network.result(network.judge())
    network.conclude(honest, model_digest=Digest(b"\x01" * 32), model_cid=CID(b"\x02" * 32))
    assert differences(honest, network.view.outcome) == ("model_digest", "model_cid")
