"""One thing told across a network's deployments: the one that was asked about, then those before it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from audit.accuracy import Accuracy
from audit.broken_rules import broken_rules
from audit.chain_walk import Walk, walk_chain
from audit.connections import all_events
from audit.lineage import find_model
from audit.names import Names
from audit.succession import Chapter, Succession, seal_sentence
from audit.telling import tell_model
from protocol.errors import ConfigError, MalformedError
from protocol.history import History
from protocol.identifiers import Digest
from protocol.ports import Ledger

Tell = Callable[[History], Iterable[str]]
"""Tells something of one deployment; raises ``ConfigError`` when that knows nothing of it."""


class Reading:
    """A succession's deployments, each read from its first event on when it is asked for, and checked meanwhile.

    Args:
        succession: The deployments.
        names: Labels for what is wrong.

    Attributes:
        broken: Which of the contract's rules the logs break that were read so far.
    """

    def __init__(self, succession: Succession, names: Names) -> None:
        self.succession = succession
        self.broken: list[str] = []
        self._names = names

    def histories(self) -> Iterator[tuple[Chapter, History]]:
        """The deployments, newest first.

        Raises:
            LedgerUnavailableError: No answer.
            MalformedError: The logs are not whole.
        """
        for chapter in self.succession.chapters:
            walk = self._walk(chapter.ledger)
            where = self.succession.place_of(chapter)
            self.broken += [f"{where}{sentence}" for sentence in broken_rules(walk, self._names)]
            yield chapter, walk.history

    def _walk(self, ledger: Ledger) -> Walk:
        events = all_events(ledger)
        try:
            return walk_chain(events, ledger.identity, self._names)
        except MalformedError as error:
            raise MalformedError(
                error.what, hint="ask another endpoint: fedrx audit diff --other-rpc shows what this one leaves out"
            ) from error


def tell_all(reading: Reading, tell: Tell) -> Iterator[str]:
    """What every deployment knows, newest first.

    Raises:
        ConfigError: None knows anything; as the newest one says it.
        LedgerUnavailableError: No answer.
    """
    unknown: ConfigError | None = None
    known = False
    for place, (chapter, history) in enumerate(reading.histories()):
        try:
            sentences = list(tell(history))
        except ConfigError as error:
            unknown = unknown or error
            continue
        known = True
        yield from _headed(reading.succession, place, chapter, history, sentences)
    if unknown is not None and not known:
        raise unknown


def tell_first(reading: Reading, tell: Tell) -> Iterator[str]:
    """What the newest deployment that knows anything says.

    Raises:
        ConfigError: None knows anything; as the newest one says it.
        LedgerUnavailableError: No answer.
    """
    unknown: ConfigError | None = None
    for place, (chapter, history) in enumerate(reading.histories()):
        try:
            sentences = list(tell(history))
        except ConfigError as error:
            unknown = unknown or error
            continue
        yield from _headed(reading.succession, place, chapter, history, sentences)
        return
    if unknown is not None:
        raise unknown


def tell_model_of_all(reading: Reading, digest: Digest, names: Names, accuracy: Accuracy) -> Iterator[str]:
    """A model's parents up to genesis, and on: a lineage's genesis may be the head of one in the deployment before.

    Raises:
        ConfigError: No deployment knows the model.
        LedgerUnavailableError: No answer.
    """
    wanted, told = digest, False
    newest = History()
    for place, (chapter, history) in enumerate(reading.histories()):
        newest = newest if place else history
        models = find_model(history, wanted)
        if models:
            told_here = tell_model(history, wanted, names, accuracy)
            yield from _headed(reading.succession, place, chapter, history, told_here)
            wanted, told = models[-1].digest, True
        elif told:
            yield f"{chapter.label} knows no model {wanted}: nothing there vouches for that genesis"
            return
    if not told:
        # Said as for one deployment, whose trail the operator will look into first.
        yield from tell_model(newest, digest, names, accuracy)


def _headed(
    succession: Succession, place: int, chapter: Chapter, history: History, sentences: Iterable[str]
) -> Iterator[str]:
    if place:
        yield f"In an older deployment, {chapter.label}:"
        yield seal_sentence(succession.chapters[place - 1], chapter, history)
    yield from sentences
