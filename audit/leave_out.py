"""What rounds would have given without one site: two models in memory, for whoever scores them.

The difference of the two sums is the site's update: neither is written to a file, logged or shown. Ciphertext lies in
the work folder meanwhile, as during a replay.
"""

from __future__ import annotations

import io
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from audit.chain_walk import Walk, walk_chain
from audit.envelopes import RoundEnvelopes
from audit.findings import Difference, Piece
from audit.lineage import contributions
from audit.names import Names
from audit.pieces import FetchLimits, NotFetched, Pieces
from audit.plan_rules import read_context
from audit.round_replay import key_for
from gateways.data_folder import store_error
from protocol.aggregation import aggregate
from protocol.errors import AuditError, ConfigError, MalformedError
from protocol.history import RoundView
from protocol.identifiers import CID, Digest, LineageId, SiteId
from protocol.judgement import judge_round
from protocol.ledger_events import LocatedEvent, RoundFinalized
from protocol.parameters import parameters_digest
from protocol.plan import MAX_PLAN_BYTES
from protocol.ports import BlockStore, ChainIdentity
from protocol.recipient_keys import RecipientPrivateKey
from protocol.verification import RoundContext, VerifiedUpdate

_REPLAY = "run fedrx audit replay: it says what is wrong or missing"


@dataclass(frozen=True, slots=True)
class Omission:
    """Who is left out of which rounds, and how the rounds are opened."""

    lineage_id: LineageId
    site_id: SiteId
    first_round: int
    last_round: int
    keys: Sequence[RecipientPrivateKey]
    """The auditor's private keys of all epochs."""
    limits: FetchLimits = field(default_factory=FetchLimits)
    work_folder: Path | None = None
    """Takes ciphertext and published models, removed at the end; None takes the system's temporary folder."""
    names: Names = field(default_factory=Names)


@dataclass(frozen=True, slots=True, repr=False)
class TwoModels:
    """A published model and what would stand in its place; not to be kept, written or shown."""

    backbone_digest: Digest
    scope: str
    published: bytes
    """The last round's model as the chain names it (docs/spec/parameters.md), recomputed byte for byte."""
    without: bytes
    """The same sum without the site."""
    rounds: tuple[int, ...]
    """Whose sums were made anew: all from the first one that held the site's update."""
    updates: int
    """Updates of the site that were left out."""
    in_parent: int
    """Updates of the site in the model that the first of these rounds started from: they stay in both models."""
    below_quorum: tuple[int, ...]
    """Rounds that would have published nothing without the site: fewer updates than the plan asks for."""

    @property
    def exact(self) -> bool:
        """Whether this is what the network would have published: not so after the first of several rounds."""
        return len(self.rounds) == 1

    def __repr__(self) -> str:
        return f"TwoModels(rounds={self.rounds})"


def leave_out(
    identity: ChainIdentity, events: Sequence[LocatedEvent], stores: Sequence[BlockStore], omission: Omission
) -> TwoModels:
    """Sums rounds with and without a site, in memory.

    From the second round on this is a re-summation: the other sites' updates are what they trained from models that
    held the site's update.

    Args:
        identity: The deployment.
        events: All of its event logs, in chain order.
        stores: IPFS endpoints, asked in this order.
        omission: Who is left out of what.

    Raises:
        ConfigError: No such lineage, no model of that round, or none of the rounds holds an update of the site.
        AuditError: A round does not replay to its published model, or a piece is missing.
        MalformedError: The event logs are not whole.
        BlockStoreUnavailableError: No endpoint answers at all.
        StoreError: The work folder is full.
    """
    walk = walk_chain(events, identity, omission.names)
    views = _rounds_to_sum(walk, omission)
    base = omission.work_folder
    try:
        folder = tempfile.TemporaryDirectory(prefix="fedrx-without-", dir=base)
    except OSError as error:
        raise store_error(error, base or Path(tempfile.gettempdir())) from error
    with folder as name, Pieces(stores, Path(name), omission.limits) as pieces:
        return _Sums(identity, walk, pieces, omission).over(views)


def _rounds_to_sum(walk: Walk, omission: Omission) -> list[tuple[RoundView, RoundFinalized]]:
    """The rounds that published a model, from the first one that holds an update of the site."""
    lineage = walk.history.lineages.get(omission.lineage_id)
    label = omission.names.label(omission.lineage_id)
    if lineage is None:
        raise ConfigError(f"this deployment has no lineage {label}", hint="check its slug")
    last = lineage.rounds.get(omission.last_round)
    if last is None or not isinstance(last.outcome, RoundFinalized):
        raise ConfigError(
            f"round {omission.last_round} of {label} published no model",
            hint="fedrx audit trail says which did",
        )
    numbers = range(omission.first_round, omission.last_round + 1)
    views = [lineage.rounds[number] for number in numbers if number in lineage.rounds]
    final = [(view, view.outcome) for view in views if isinstance(view.outcome, RoundFinalized)]
    while final and not _holds(final[0][0], omission.site_id):
        final.pop(0)
    if not final:
        raise ConfigError(
            f"no model of these rounds holds an update of site {omission.names.label(omission.site_id)}",
            hint="see fedrx audit show --site",
        )
    return final


