"""The network as its event logs tell it: a fold over located events in chain order, the same for every party.

A site, an aggregator and an auditor ask the same questions of the same value; none of them asks the contract's
storage, so an archive of event logs is all that an audit needs.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from protocol import ledger_events as ev
from protocol.errors import MalformedError, VerificationError
from protocol.identifiers import CID, AccountAddress, AggregatorId, Digest, LineageId, RoundId, SiteId
from protocol.ledger_events import LocatedEvent, Position
from protocol.round import RoundState
from protocol.verdicts import VerdictCode


@dataclass(slots=True)
class SiteView:
    """A site's membership."""

    site_id: SiteId
    account: AccountAddress
    ordinal: int
    key_digest: Digest
    suspended: bool = False
    left: bool = False

    @property
    def active(self) -> bool:
        """Whether the site may register updates."""
        return not self.suspended and not self.left


@dataclass(slots=True)
class ConsentView:
    """A site's consent roots and withdrawals, in chain order."""

    roots: dict[int, tuple[ev.ConsentRootPublished, Position]] = field(default_factory=dict)
    withdrawals: list[tuple[ev.ConsentWithdrawn, Position]] = field(default_factory=list)

    @property
    def latest_version(self) -> int:
        """The newest version, 0 when there is none."""
        return max(self.roots, default=0)

    @property
    def min_version(self) -> int:
        """The lowest version that an update may name now."""
        return max((event.min_version for event, _ in self.withdrawals), default=0)


@dataclass(frozen=True, slots=True)
class Registration:
    """A registered update and where its event is."""

    event: ev.UpdateRegistered
    position: Position


@dataclass(slots=True)
class RoundView:
    """Everything the chain says of one round."""

    opened: ev.RoundOpened
    opened_at: Position
    registrations: list[Registration] = field(default_factory=list)
    revoked: set[int] = field(default_factory=set)
    attestations: list[tuple[ev.ResultAttested, Position]] = field(default_factory=list)
    outcome: ev.RoundFinalized | ev.RoundFailed | ev.RoundAborted | None = None
    outcome_at: Position | None = None

    @property
    def round_id(self) -> RoundId:
        """The round's name."""
        return RoundId(self.opened.lineage_id, self.opened.round)

    @property
    def selected_count(self) -> int:
        """Number of selected sites."""
        return sum(word.bit_count() for word in self.opened.selected)

    @property
    def full(self) -> bool:
        """Whether all selected sites have registered."""
        return len(self.registrations) >= self.selected_count

    def selects(self, site: SiteView) -> bool:
        """Whether a site may register in this round."""
        word, bit = divmod(site.ordinal, 256)
        return word < len(self.opened.selected) and bool(self.opened.selected[word] >> bit & 1)

    def registration_of(self, site_id: SiteId) -> Registration | None:
        """A site's registration in this round."""
        return next((r for r in self.registrations if r.event.site_id == site_id), None)

    def state(self, now: int) -> RoundState:
        """The round's state at a head timestamp, in seconds since 1970."""
        match self.outcome:
            case ev.RoundFinalized():
                return RoundState.FINALIZED
            case ev.RoundFailed():
                return RoundState.FAILED
            case ev.RoundAborted():
                return RoundState.ABORTED
            case _:
                closed = self.full or now >= self.opened.deadline
                return RoundState.CLOSED if closed else RoundState.OPEN

    def before_close(self, position: Position) -> bool:
        """Whether something happened before the round closed."""
        if self.full:
            return position <= self.registrations[-1].position
        return position.timestamp < self.opened.deadline


@dataclass(slots=True)
class LineageView:
    """One line of models."""

    created: ev.LineageCreated
    created_at: Position
    head_digest: Digest
    head_cid: CID
    head_round: int
    """The round that published the head; rounds that failed or were aborted come after it."""
    rounds: dict[int, RoundView] = field(default_factory=dict)

    @property
    def last_round(self) -> int:
        """The newest round's number, whatever became of it."""
        return max(self.rounds, default=self.created.genesis_round)

    def live_round(self) -> RoundView | None:
        """The round that has no outcome yet."""
        newest = self.rounds.get(self.last_round)
        return newest if newest is not None and newest.outcome is None else None


