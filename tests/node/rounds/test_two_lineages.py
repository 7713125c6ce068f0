"""A site that takes part in two lineages, each with a backbone of its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from node.rounds.records import Stage
from protocol.identifiers import lineage_id_of
from protocol.parameters import encode_parameters
from tests.node.data_builders import SITE_ID
from tests.node.site_world import LINEAGE, NAMES, SiteWorld
from tests.node.tiny_backbone import OtherBackbone, TinyBackbone

SECOND = "second"
TINY, OTHER = TinyBackbone(), OtherBackbone()


@pytest.fixture
def world(tmp_path: Path) -> SiteWorld:
    """Both lineages are there; rounds are opened in the second one."""
    # Half of sixteen words: which are held out is by chance, and at the usual fifth one site in forty holds out none.
    settings = {"lineages": [LINEAGE, SECOND], "training": {"min_examples": 1, "held_out_percent": 50}}
    world = SiteWorld(tmp_path / "node", TINY, settings=settings)
    world.turn_to(SECOND, OTHER)
    world.start()
    world.settle()
    return world


def reason(world: SiteWorld) -> str:
    world.settle()
    record = world.running.rounds.get(world.view(world.lineage.last_round).round_id)
    assert record.stage is Stage.SAT_OUT
    return record.reason


def test_each_lineages_model_is_judged_with_its_own_backbone(world: SiteWorld) -> None:
    for slug in (LINEAGE, SECOND):
        (record,) = world.running.models.records(lineage_id_of(slug))
        assert (record.adopted, record.reason) == (True, "")
        assert record.total > 0


def test_the_site_trains_in_both_at_once(world: SiteWorld, tmp_path: Path) -> None:
    world.open_round()
    world.turn_to(LINEAGE, TINY)
    world.open_round()
    world.settle()
    for slug, backbone in ((LINEAGE, TINY), (SECOND, OTHER)):
        world.turn_to(slug, backbone)
        assert world.view(1).registration_of(SITE_ID) is not None
    folders = {path.name: len(list(path.iterdir())) for path in (tmp_path / "node" / "features").iterdir()}
    assert folders == dict.fromkeys((TINY.digest.hex(), OTHER.digest.hex()), 2 * len(NAMES))


def test_a_withdrawn_patients_features_go_from_both_folders(world: SiteWorld, tmp_path: Path) -> None:
    world.open_round()
    world.turn_to(LINEAGE, TINY)
    world.open_round()
    world.settle()
    world.withdraw("P-001")
    world.start()
    world.loop.step()
    for folder in (tmp_path / "node" / "features").iterdir():
        assert len(list(folder.iterdir())) == len(NAMES)


@pytest.mark.parametrize("scope", ["neck", "head", TINY.scope])
def test_a_plan_of_a_scope_that_the_backbone_does_not_have_is_not_followed(world: SiteWorld, scope: str) -> None:
    world.open_round(scope=scope)
    assert "no such backbone or scope" in reason(world)


def test_a_plan_with_the_other_lineages_backbone_is_not_followed(world: SiteWorld) -> None:
    world.open_round(backbone_digest=TINY.digest)
    assert "another backbone" in reason(world)


def test_the_other_lineages_model_as_a_head_is_kept_back(world: SiteWorld) -> None:
    world.open_round()
    world.settle()
    world.others_register()
    world.finish(model=encode_parameters(TINY.initial_parameters()))
    world.settle()
    record = world.running.models.records(world.lineage_id)[-1]
    assert (record.round, record.adopted) == (1, False)
    assert "another backbone" in record.reason