def _holds(view: RoundView, site_id: SiteId) -> bool:
    return any(one.accepted and one.site_id == site_id for one in contributions(view))


@dataclass(frozen=True, slots=True)
class _Sums:
    """Sums round after round."""

    identity: ChainIdentity
    walk: Walk
    pieces: Pieces
    omission: Omission

    def over(self, rounds: Sequence[tuple[RoundView, RoundFinalized]]) -> TwoModels:
        published = without = b""
        left_out, below = 0, []
        scope = ""
        for view, outcome in rounds:
            context = self._context(view)
            parent = self._parent(view)
            published, without, kept, gone = self._round(context, outcome, parent, without or parent)
            left_out, scope = left_out + gone, context.plan.scope
            if kept < context.plan.min_accepted:
                below.append(view.opened.round)
        created = self.walk.history.lineages[self.omission.lineage_id].created
        numbers = tuple(view.opened.round for view, _ in rounds)
        before = self._before(numbers[0])
        return TwoModels(created.backbone_digest, scope, published, without, numbers, left_out, before, tuple(below))

    def _before(self, number: int) -> int:
        """In how many models of earlier rounds the site has a part."""
        rounds = self.walk.history.lineages[self.omission.lineage_id].rounds
        earlier = (view for at, view in rounds.items() if at < number and isinstance(view.outcome, RoundFinalized))
        return sum(_holds(view, self.omission.site_id) for view in earlier)

    def _round(
        self, context: RoundContext, outcome: RoundFinalized, parent: bytes, other_parent: bytes
    ) -> tuple[bytes, bytes, int, int]:
        """The published model, the sum without the site, and how many updates are in and out of it."""
        number = outcome.round
        key = key_for(context, self.omission.keys)
        if key is None:
            raise ConfigError(
                f"none of the auditor's keys opens round {number}", hint="give the keystore that holds its epoch's key"
            )
        with RoundEnvelopes(self.pieces, context, outcome, key) as envelopes:
            judgement = judge_round(context, key, envelopes.fetched)
            if envelopes.missing:
                lost = envelopes.missing[min(envelopes.missing)]
                raise AuditError(f"round {number} cannot be summed: {lost.sentence}", hint=_REPLAY)
            if bytes(verdict.code for verdict in judgement.verdicts) != outcome.codes:
                raise AuditError(f"the verdicts of round {number} are not those on chain", hint=_REPLAY)
            published = _sum(parent, judgement.accepted, context)
            if parameters_digest(published) != outcome.model_digest:
                raise AuditError(f"the model of round {number} is not the sum of its updates", hint=_REPLAY)
            rest = [one for one in judgement.accepted if one.manifest.site_id != self.omission.site_id]
            return published, _sum(other_parent, rest, context), len(rest), len(judgement.accepted) - len(rest)

    def _context(self, view: RoundView) -> RoundContext:
        data = self._fetched(view.opened.plan_cid, Piece.PLAN, MAX_PLAN_BYTES)
        context = read_context(data, self.identity, self.walk.history, view)
        if isinstance(context, Difference):
            raise AuditError(f"round {view.opened.round}: {context.sentence}", hint=_REPLAY)
        return context

    def _parent(self, view: RoundView) -> bytes:
        data = self._fetched(self.walk.openings[view.round_id].head_cid, Piece.PARENT_MODEL, None)
        if parameters_digest(data) != view.opened.parent_digest:
            raise AuditError(f"the parent of round {view.opened.round} is not the one on chain", hint=_REPLAY)
        return data

    def _fetched(self, cid: CID, piece: Piece, max_bytes: int | None) -> bytes:
        got = self.pieces.get(cid, max_bytes=max_bytes)
        if isinstance(got, NotFetched):
            raise AuditError(got.as_missing(piece).sentence, hint=_REPLAY)
        data = got.path.read_bytes()
        self.pieces.let_go(cid)
        return data


def _sum(parent: bytes, updates: Sequence[VerifiedUpdate], context: RoundContext) -> bytes:
    try:
        return b"".join(aggregate(io.BytesIO(parent), updates, context.plan))
    except MalformedError as error:
        number = context.view.opened.round
        raise AuditError(f"no model follows from the updates of round {number}: {error}", hint=_REPLAY) from error
