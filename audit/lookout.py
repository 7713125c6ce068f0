"""Checks the contract's rules while new blocks come in."""

from __future__ import annotations

import typer
from sqlalchemy import Engine

from audit.broken_rules import CheckedHistory
from audit.index.following import events_behind
from audit.index.searching import Search, search
from audit.names import Names
from protocol.ledger_events import LocatedEvent
from protocol.ports import ChainIdentity


class Lookout:
    """Says each broken rule once, on stderr, as soon as the blocks are read that show it.

    Args:
        identity: The deployment.
        names: Labels for the sentences.
    """

    def __init__(self, identity: ChainIdentity, names: Names) -> None:
        self._identity = identity
        self._names = names
        self._checked = CheckedHistory(identity, names)
        self._said: set[str] = set()

    def take(self, located: LocatedEvent) -> None:
        """Takes an event of the first reading."""
        self._checked.take(located)

    def look(self, engine: Engine, number: int) -> None:
        """Checks what came into the index since the last look; all of it when the chain reorganised.

        Args:
            engine: As ``open_database`` gives it.
            number: Of the deployment in the index.

        Raises:
            StoreError: The database refuses.
        """
        news = events_behind(engine, number, self._checked.position)
        if news is None:
            self._checked = CheckedHistory(self._identity, self._names)
            news = list(search(engine, number, Search()))
        for located in news:
            self._checked.take(located)
        for sentence in self._checked.broken():
            if sentence not in self._said:
                typer.echo(f"the event logs break a rule: {sentence}", err=True)
                self._said.add(sentence)
