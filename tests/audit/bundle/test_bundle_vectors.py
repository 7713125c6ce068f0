"""tests/vectors/bundle.json: the bundle that every implementation of docs/spec/bundle.md takes, and what it refuses."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from audit.bundle.checking import BundleFinding, verify_bundle
from audit.bundle.manifest import CHAIN_NAMES, DEPLOYMENT_NAME
from audit.findings import Outcome
from audit.proofs.checkpoint import parse_checkpoint
from audit.replay import ReplayOptions
from protocol.deployment import encode_deployment, parse_deployment
from protocol.errors import AuditError
from protocol.identifiers import AccountAddress
from tests.audit.bundle.stage import Parts, flipped

VECTORS = json.loads((Path(__file__).parents[2] / "vectors" / "bundle.json").read_text(encoding="utf-8"))
(ACCEPTED,) = VECTORS["accepted"]


def verified(path: Path, *, block: int = 0) -> BundleFinding:
    checkpoint = parse_checkpoint(ACCEPTED["checkpoint"].encode())
    return verify_bundle(path, dataclasses.replace(checkpoint, number=checkpoint.number + block), ReplayOptions())


@pytest.fixture
def honest(tmp_path: Path) -> Path:
    path = tmp_path / "bundle"
    path.write_bytes(bytes.fromhex(ACCEPTED["bundle"]))
    return path


def test_the_accepted_bundle_shows_what_it_says(honest: Path) -> None:
    found = verified(honest)
    assert list(Parts.of(honest).contents) == ACCEPTED["members"]
    assert [type(located.event).__name__ for located in found.chain.events] == ACCEPTED["events"]
    assert found.chain.blocks == ACCEPTED["blocks"]
    assert [each.round_id.number for each in found.replayed.rounds] == ACCEPTED["rounds"]
    assert [each.outcome for each in found.replayed.rounds] == [Outcome.LIVE]


def test_a_bundle_that_is_put_together_again_has_the_same_bytes(honest: Path, tmp_path: Path) -> None:
    assert Parts.of(honest).put(tmp_path / "again").read_bytes() == honest.read_bytes()


@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(place=st.integers(0, 4 * len(ACCEPTED["bundle"]) - 1))
def test_no_flipped_bit_goes_through(tmp_path: Path, place: int) -> None:
    false = bytearray.fromhex(ACCEPTED["bundle"])
    false[place // 8] ^= 1 << place % 8
    (tmp_path / "false").write_bytes(false)
    with pytest.raises(AuditError, match="the bundle fails at the step"):
        verified(tmp_path / "false")


@pytest.mark.parametrize("case", VECTORS["refused"], ids=lambda case: case["name"])
def test_a_refused_bundle_is_named_by_its_step(honest: Path, case: dict[str, Any]) -> None:
    if "member" in case or "content" in case or "swap_contents" in case or "last_round" in case:
        change_members(honest, case)
    else:
        honest.write_bytes(changed(honest.read_bytes(), case))
    with pytest.raises(AuditError, match=f"at the step {case['step']}"):
        verified(honest, block=case.get("checkpoint_block", 0))


def changed(data: bytes, case: dict[str, Any]) -> bytes:
    if "xor_at" in case:
        data = flipped(data, case["xor_at"])
    return data[: len(data) - case.get("cut", 0)] + bytes(case.get("add", 0))


def change_members(path: Path, case: dict[str, Any]) -> None:
    """Changes a member; the manifest is made to fit, unless the case says that it is not."""
    parts = Parts.of(path)
    contents = [name for name in parts.contents if name not in CHAIN_NAMES]
    fields = {"last_round": case["last_round"]} if "last_round" in case else {}
    if "swap_contents" in case:
        one, two = (contents[place] for place in case["swap_contents"])
        swapped = {one: two, two: one}
        names = [swapped.get(name, name) for name in parts.contents]
        parts.contents = {name: parts.contents[name] for name in names}
    elif "governor" in case:
        deployment = parse_deployment(parts.contents[DEPLOYMENT_NAME])
        other = dataclasses.replace(deployment, governor=AccountAddress.from_hex(case["governor"]))
        parts.contents[DEPLOYMENT_NAME] = encode_deployment(other)
    elif "member" in case or "content" in case:
        name = case["member"] if "member" in case else contents[case["content"]]
        parts.contents[name] = changed(parts.contents[name], case)
    if not case.get("fit", True):
        fields["members"] = parts.manifest.members
    parts.put(path, **fields)
