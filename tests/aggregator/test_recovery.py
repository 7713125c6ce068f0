"""docs/adr/0008-aggregator-recovery.md: killed at any port call, the aggregator resumes and sends nothing twice."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from protocol import ledger_events as ev
from protocol.errors import StoreError
from protocol.identifiers import Digest
from tests.aggregator.network import Member, Network

ACTS = {
    "ledger": {"send"},
    "block_store": {"add", "fetch", "pin"},
    "journal": {"record", "forget", "append"},
    "secrets": {"put", "delete"},
    "files": {"write_model", "remove_round"},
}


class Killed(BaseException):
    """kill -9: nothing of the process runs after it."""


@dataclass
class Fuse:
    """Kills at the k-th act, before or after it took effect; then it is burnt. Or: the disk is full at that act."""

    at: int = -1
    after: bool = False
    failure: BaseException = field(default_factory=Killed)
    acts: list[str] = field(default_factory=list)

    def call(self, name: str, act: Any, args: Any, kwargs: Any) -> Any:
        self.acts.append(name)
        dies = len(self.acts) - 1 == self.at
        if dies and not self.after:
            raise self.failure
        result = act(*args, **kwargs)
        if dies:
            raise self.failure
        return result


class Fused:
    """A port whose acts go through the fuse."""

    def __init__(self, fuse: Fuse, name: str, port: Any) -> None:
        self._fuse, self._name, self._port = fuse, name, port

    def __getattr__(self, attribute: str) -> Any:
        found = getattr(self._port, attribute)
        if attribute not in ACTS[self._name]:
            return found
        name = f"{self._name}.{attribute}"
        return lambda *args, **kwargs: self._fuse.call(name, found, args, kwargs)


@dataclass(frozen=True)
class Life:
    """What a whole round came to."""

    model_digest: Digest
    codes: bytes
    sent: Counter[str]
    kills: int
    acts: tuple[str, ...]


def live_through(folder: Path, fuse: Fuse) -> Life:
    folder.mkdir()
    network = Network(folder, sites=4, max_rounds=1)
    member = network.members[0]
    sent: Counter[str] = Counter()
    member.ledger = Counting(member.ledger, sent)
    kills = 0
    start(member, fuse)
    for _ in range(60):
        try:
            member.clock.seconds += 200
            moved = member.coordinator.step()
        except Killed:
            kills += 1
            start(member, fuse)
            continue
        except StoreError:
            # The daemon waits, and makes another step with what it has in memory.
            kills += 1
            continue
        if moved:
            continue
        lineage = network.history.lineages[network.lineage_id]
        live = lineage.live_round()
        if live is not None and not live.registrations:
            plan = network.plan(live)
            for site in network.sites[:3]:
                site.register(plan, live)
            network.sites[3].register(plan, live, envelope=lambda sealed: sealed[:-1])
        elif live is None and member.secrets.names():
            network.world.advance(600)
        else:
            outcome = lineage.rounds[1].outcome
            assert isinstance(outcome, ev.RoundFinalized)
            assert not (member.folder / "envelopes" / "tests" / "1").exists()
            return Life(outcome.model_digest, outcome.codes, sent, kills, tuple(fuse.acts))
    raise AssertionError("never comes to an end")


def start(member: Member, fuse: Fuse) -> None:
    member.start(wrap=lambda name, port: Fused(fuse, name, port))


class Counting:
    """Counts what reaches the chain."""

    def __init__(self, ledger: Any, sent: Counter[str]) -> None:
        self._ledger, self._sent = ledger, sent

    def send(self, call: Any) -> Any:
        receipt = self._ledger.send(call)
        self._sent[type(call).__name__] += 1
        return receipt

    def __getattr__(self, name: str) -> Any:
        return getattr(self._ledger, name)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Life:
    return live_through(tmp_path_factory.mktemp("undisturbed") / "run", Fuse())


def test_an_undisturbed_round_takes_three_transactions(undisturbed: Life) -> None:
    assert undisturbed.sent == {"AnnounceRoundKey": 1, "OpenRound": 1, "AttestResult": 1}
    assert undisturbed.kills == 0
    kinds = set(undisturbed.acts)
    assert {"ledger.send", "journal.record", "block_store.add", "block_store.pin", "secrets.put"} <= kinds
    assert {"files.write_model", "files.remove_round", "secrets.delete", "block_store.fetch"} <= kinds


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_killed_at_any_act_the_outcome_and_the_transactions_are_the_same(
    undisturbed: Life, tmp_path: Path, after: bool
) -> None:
    for at in range(len(undisturbed.acts)):
        life = live_through(tmp_path / str(at), Fuse(at, after))
        where = f"act {at}, {life.acts[at]}"
        assert life.kills == 1, where
        assert life.sent == undisturbed.sent, where
        assert (life.model_digest, life.codes) == (undisturbed.model_digest, undisturbed.codes), where


def test_a_disk_that_is_full_at_any_act_only_delays(undisturbed: Life, tmp_path: Path) -> None:
    for at, act in enumerate(undisturbed.acts):
        if act.partition(".")[0] not in {"journal", "secrets", "files"}:
            continue
        life = live_through(tmp_path / str(at), Fuse(at, failure=StoreError("the disk is full")))
        where = f"act {at}, {act}"
        assert life.kills == 1, where
        assert life.sent == undisturbed.sent, where
        assert (life.model_digest, life.codes) == (undisturbed.model_digest, undisturbed.codes), where
