"""What a site does when a round is over."""

from __future__ import annotations

from pathlib import Path

from node.rounds.records import Stage
from node.status import status_of
from protocol.identifiers import lineage_id_of
from tests.node.data_builders import SITE_ID
from tests.node.rounds.round_one import record, world_in_round_one
from tests.node.site_world import LINEAGE, SiteWorld


class TestAfterwards:
    def test_after_an_abort_the_next_round_is_trained_anew(self, tmp_path: Path) -> None:
        world = world_in_round_one(tmp_path / "node")
        world.settle()
        world.abort()
        world.settle()
        world.open_round()
        world.settle()
        assert record(world, 2).stage is Stage.PINNED
        digests = {view.registrations[0].event.envelope_digest for view in world.lineage.rounds.values()}
        assert len(digests) == 2

    def test_an_aborted_rounds_update_is_not_given_to_ipfs_any_more(self, tmp_path: Path) -> None:
        world = world_in_round_one(tmp_path / "node")
        while not world.view(1).registrations:
            world.loop.step()
        world.abort()
        world.settle()
        assert record(world).stage is Stage.WITHHELD
        assert record(world).sealed.envelope_cid not in world.store.contents  # type: ignore[union-attr]

    def test_an_update_of_a_finished_round_is_still_pinned(self, tmp_path: Path) -> None:
        world = world_in_round_one(tmp_path / "node")
        while not world.view(1).registrations:
            world.loop.step()
        world.others_register()
        world.finish()
        world.start()
        world.settle()
        assert record(world).stage is Stage.PINNED

    def test_a_sealed_file_that_is_gone_is_said_to_be_lost(self, tmp_path: Path) -> None:
        world = world_in_round_one(tmp_path / "node")
        while not world.view(1).registrations:
            world.loop.step()
        world.running.rounds.envelope(world.view(1).round_id).unlink()
        world.settle()
        assert record(world).stage is Stage.LOST
        lines = status_of(
            SITE_ID, {lineage_id_of(LINEAGE): LINEAGE}, world.history, world.now, world.journal, world.running.models
        )
        assert "the sealed file is gone" in lines.rounds[0].sentence

    def test_files_of_old_rounds_go_and_pins_stay(self, tmp_path: Path) -> None:
        world = SiteWorld(tmp_path / "node", settings={"keep_rounds": 2})
        world.start()
        for _ in range(4):
            world.open_round()
            world.settle()
            world.others_register()
            world.finish()
            world.settle()
        names = {path.name.split("-")[1] for path in (tmp_path / "node" / "envelopes").iterdir()}
        assert names == {"00000003.envelope", "00000003.plan", "00000004.envelope", "00000004.plan"}
        assert all(world.envelope(number) for number in range(1, 5))
        assert len(list((tmp_path / "node" / "models").iterdir())) == 2
