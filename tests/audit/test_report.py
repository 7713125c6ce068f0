"""A replay's findings in words: the last line sums up, and every difference has its own."""

from __future__ import annotations

import json

from audit.names import Names
from audit.report import replay_json, replay_lines, summary, troubles
from protocol import ledger_events as ev
from protocol.cid import cid_of_bytes
from protocol.identifiers import digest_of
from tests.audit.stage import honest_network, run, store_of
from tests.protocol.builders import Network, account_of

NAMES = Names(["tests"])


def test_the_last_line_counts_the_recomputed_models() -> None:
    lines = list(replay_lines(run(honest_network(rounds=3)), NAMES))
    assert lines[0].startswith("tests round 1: same, 4 updates, model 0x")
    assert lines[-1] == "3 of 3 global models recomputed, same bytes"


def test_without_a_key_the_last_line_does_not_claim_more_than_was_done() -> None:
    lines = list(replay_lines(run(honest_network(rounds=2), keyless=True), NAMES))
    assert lines[0] == "tests round 1: same as far as is public, 4 updates, nothing opened"
    assert lines[-1] == "2 of 2 global models agree without a key: nothing was opened or recomputed"


def test_without_a_key_a_model_that_nobody_delivers_is_not_counted() -> None:
    network = honest_network(rounds=2)
    store = store_of(network)
    store.forget(cid_of_bytes(network.model))
    lines = list(replay_lines(run(network, store, keyless=True), NAMES))
    assert lines[-1].startswith("1 of 2 global models agree without a key")


def test_differences_and_missing_pieces_stand_below_their_round() -> None:
    network = honest_network(rounds=1)
    network.open_round()
    network.register_all()
    network.conclude(state_digest=digest_of("other"))
    store = store_of(network)
    store.forget(cid_of_bytes(network.model))
    finding = run(network, store)
    lines = list(replay_lines(finding, NAMES))
    assert lines[1] == "tests round 2: DIFFERENT"
    assert lines[2].startswith("  different (state): ")
    assert lines[3].startswith("  missing: the global model (Qm")
    assert troubles(finding) == "1 difference and 1 missing piece"
    assert lines[-1] == "2 of 2 global models recomputed, same bytes; 1 difference and 1 missing piece"


def test_rounds_without_a_model_are_said_plainly() -> None:
    network = Network(sites_count=4)
    network.open_round()
    network.register(network.sites[0])
    network.conclude()
    network.open_round()
    network.emit(ev.RoundAborted(network.lineage_id, 2, account_of("x")), at=network.view.opened.attest_by)
    network.open_round()
    lines = list(replay_lines(run(network), NAMES))
    assert lines == [
        "tests round 1: same, failed on chain and by the rules, 1 update",
        "tests round 2: aborted on chain, nothing to recompute",
        "tests round 3: no result yet, 0 updates registered",
        "there is no global model to recompute",
    ]


def test_the_json_lines_hold_all_of_it() -> None:
    network = honest_network(rounds=1)
    store = store_of(network)
    store.damage(cid_of_bytes(network.model))
    finding = run(network, store)
    first, last = [json.loads(json.dumps(value)) for value in replay_json(finding, NAMES)]
    assert (first["lineage"], first["round"], first["outcome"]) == ("tests", 1, "missing")
    assert first["missing"][0]["why"] == "damaged"
    assert (last["same"], last["global_models"], last["global_models_recomputed"]) == (False, 1, 1)
    assert last["summary"] == summary(finding)