class History:
    """The fold. Apply events in chain order; then ask."""

    def __init__(self, events: Iterable[LocatedEvent] = ()) -> None:
        self.governor: AccountAddress | None = None
        self.sites: dict[SiteId, SiteView] = {}
        self.site_of: dict[AccountAddress, SiteId] = {}
        self.aggregators: dict[AggregatorId, ev.AggregatorAdmitted] = {}
        self.aggregator_sets: dict[int, ev.AggregatorSetChanged] = {}
        self.auditor_keys: dict[int, ev.AuditorKeyPublished] = {}
        self.round_keys: dict[tuple[AggregatorId, RoundId], ev.RoundKeyAnnounced] = {}
        self.consents: dict[SiteId, ConsentView] = {}
        self.lineages: dict[LineageId, LineageView] = {}
        self.sealed: ev.SuiteSealed | None = None
        self.position: Position | None = None
        for event in events:
            self.apply(event)

    def apply(self, located: LocatedEvent) -> None:
        """Takes one more event.

        Raises:
            MalformedError: Out of chain order, or about something that no earlier event made: the logs are not whole.
        """
        if self.position is not None and located.position <= self.position:
            raise MalformedError("an event is out of chain order")
        try:
            self._apply(located.event, located.position)
        except KeyError as error:
            raise MalformedError(f"{type(located.event).__name__} names something unknown: logs are missing") from error
        self.position = located.position

    def round(self, round_id: RoundId) -> RoundView:
        """A round.

        Raises:
            KeyError: The chain knows no such round.
        """
        return self.lineages[round_id.lineage_id].rounds[round_id.number]

    @property
    def aggregator_set(self) -> ev.AggregatorSetChanged | None:
        """The set that opens new rounds."""
        return self.aggregator_sets.get(max(self.aggregator_sets, default=0))

    @property
    def auditor_key(self) -> ev.AuditorKeyPublished | None:
        """The auditor's key of the newest epoch."""
        return self.auditor_keys.get(max(self.auditor_keys, default=0))

    def check_consent(self, registration: Registration, round_view: RoundView) -> Digest:
        """Step 11 of the verification: the consent root that an update names, if it was in force.

        Raises:
            VerificationError: ``CONSENT_NOT_IN_FORCE`` at registration, or ``CONSENT_WITHDRAWN`` before close.
        """
        event, position = registration.event, registration.position
        consent = self.consents.get(event.site_id, ConsentView())
        published = consent.roots.get(event.consent_version)
        if published is None or published[1] > position or published[0].valid_until < position.timestamp:
            raise VerificationError(VerdictCode.CONSENT_NOT_IN_FORCE, "no such consent root, or it had expired")
        for withdrawal, at in consent.withdrawals:
            if withdrawal.min_version <= event.consent_version:
                continue
            if at < position:
                raise VerificationError(VerdictCode.CONSENT_NOT_IN_FORCE, "the consent root was withdrawn before")
            if round_view.before_close(at):
                raise VerificationError(VerdictCode.CONSENT_WITHDRAWN, "withdrawn between registration and close")
        return published[0].root

    def _apply(self, event: ev.LedgerEvent, at: Position) -> None:
        match event:
            case ev.SiteAdmitted() | ev.SiteAccountRotated() | ev.SiteSuspended() | ev.SiteReinstated() | ev.SiteLeft():
                self._apply_site(event)
            case ev.ConsentRootPublished():
                self.consents.setdefault(event.site_id, ConsentView()).roots[event.version] = (event, at)
            case ev.ConsentWithdrawn():
                self.consents.setdefault(event.site_id, ConsentView()).withdrawals.append((event, at))
            case ev.AggregatorAdmitted():
                self.aggregators[event.aggregator_id] = event
            case ev.AggregatorSetChanged():
                self.aggregator_sets[event.version] = event
            case ev.AuditorKeyPublished():
                self.auditor_keys[event.epoch] = event
            case ev.RoundKeyAnnounced():
                self.round_keys[event.aggregator_id, RoundId(event.lineage_id, event.round)] = event
            case ev.SuiteSealed() | ev.GovernorChanged():
                self._apply_suite(event)
            case ev.AuditorKeyUsed():
                pass
            case _:
                self._apply_round(event, at)

    def _apply_suite(self, event: ev.SuiteSealed | ev.GovernorChanged) -> None:
        if isinstance(event, ev.SuiteSealed):
            self.sealed = event
        else:
            self.governor = event.governor

    def _apply_site(
        self, event: ev.SiteAdmitted | ev.SiteAccountRotated | ev.SiteSuspended | ev.SiteReinstated | ev.SiteLeft
    ) -> None:
        match event:
            case ev.SiteAdmitted():
                self.sites[event.site_id] = SiteView(event.site_id, event.account, event.ordinal, event.key_digest)
                self.site_of[event.account] = event.site_id
            case ev.SiteAccountRotated():
                site = self.sites[event.site_id]
                self.site_of.pop(event.previous_account)
                site.account, site.key_digest = event.account, event.key_digest
                self.site_of[event.account] = event.site_id
            case ev.SiteSuspended():
                self.sites[event.site_id].suspended = True
            case ev.SiteReinstated():
                self.sites[event.site_id].suspended = False
            case ev.SiteLeft():
                self.sites[event.site_id].left = True

    def _apply_round(
        self,
        event: ev.LineageCreated | ev.RoundEvent,
        at: Position,
    ) -> None:
        if isinstance(event, ev.LineageCreated):
            self.lineages[event.lineage_id] = LineageView(
                event, at, event.model_digest, event.model_cid, event.genesis_round
            )
            return
        lineage = self.lineages[event.lineage_id]
        if isinstance(event, ev.RoundOpened):
            lineage.rounds[event.round] = RoundView(event, at)
            return
        view = lineage.rounds[event.round]
        match event:
            case ev.UpdateRegistered():
                if event.index != len(view.registrations):
                    raise MalformedError("a registration is out of its place: logs are missing")
                view.registrations.append(Registration(event, at))
            case ev.UpdateRevoked():
                view.revoked.add(event.index)
            case ev.ResultAttested():
                view.attestations.append((event, at))
            case ev.RoundFinalized() | ev.RoundFailed() | ev.RoundAborted():
                view.outcome, view.outcome_at = event, at
                if isinstance(event, ev.RoundFinalized):
                    lineage.head_digest, lineage.head_cid = event.model_digest, event.model_cid
                    lineage.head_round = event.round
