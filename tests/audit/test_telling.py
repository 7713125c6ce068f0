"""Rounds, models, sites and consent roots in plain sentences; where a model comes from and what came of an update."""

from __future__ import annotations

import pytest

from audit.lineage import contributions, descendants, find_model, generations
from audit.names import Names
from audit.telling import tell_consent_root, tell_model, tell_round, tell_site
from protocol import ledger_events as ev
from protocol.errors import ConfigError
from protocol.history import History
from protocol.identifiers import Digest, RoundId, SiteId, site_id_of
from protocol.verdicts import VerdictCode
from tests.audit.stage import change, honest_network, logs_of
from tests.protocol.builders import Network

NAMES = Names(["tests", "aggregator-0", *(f"site-{number}" for number in range(4))])


@pytest.fixture(scope="module")
def network() -> Network:
    return honest_network(rounds=3)


@pytest.fixture(scope="module")
def history(network: Network) -> History:
    return History(logs_of(network))


def text(sentences: object) -> str:
    return "\n".join(sentences)  # type: ignore[arg-type]


def round_id(history: History, number: int) -> RoundId:
    return RoundId(next(iter(history.lineages)), number)


def test_a_round_is_told_with_its_parent_its_sites_and_its_model(history: History) -> None:
    told = text(tell_round(history, round_id(history, 2), NAMES))
    view = history.round(round_id(history, 2))
    assert "Round 2 of tests was opened by aggregator aggregator-0" in told
    assert f"It starts from the model of round 1 ({view.opened.parent_digest})" in told
    assert told.count("is in it with weight") == 4
    shares = [float(line.split(", ")[1].split(" %")[0]) for line in told.splitlines() if "is in it" in line]
    assert sum(shares) == pytest.approx(100, abs=0.3)
    assert f"made it final: model {view.outcome.model_digest}" in told
    assert "is new since" not in told


def test_the_first_round_starts_from_genesis(history: History) -> None:
    assert "It starts from genesis" in text(tell_round(history, round_id(history, 1), NAMES))


def test_a_refused_site_is_told_with_the_reason_and_as_missing_from_the_model(network: Network) -> None:
    codes = bytes([0, 0, VerdictCode.NORM_TOO_LARGE, 0])
    history = History(change(logs_of(network), ev.RoundFinalized, 2, codes=codes))
    refused = contributions(history.round(round_id(history, 2)))[2].site_id
    label = NAMES.label(refused)
    told = text(tell_round(history, round_id(history, 2), NAMES))
    assert f"Site {label} was refused: the update is longer than the plan's norm bound (verdict 90)." in told
    assert f"Site {label} was in the round before and is not in this one." in told
    assert f"Site {label} is new since the round before." in text(tell_round(history, round_id(history, 3), NAMES))
    touched = text(tell_site(history, refused, NAMES))
    assert "round 2 of tests: refused, the update is longer" in touched
    assert touched.count("accepted") == 2


def test_a_model_leads_back_to_genesis(history: History) -> None:
    models = generations(next(iter(history.lineages.values())))
    told = text(tell_model(history, models[-1].digest, NAMES)).splitlines()
    assert [line.split(":")[0].strip() for line in told[1:]] == ["round 3", "round 2", "round 1", "genesis"]
    assert "from site-" in told[1]
    assert find_model(history, models[1].digest) == (models[1], models[0])


def test_an_update_lives_on_in_every_later_model(history: History) -> None:
    found = descendants(history, history.round(round_id(history, 2)))
    assert [model.round for model in found] == [2, 3]
    site = text(tell_site(history, site_id_of("site-1"), NAMES))
    assert site.count("in model 0x") == 3


def test_a_round_without_a_result_says_so(network: Network) -> None:
    logs = [e for e in logs_of(network) if not isinstance(e.event, ev.RoundFinalized | ev.ResultAttested)
            or e.event.round != 3]  # fmt: skip
    told = text(tell_round(History(logs), round_id(History(logs), 3), NAMES))
    assert "It has no result yet; 0 votes so far." in told
    assert "was refused" not in told


def test_a_consent_root_shows_whom_it_covers_and_what_it_touched(history: History) -> None:
    event = next(iter(history.consents.values())).roots[1][0]
    told = text(tell_consent_root(history, event.root, NAMES))
    assert f"is version 1 of site {NAMES.label(event.site_id)}" in told
    assert "round 1 of tests: accepted, under consent root 1" in told
    assert "void" not in told


def test_a_withdrawn_consent_root_is_told_to_be_void(network: Network) -> None:
    logs = logs_of(network)
    event = next(e.event for e in logs if isinstance(e.event, ev.ConsentRootPublished))
    last = logs[-1].position
    after = ev.Position(last.block_number + 1, 0, last.block_hash, last.tx_hash, last.timestamp + 1)
    history = History([*logs, ev.LocatedEvent(after, ev.ConsentWithdrawn(event.site_id, event.version + 1))])
    assert "It is void since" in text(tell_consent_root(history, event.root, NAMES))


def test_what_the_chain_does_not_know_is_said(history: History) -> None:
    nothing = Digest(b"\x77" * 32)
    for told in (
        tell_model(history, nothing, NAMES),
        tell_consent_root(history, nothing, NAMES),
        tell_site(history, SiteId(b"\x77" * 32), NAMES),
        tell_round(history, round_id(history, 9), NAMES),
    ):
        with pytest.raises(ConfigError, match=r"the chain knows no|no model on the chain|is on the chain"):
            text(told)
