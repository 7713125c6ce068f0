"""Replay: recomputes what the aggregators published, from the event logs and IPFS alone (docs/auditing.md).

Nothing is asked of the contract's storage, of an aggregator or of a site. With the auditor's key every verdict and
every global model is computed anew; without it everything but the opening of envelopes is checked.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from audit.chain_walk import Walk, walk_chain
from audit.findings import Difference, LineageFinding, Missing, Piece, ReplayFinding, RoundFinding, Topic
from audit.models import ModelShelf
from audit.names import Names
from audit.pieces import FetchLimits, Pieces
from audit.round_replay import Desk, replay_round
from gateways.data_folder import store_error
from protocol.errors import ConfigError
from protocol.history import LineageView, RoundView
from protocol.identifiers import LineageId, RoundId
from protocol.ledger_events import LocatedEvent, RoundFinalized
from protocol.ports import BlockStore, ChainIdentity
from protocol.recipient_keys import RecipientPrivateKey


@dataclass(frozen=True, slots=True)
class Step:
    """How far a replay is."""

    round_id: RoundId
    done: int
    """Rounds replayed so far."""
    total: int
    taken: int = 0
    """Updates of this round that were taken up so far."""
    updates: int = 0
    """Registered updates of this round."""


def _ignore(_: Step) -> None:
    """No progress is shown."""


@dataclass(frozen=True, slots=True)
class ReplayOptions:
    """What is replayed, and how."""

    keys: Sequence[RecipientPrivateKey] = ()
    """The auditor's private keys of all epochs; none for a replay of what is public."""
    lineage_id: LineageId | None = None
    """One lineage only; None takes all."""
    rounds: range | None = None
    """These rounds of each lineage only; None takes all."""
    limits: FetchLimits = field(default_factory=FetchLimits)
    work_folder: Path | None = None
    """Takes ciphertext and models, removed at the end; None takes the system's temporary folder."""
    names: Names = field(default_factory=Names)
    progress: Callable[[Step], None] = _ignore
    """Called before each round and each of its updates, in the calling thread."""


def replay(
    identity: ChainIdentity, events: Iterable[LocatedEvent], stores: Sequence[BlockStore], options: ReplayOptions
) -> ReplayFinding:
    """Replays a deployment's rounds.

    Memory is bounded by a few chunks of 1 MiB for each fetch and by the event logs. On disk lie the envelopes of one
    round and two or three models; a plaintext update is never written.

    Args:
        identity: The deployment.
        events: All of its event logs, in chain order.
        stores: IPFS endpoints, asked in this order; what they deliver is checked.
        options: What is replayed, and how.

    Raises:
        MalformedError: The event logs are not whole.
        ConfigError: There is no such lineage or round.
        BlockStoreUnavailableError: No endpoint answers at all.
        StoreError: The work folder is full.
    """
    walk = walk_chain(events, identity, options.names)
    chosen = _choose(walk, options)
    counter = _Counter(options.progress, sum(len(rounds) for _, rounds in chosen))
    findings: list[LineageFinding] = []
    with _folder(options.work_folder) as folder, Pieces(stores, folder, options.limits) as pieces:
        for lineage, rounds in chosen:
            shelf = ModelShelf(pieces, folder)
            desk = Desk(identity, walk.history, pieces, shelf, options.keys, options.names, counter.take_up)
            findings.append(_replay_lineage(walk, desk, lineage, rounds, counter))
            shelf.keep_only()
    return ReplayFinding(tuple(findings), tuple(walk.of_network))


class _Counter:
    def __init__(self, tell: Callable[[Step], None], total: int) -> None:
        self._tell = tell
        self._total = total
        self._step: Step | None = None

    def begin(self, view: RoundView) -> None:
        done = 0 if self._step is None else self._step.done + 1
        self._step = Step(view.round_id, done, self._total, 0, len(view.registrations))
        self._tell(self._step)

    def take_up(self) -> None:
        if self._step is not None:
            self._step = replace(self._step, taken=self._step.taken + 1)
            self._tell(self._step)


def _choose(walk: Walk, options: ReplayOptions) -> list[tuple[LineageView, list[RoundView]]]:
    lineages = walk.history.lineages
    if options.lineage_id is not None and options.lineage_id not in lineages:
        raise ConfigError(
            f"this deployment has no lineage {options.names.label(options.lineage_id)}", hint="check its slug"
        )
    chosen = []
    for lineage_id, lineage in lineages.items():
        if options.lineage_id in {None, lineage_id}:
            rounds = [
                view
                for number, view in sorted(lineage.rounds.items())
                if options.rounds is None or number in options.rounds
            ]
            chosen.append((lineage, rounds))
    if options.rounds is not None and not any(rounds for _, rounds in chosen):
        raise ConfigError("there is none of these rounds", hint="fedrx audit trail --kind round-opened lists them")
    return chosen


def _replay_lineage(
    walk: Walk, desk: Desk, lineage: LineageView, rounds: list[RoundView], counter: _Counter
) -> LineageFinding:
    created = lineage.created
    differences = list(walk.of_lineages[created.lineage_id])
    missing: list[Missing] = []
    whole = len(rounds) == len(lineage.rounds)
    if whole:
        genesis = desk.shelf.check_published(created.model_digest, created.model_cid, Piece.GENESIS_MODEL)
        if isinstance(genesis, Difference):
            differences.append(genesis)
        elif genesis is not None:
            missing.append(genesis)
        differences.extend(_broken_succession(lineage))
    findings: list[RoundFinding] = []
    for view in rounds:
        counter.begin(view)
        facts = walk.openings[view.round_id]
        findings.append(replay_round(desk, view, facts, walk.of_rounds[view.round_id]))
        head = view.outcome.model_digest if isinstance(view.outcome, RoundFinalized) else facts.head_digest
        desk.shelf.keep_only(head)
    return LineageFinding(created.lineage_id, tuple(findings), tuple(differences), tuple(missing))


def _broken_succession(lineage: LineageView) -> Iterator[Difference]:
    """Numbers that are left out: the logs of a whole round are missing."""
    numbers = sorted(lineage.rounds)
    expected = range(lineage.created.genesis_round + 1, lineage.created.genesis_round + 1 + len(numbers))
    if numbers != list(expected):
        yield Difference(Topic.CHAIN_RULE, "the lineage's rounds are not numbered one after the other")


@contextmanager
def _folder(base: Path | None) -> Iterator[Path]:
    try:
        folder = tempfile.TemporaryDirectory(prefix="fedrx-replay-", dir=base)
    except OSError as error:
        raise store_error(error, base or Path(tempfile.gettempdir())) from error
    with folder as name:
        yield Path(name)
