"""aggregator/: rounds with more than one aggregator, on a fake chain and a fake IPFS."""

from __future__ import annotations

from pathlib import Path

from structlog.testing import capture_logs

from protocol import ledger_calls as calls
from protocol import ledger_events as ev
from protocol.identifiers import Digest, RoundId
from protocol.verdicts import VerdictCode
from tests.aggregator.network import Network


def test_two_of_two_aggregators_compute_the_same_and_finalise(tmp_path: Path) -> None:
    network = Network(tmp_path, aggregators=2, threshold=2, max_rounds=1)
    for member in network.members:
        member.start()
    for _ in range(3):
        for member in network.members:
            member.settle()
        network.world.advance(30)
    network.register_all()
    network.members[1].settle()
    assert network.round(1).outcome is None
    assert len(network.round(1).attestations) == 1
    network.members[0].settle()
    assert isinstance(network.round(1).outcome, ev.RoundFinalized)
    with capture_logs() as logs:
        network.members[1].settle()
    assert [entry["event"] for entry in logs if entry["event"].startswith("result.")] == ["result.agrees"]


def test_the_aggregator_whose_turn_it_is_opens_and_the_other_only_after_the_grace(tmp_path: Path) -> None:
    network = Network(tmp_path, aggregators=2, settings={"opener_grace_seconds": 60})
    ids = network.history.aggregator_set
    assert ids is not None
    waiting, opener = network.members[0], network.members[1]
    opener.start()
    opener.settle()
    waiting.start()
    waiting.settle()
    assert not network.history.lineages[network.lineage_id].rounds
    network.world.advance(61)
    waiting.settle()
    assert network.live.opened.aggregator_id == waiting.settings.aggregator_id


def test_a_member_that_never_announces_holds_rounds_up_for_one_grace_only(tmp_path: Path) -> None:
    network = Network(tmp_path, aggregators=2, threshold=1, settings={"opener_grace_seconds": 60})
    present = network.members[1]
    present.start()
    present.settle()
    assert not network.history.lineages[network.lineage_id].rounds
    network.world.advance(61)
    present.settle()
    assert network.plan().recipients[0].recipient_id == Digest(present.settings.aggregator_id)
    assert len(network.plan().recipients) == 2


def test_a_member_that_announces_a_copy_of_anothers_key_stops_no_round(tmp_path: Path) -> None:
    network = Network(tmp_path, aggregators=2, threshold=1, settings={"opener_grace_seconds": 60})
    copier, honest = network.members
    honest.start()
    honest.settle()
    copied = network.history.round_keys[honest.settings.aggregator_id, RoundId(network.lineage_id, 1)]
    copier.ledger.send(calls.AnnounceRoundKey(network.lineage_id, 1, copied.key_digest, copied.key_cid))
    network.world.advance(61)
    honest.settle()
    network.world.advance(61)
    honest.settle()
    assert [recipient.recipient_id for recipient in network.plan().recipients if recipient.role == "aggregator"] == [
        Digest(honest.settings.aggregator_id)
    ]


def test_a_second_aggregator_that_finds_another_result_says_so_loudly(tmp_path: Path) -> None:
    network = Network(tmp_path, sites=4, aggregators=2, threshold=1, max_rounds=1)
    first, second = network.members
    for _ in range(2):
        for member in (first, second):
            member.start()
            member.settle()
        network.world.advance(30)
    network.register_all()
    view = network.live
    lie = calls.AttestResult(
        lineage_id=network.lineage_id,
        round=1,
        model_digest=Digest(bytes([7] * 32)),
        model_cid=view.opened.plan_cid,
        state_digest=Digest(bytes([8] * 32)),
        verdicts_root=Digest(bytes([9] * 32)),
        verdicts_cid=view.opened.plan_cid,
        accepted=0b0111,
        codes=bytes([0, 0, 0, VerdictCode.NORM_TOO_LARGE]),
    )
    first.ledger.send(lie)
    with capture_logs() as logs:
        second.settle()
    found = [entry for entry in logs if entry["event"] == "result.differs"]
    assert len(found) == 1
    assert found[0]["log_level"] == "error"
    assert found[0]["own_codes"] == bytes(4).hex()
    with capture_logs() as logs:
        second.start()
        second.settle()
    assert not [entry for entry in logs if entry["event"] == "result.differs"]
