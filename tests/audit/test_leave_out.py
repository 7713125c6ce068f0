"""Leaving a site out: the sums are those of the rules, nothing is kept, and what does not replay is not summed."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from audit.leave_out import Omission, TwoModels, leave_out
from protocol import ledger_events as ev
from protocol.errors import AuditError, ConfigError
from protocol.identifiers import site_id_of
from protocol.parameters import parse_parameters
from protocol.recipient_keys import RecipientPrivateKey
from protocol.update import encode_delta
from protocol.verdicts import VerdictCode
from tests.audit.stage import LIMITS, change, honest_network, left_over, logs_of, store_of
from tests.protocol.builders import Network, random_delta


def without(network: Network, site: str, first: int, last: int | None = None, **changes: Any) -> TwoModels:
    asked = Omission(network.lineage_id, site_id_of(site), first, last or first, [network.auditor_key], LIMITS)
    events = changes.pop("events", logs_of(network))
    store = changes.pop("store", store_of(network))
    return leave_out(network.identity, events, [store], dataclasses.replace(asked, **changes))


def fixed(network: Network, delta: dict[str, np.ndarray]) -> np.ndarray:
    """A delta's integers, side by side."""
    assert network.plan is not None
    return np.frombuffer(encode_delta(delta, network.plan)[-4 * size(network) :], dtype="<i4").astype(np.int64)


def size(network: Network) -> int:
    return sum(tensor.shape.count for tensor in network.tensors)


def flat(model: bytes) -> np.ndarray:
    return np.concatenate([values.ravel() for _, values in sorted(parse_parameters(model).items())])


def moved(network: Network, parent: np.ndarray, deltas: dict[int, dict[str, np.ndarray]], weights: dict[int, int]):
    """The formula of docs/spec/aggregation.md, written down a second time."""
    total = sum(weights[place] * fixed(network, delta) for place, delta in deltas.items())
    scale = np.concatenate([np.full(t.shape.count, 2.0**t.scale_bits) for t in network.tensors])
    return (parent.astype(np.float64) + total / (sum(weights[place] for place in deltas) * scale)).astype(np.float32)


def weighted_round(network: Network) -> tuple[dict[int, dict[str, np.ndarray]], dict[int, int]]:
    """Registers every site with other numbers of examples; the deltas and the weights by the sites' places."""
    plan = network.open_round()
    examples = {site.ordinal: 60 * (site.ordinal + 1) for site in network.sites}
    deltas = {site.ordinal: network.delta(site) for site in network.sites}
    for site in network.sites:
        network.register(site, num_examples=examples[site.ordinal])
    return deltas, {place: plan.weight_of(count) for place, count in examples.items()}


def test_the_sum_of_one_round_without_a_site_is_that_of_the_others() -> None:
    network = Network(sites_count=5)
    parent = network.model
    deltas, weights = weighted_round(network)
    network.conclude()
    found = without(network, "site-2", 1)
    assert found.published == network.model
    del deltas[2]
    assert flat(found.without).tobytes() == moved(network, flat(parent), deltas, weights).tobytes()
    assert (found.exact, found.updates, found.in_parent, found.below_quorum) == (True, 1, 0, ())
    assert (found.backbone_digest, found.scope) == (network.backbone_digest, "last-conv")


def test_several_rounds_are_summed_again_from_the_first_that_held_the_site() -> None:
    network = Network(sites_count=4)
    network.open_round()
    for site in network.sites[1:]:
        network.register(site)
    network.conclude()
    model, rounds = flat(network.model), []
    for _ in range(2):
        rounds.append(weighted_round(network))
        network.conclude()
    found = without(network, "site-0", 1, 3)
    for deltas, weights in rounds:
        del deltas[0]
        model = moved(network, model, deltas, weights)
    assert found.rounds == (2, 3)
    assert not found.exact
    assert found.updates == 2
    assert found.published == network.model
    assert flat(found.without).tobytes() == model.tobytes()


def test_earlier_updates_of_the_site_stay_and_are_counted() -> None:
    found = without(honest_network(rounds=2), "site-1", 2)
    assert (found.rounds, found.exact, found.in_parent) == ((2,), True, 1)


def test_a_round_that_would_publish_nothing_without_the_site_is_named() -> None:
    assert without(honest_network(rounds=1, sites=3), "site-0", 1).below_quorum == (1,)


def test_neither_model_shows_in_a_repr() -> None:
    found = without(honest_network(rounds=1), "site-0", 1)
    assert repr(found) == "TwoModels(rounds=(1,))"


def test_nothing_of_either_model_is_ever_on_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[bytes] = []
    unlink = Path.unlink

    def keep(path: Path, *, missing_ok: bool = False) -> None:
        if path.is_relative_to(tmp_path) and path.exists():
            written.append(path.read_bytes())
        unlink(path, missing_ok=missing_ok)

    monkeypatch.setattr(Path, "unlink", keep)
    network = honest_network(rounds=2)
    found = without(network, "site-0", 1, 2, work_folder=tmp_path)
    assert left_over(tmp_path) == []
    contents = set(network.blocks.values())
    # Only what IPFS holds for everybody: plans, envelopes, published models.
    assert written
    assert set(written) <= contents
    assert found.without not in contents


def test_a_site_that_has_no_part_in_the_rounds_is_the_operators_mistake() -> None:
    network = Network(sites_count=5)
    network.open_round()
    for site in network.sites[:4]:
        network.register(site)
    network.conclude()
    with pytest.raises(ConfigError, match="no model of these rounds holds an update of site"):
        without(network, "site-4", 1)
    with pytest.raises(ConfigError, match="published no model"):
        without(network, "site-0", 2)


def test_another_key_opens_nothing() -> None:
    with pytest.raises(ConfigError, match="none of the auditor's keys opens round 1"):
        without(honest_network(rounds=1), "site-0", 1, keys=[RecipientPrivateKey.generate()])


def test_a_round_that_does_not_replay_is_not_summed() -> None:
    network = Network(sites_count=4)
    network.open_round(max_norm="1")
    for site in network.sites[:3]:
        network.register(site)
    network.register(network.sites[3], delta=random_delta(network.tensors, seed=9, scale=3.0))
    network.conclude()
    codes = bytes([0, 0, 0, VerdictCode.DUPLICATE_NEAR])
    with pytest.raises(AuditError, match="the verdicts of round 1 are not those on chain"):
        without(network, "site-0", 1, events=change(logs_of(network), ev.RoundFinalized, codes=codes))
    forged = change(logs_of(network), ev.RoundFinalized, model_digest=network.backbone_digest)
    with pytest.raises(AuditError, match="the model of round 1 is not the sum of its updates"):
        without(network, "site-0", 1, events=forged)


@pytest.mark.parametrize("piece", ["plan", "parent", "envelope"])
def test_a_piece_that_nobody_delivers_is_named(piece: str) -> None:
    network = honest_network(rounds=1)
    view, store = network.view, store_of(network)
    created = network.history.lineages[network.lineage_id].created
    cids = {
        "plan": view.opened.plan_cid,
        "parent": created.model_cid,
        "envelope": view.registrations[1].event.envelope_cid,
    }
    store.forget(cids[piece])
    with pytest.raises(AuditError, match=str(cids[piece])):
        without(network, "site-0", 1, store=store)
