"""A site in its first round, what it wrote down of it, and a chain whose answers are lost."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from node.rounds.records import RoundRecord, Stage
from protocol.errors import ReceiptTimeoutError
from protocol.identifiers import TxHash
from tests.node.data_builders import SITE_ID
from tests.node.site_world import SiteWorld

SETTINGS = {"epochs": 1, "batch_size": 32, "learning_rate": "0.002", "clip_norm": "5", "seed": 7}


def world_in_round_one(folder: Path, *, plan: dict[str, Any] | None = None, **options: Any) -> SiteWorld:
    world = SiteWorld(folder, **options)
    world.start()
    world.settle()
    world.open_round(**(plan or {}))
    return world


def record(world: SiteWorld, number: int = 1) -> RoundRecord:
    return world.running.rounds.get(world.view(number).round_id)


def reason(world: SiteWorld, number: int = 1) -> str:
    world.settle()
    found = record(world, number)
    assert found.stage is Stage.SAT_OUT
    assert world.view(number).registration_of(SITE_ID) is None
    return found.reason


class SlowLedger:
    """A chain whose answer to one kind of call is lost: delivered or not, the sender only sees a time-out."""

    def __init__(self, ledger: Any, kind: type, *, delivers: bool) -> None:
        self.ledger, self.kind, self.delivers, self.sent = ledger, kind, delivers, 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self.ledger, name)

    def send(self, call: Any) -> Any:
        if not isinstance(call, self.kind):
            return self.ledger.send(call)
        self.sent += 1
        self.late = call
        if self.delivers:
            self.ledger.send(call)
        raise ReceiptTimeoutError(TxHash(b"t" * 32), 1.0)
