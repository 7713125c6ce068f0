"""One thing told across a network's deployments: the one that was asked about, then those before it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from audit.connections import all_events
from audit.lineage import find_model
from audit.names import Names
from audit.succession import Chapter, Succession, seal_sentence
from audit.telling import tell_model
from protocol.errors import ConfigError
from protocol.history import History
from protocol.identifiers import Digest

Tell = Callable[[History], Iterable[str]]
"""Tells something of one deployment; raises ``ConfigError`` when that knows nothing of it."""


def tell_all(succession: Succession, tell: Tell) -> Iterator[str]:
    """What every deployment knows, newest first.

    Raises:
        ConfigError: None knows anything; as the newest one says it.
        LedgerUnavailableError: No answer.
    """
    unknown: ConfigError | None = None
    known = False
    for place, (chapter, history) in enumerate(_histories(succession)):
        try:
            sentences = list(tell(history))
        except ConfigError as error:
            unknown = unknown or error
            continue
        known = True
        yield from _headed(succession, place, chapter, history, sentences)
    if unknown is not None and not known:
        raise unknown


def tell_first(succession: Succession, tell: Tell) -> Iterator[str]:
    """What the newest deployment that knows anything says.

    Raises:
        ConfigError: None knows anything; as the newest one says it.
        LedgerUnavailableError: No answer.
    """
    unknown: ConfigError | None = None
    for place, (chapter, history) in enumerate(_histories(succession)):
        try:
            sentences = list(tell(history))
        except ConfigError as error:
            unknown = unknown or error
            continue
        yield from _headed(succession, place, chapter, history, sentences)
        return
    if unknown is not None:
        raise unknown


def tell_model_of_all(succession: Succession, digest: Digest, names: Names) -> Iterator[str]:
    """A model's parents up to genesis, and on: a lineage's genesis may be the head of one in the deployment before.

    Raises:
        ConfigError: No deployment knows the model.
        LedgerUnavailableError: No answer.
    """
    wanted, told = digest, False
    for place, (chapter, history) in enumerate(_histories(succession)):
        models = find_model(history, wanted)
        if models:
            yield from _headed(succession, place, chapter, history, tell_model(history, wanted, names))
            wanted, told = models[-1].digest, True
        elif told:
            yield f"{chapter.label} knows no model {wanted}: nothing there vouches for that genesis"
            return
    if not told:
        # Said as for one deployment, whose trail the operator will look into first.
        yield from tell_model(History(all_events(succession.newest.ledger)), digest, names)


def _histories(succession: Succession) -> Iterator[tuple[Chapter, History]]:
    for chapter in succession.chapters:
        yield chapter, History(all_events(chapter.ledger))


def _headed(
    succession: Succession, place: int, chapter: Chapter, history: History, sentences: Iterable[str]
) -> Iterator[str]:
    if place:
        yield f"In an older deployment, {chapter.label}:"
        yield seal_sentence(succession.chapters[place - 1], chapter, history)
    yield from sentences
