"""A registration whose transaction may or may not have arrived."""

from __future__ import annotations

from pathlib import Path

from node.rounds.records import Stage
from protocol import ledger_calls as calls
from tests.node.network_around import ROUND_SECONDS
from tests.node.rounds.round_one import SlowLedger, record
from tests.node.site_world import SiteWorld


class TestATransactionOfUnknownFate:
    def start(self, folder: Path, *, delivers: bool) -> tuple[SiteWorld, SlowLedger, list[float]]:
        world = SiteWorld(folder, settings={"resend_after_seconds": 60})
        slow, clock = SlowLedger(world.ledger, calls.RegisterUpdate, delivers=delivers), [1_000_000.0]
        world.start(wrap=lambda name, port: slow if name == "ledger" else port, clock=lambda: clock[0])
        world.open_round()
        world.settle()
        return world, slow, clock

    def test_that_arrived_is_found_in_the_event_logs_and_pinned(self, tmp_path: Path) -> None:
        world, slow, _ = self.start(tmp_path / "node", delivers=True)
        world.settle()
        assert (record(world).stage, slow.sent) == (Stage.PINNED, 1)

    def test_is_sent_again_only_when_it_was_waited_for(self, tmp_path: Path) -> None:
        world, slow, clock = self.start(tmp_path / "node", delivers=False)
        clock[0] += 59
        world.settle()
        assert slow.sent == 1
        clock[0] += 1
        slow.delivers = True
        world.settle()
        world.settle()
        assert (record(world).stage, slow.sent) == (Stage.PINNED, 2)

    def test_is_not_sent_again_by_a_process_that_was_killed_meanwhile(self, tmp_path: Path) -> None:
        world, slow, clock = self.start(tmp_path / "node", delivers=False)
        world.start(wrap=lambda name, port: slow if name == "ledger" else port, clock=lambda: clock[0])
        world.settle()
        assert slow.sent == 1

    def test_that_arrives_after_a_withdrawal_is_taken_back_and_never_pinned(self, tmp_path: Path) -> None:
        world, slow, _ = self.start(tmp_path / "node", delivers=False)
        late = slow.late
        world.ledger.send(late)
        world.withdraw("P-002")
        world.settle()
        assert record(world).stage is Stage.WITHHELD
        assert late.envelope_cid not in world.store.contents
        assert world.view(1).revoked == {0}

    def test_is_given_up_when_a_patient_withdraws_before_it_shows(self, tmp_path: Path) -> None:
        world, slow, _ = self.start(tmp_path / "node", delivers=False)
        world.withdraw("P-002")
        world.settle()
        assert record(world).stage is Stage.WITHHELD
        assert slow.sent == 1
        assert not world.running.rounds.envelope(world.view(1).round_id).exists()

    def test_that_arrives_after_the_last_moment_is_still_pinned(self, tmp_path: Path) -> None:
        world, slow, _ = self.start(tmp_path / "node", delivers=False)
        world.world.advance(ROUND_SECONDS - 5)
        world.settle()
        assert record(world).stage is Stage.MISSED
        world.ledger.send(slow.late)
        world.settle()
        assert record(world).stage is Stage.PINNED
