"""What event logs show to be wrong by themselves: which of the contract's rules they break.

An endpoint that leaves out an event, or makes one up, is often found here; one event that nothing else needs is not.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from audit.chain_walk import ChainWalker, Walk
from audit.names import Names
from protocol.errors import MalformedError
from protocol.history import History
from protocol.ledger_events import LocatedEvent, Position
from protocol.ports import ChainIdentity

_FEW = 5


def broken_rules(walk: Walk, names: Names) -> Iterator[str]:
    """What a walk found, one sentence each; nothing for honest logs."""
    for fault in walk.of_network:
        yield fault.sentence
    for lineage_id, faults in walk.of_lineages.items():
        yield from (f"Lineage {names.label(lineage_id)}: {fault.sentence}" for fault in faults)
    for round_id, faults in walk.of_rounds.items():
        where = f"Round {round_id.number} of {names.label(round_id.lineage_id)}"
        yield from (f"{where}: {fault.sentence}" for fault in faults)


class CheckedHistory:
    """A history that is checked while it is folded. Logs that are not whole end it: nothing behind that is taken.

    Args:
        identity: The deployment.
        names: Labels for the sentences.
    """

    def __init__(self, identity: ChainIdentity, names: Names) -> None:
        self._walker = ChainWalker(identity, names)
        self._names = names
        self._end = ""
        self.position: Position | None = None
        """Of the newest event that was given, whether it was taken or not."""

    @property
    def history(self) -> History:
        """The fold, as far as the logs are whole."""
        return self._walker.history

    def take(self, located: LocatedEvent) -> None:
        """Takes one more event, in chain order, from the first one on."""
        self.position = located.position
        if self._end:
            return
        try:
            self._walker.take(located)
        except MalformedError as error:
            block = located.position.block_number
            self._end = f"Block {block}: {error.what}; nothing from there on can be checked"

    def broken(self) -> tuple[str, ...]:
        """What is wrong if no event follows, one sentence each; nothing for honest logs."""
        end = (self._end,) if self._end else ()
        return (*end, *broken_rules(self._walker.found(), self._names))


def first_few(broken: Sequence[str], few: int = _FEW) -> Iterator[str]:
    """The first sentences of many, and how many more there are."""
    yield from broken[:few]
    if len(broken) > few:
        yield f"and {len(broken) - few} more"
