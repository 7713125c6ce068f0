"""A round of a test network on disk, so that another process or another environment can judge and sum it."""

from __future__ import annotations

import dataclasses
import json
import typing
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

from protocol import ledger_events as ev
from protocol.history import History, Registration
from protocol.identifiers import RoundId
from protocol.plan import encode_plan, parse_plan
from protocol.recipient_keys import RecipientPrivateKey
from protocol.verification import RoundContext
from tests.protocol.builders import IDENTITY, Network


def save_round(network: Network, folder: Path) -> None:
    """Writes event logs, plan, parent, the first aggregator's key and all envelopes."""
    assert network.plan is not None
    (folder / "plan.json").write_bytes(encode_plan(network.plan))
    (folder / "parent").write_bytes(network.model)
    (folder / "key").write_bytes(network.aggregators[0].key.to_bytes())
    (folder / "events.json").write_text(json.dumps([_encode(located) for located in network.events]))
    for (number, index), sealed in network.envelopes.items():
        if number == network.round:
            (folder / f"envelope-{index}").write_bytes(sealed)


def load_round(folder: Path) -> tuple[RoundContext, RecipientPrivateKey, Callable[[Registration], BinaryIO]]:
    """What ``judge_round`` takes; the envelopes stay on disk."""
    plan = parse_plan((folder / "plan.json").read_bytes())
    history = History(load_events(folder))
    context = RoundContext(IDENTITY, history, history.round(RoundId(plan.lineage_id, plan.round)), plan)
    key = RecipientPrivateKey.from_bytes((folder / "key").read_bytes())
    return context, key, lambda registration: (folder / f"envelope-{registration.event.index}").open("rb")


def load_events(folder: Path) -> list[ev.LocatedEvent]:
    """The event logs of the network."""
    return [_decode(ev.LocatedEvent, value) for value in json.loads((folder / "events.json").read_text())]


def _encode(value: Any) -> Any:
    if dataclasses.is_dataclass(value):
        named = {field.name: _encode(getattr(value, field.name)) for field in dataclasses.fields(value)}
        return {"type": type(value).__name__, **named}
    if isinstance(value, bytes):
        return bytes(value).hex()
    return [_encode(item) for item in value] if isinstance(value, tuple) else value


def _decode(kind: Any, value: Any) -> Any:
    if isinstance(value, dict):
        kind = getattr(ev, value["type"])
        hints = typing.get_type_hints(kind)
        return kind(**{name: _decode(hint, value[name]) for name, hint in hints.items()})
    if isinstance(value, list):
        return tuple(_decode(typing.get_args(kind)[0], item) for item in value)
    return kind(bytes.fromhex(value)) if isinstance(value, str) else value
