"""The auditor's key at a command: opened from its keystore, and its use put on chain or said not to be there."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path

import structlog
import typer

from audit.auditor_keys import AuditorKeys, open_auditor_keys, uses_to_declare
from audit.chain_walk import walk_chain
from audit.names import Names
from gateways.key_ring import read_passphrase
from protocol.errors import ConfigError
from protocol.identifiers import LineageId
from protocol.ledger_calls import DeclareAuditorKeyUse
from protocol.ledger_events import LocatedEvent
from protocol.ports import ChainIdentity, Ledger

logger = structlog.get_logger(__name__)


def open_keys(keystore: Path | None, passphrase_file: Path | None, *, declare: bool) -> AuditorKeys | None:
    """The keys of a keystore, or None where none was named.

    Raises:
        ConfigError: A declaration without a keystore.
        KeyRingError: The keystore cannot be opened.
    """
    if keystore is None:
        if declare:
            raise ConfigError("--declare needs the auditor's account", hint="give --auditor-key KEYSTORE")
        return None
    return open_auditor_keys(keystore, read_passphrase(passphrase_file, "passphrase of the auditor's keystore: "))


def declare_use(
    ledger: Ledger,
    events: Sequence[LocatedEvent],
    opened: AuditorKeys,
    lineage_id: LineageId | None,
    rounds: Collection[int] | None,
    names: Names,
    *,
    send: bool,
) -> None:
    """Puts the key's use on chain before anything is opened, or says that it is not there.

    Args:
        ledger: With the auditor's account when ``send``.
        events: All event logs.
        opened: What is about to be used.
        lineage_id: On one lineage; None for all.
        rounds: On these rounds' numbers; None for all.
        names: Labels.
        send: Whether to send what is not declared yet.

    Raises:
        LedgerError: The chain did not take the declaration.
    """
    if not send:
        for sentence in undeclared_uses(ledger.identity, events, opened, lineage_id, rounds, names):
            typer.echo(f"{sentence} (--declare)", err=True)
        return
    walk = walk_chain(events, ledger.identity, names)
    for call in uses_to_declare(walk, opened.keys, lineage_id, rounds):
        receipt = ledger.send(call)
        typer.echo(f"declared {_use(call, names)} in tx {receipt.tx_hash}", err=True)
        logger.info("auditor-key.declared", epoch=call.epoch, tx_hash=str(receipt.tx_hash))


def undeclared_uses(
    identity: ChainIdentity,
    events: Sequence[LocatedEvent],
    opened: AuditorKeys,
    lineage_id: LineageId | None,
    rounds: Collection[int] | None,
    names: Names,
) -> tuple[str, ...]:
    """Which uses of the key the chain does not know of, in words.

    Args:
        identity: The deployment.
        events: All event logs.
        opened: What is used.
        lineage_id: On one lineage; None for all.
        rounds: On these rounds' numbers; None for all.
        names: Labels.
    """
    calls = uses_to_declare(walk_chain(events, identity, names), opened.keys, lineage_id, rounds)
    return tuple(f"{_use(call, names)} is not declared on chain" for call in calls)


def _use(call: DeclareAuditorKeyUse, names: Names) -> str:
    where = f"{names.label(call.lineage_id)}, rounds {call.first_round} to {call.last_round}"
    return f"the use of key {call.epoch} on {where}"
