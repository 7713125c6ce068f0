"""The contract's rules about lineages and rounds, as an auditor checks them against the state before an event."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator

from audit.findings import Difference, Topic
from audit.names import Names
from gateways.ledger.result_digest import result_digest_of
from protocol import ledger_events as ev
from protocol.errors import VerificationError
from protocol.history import History, Registration, RoundView
from protocol.identifiers import CID, Digest, RoundId, SiteId
from protocol.ledger_calls import AttestResult
from protocol.ledger_events import LocatedEvent, Position
from protocol.ports import ChainIdentity
from protocol.round import MAX_ROUND_SECONDS, RoundState
from protocol.verdicts import VerdictCode
from protocol.verification import COMMITMENT_SCHEME

_MIN_ACCEPTED_FLOOR = 3
_MAX_SELECTED = 256
_MAX_WEIGHT = 1 << 20


class RuleBook:
    """Checks one event after another; remembers only what ``History`` does not keep.

    Args:
        identity: The deployment, whose address and chain id are part of every vote's digest.
        names: Labels for the sentences.
    """

    def __init__(self, identity: ChainIdentity, names: Names) -> None:
        self._identity = identity
        self._names = names
        self._envelopes: dict[SiteId, set[Digest]] = defaultdict(set)

    def faults(self, history: History, located: LocatedEvent) -> Iterator[Difference]:
        """What an event about lineages or rounds breaks; nothing when it is allowed.

        Args:
            history: The state before the event.
            located: The event.
        """
        event, at = located.event, located.position
        match event:
            case ev.LineageCreated():
                yield from _rules(_lineage_created(history, event))
            case ev.RoundOpened():
                yield from self._opened(history, event, at)
            case ev.RoundKeyAnnounced():
                yield from _rules(_key_announced(history, event))
            case ev.UpdateRegistered() | ev.UpdateRevoked() | ev.ResultAttested():
                yield from _rules(self._during(history, event, at))
            case ev.RoundFinalized() | ev.RoundFailed():
                view = _view(history, ev.round_id_of(event))
                if view is not None:
                    yield from _rules(_ended(view, at))
                    yield from _result_adds_up(view, event)
                    yield from self._votes(history, view, event, at)
            case ev.RoundAborted():
                view = _view(history, ev.round_id_of(event))
                if view is not None and (view.outcome is not None or at.timestamp < view.opened.attest_by):
                    yield Difference(Topic.CHAIN_RULE, "the round was aborted before its time, or after its outcome")
            case _:
                return

    def _opened(self, history: History, event: ev.RoundOpened, at: Position) -> Iterator[Difference]:
        lineage = history.lineages.get(event.lineage_id)
        if lineage is None:
            return
        if event.parent_digest != lineage.head_digest:
            yield Difference(Topic.PARENT, "the round's parent is not the lineage's head at its opening")
        yield from _rules(_opening_numbers(event, at))
        if event.round != lineage.last_round + 1:
            yield Difference(Topic.CHAIN_RULE, f"the round's number does not follow {lineage.last_round}")
        if lineage.live_round() is not None:
            yield Difference(Topic.CHAIN_RULE, "the round was opened while the one before had no outcome")
        if history.sealed is not None:
            yield Difference(Topic.CHAIN_RULE, "the round was opened after the suite was sealed")
        current = history.aggregator_set
        if current is None or event.aggregator_set_version != current.version:
            yield Difference(Topic.CHAIN_RULE, "the round names another aggregator set than the one in force")
        elif event.aggregator_id not in current.aggregator_ids:
            yield Difference(Topic.CHAIN_RULE, "the round was opened by an aggregator outside of the set")
        ordinals = {site.ordinal for site in history.sites.values()}
        if not set(_bits(event.selected)) <= ordinals:
            yield Difference(Topic.CHAIN_RULE, "the round selects a site that was not admitted")

    def _during(
        self, history: History, event: ev.UpdateRegistered | ev.UpdateRevoked | ev.ResultAttested, at: Position
    ) -> Iterator[str]:
        view = _view(history, ev.round_id_of(event))
        if view is None:
            return
        match event:
            case ev.UpdateRegistered():
                yield from self._registered(history, view, event, at)
            case ev.UpdateRevoked():
                registration = view.registration_of(event.site_id)
                if view.state(at.timestamp) is not RoundState.OPEN:
                    yield f"update {event.index} was revoked after close"
                if registration is None or registration.event.index != event.index or event.index in view.revoked:
                    yield f"update {event.index} was revoked, but not by its site, or twice"
            case ev.ResultAttested():
                voter = self._names.label(event.aggregator_id)
                if view.state(at.timestamp) is not RoundState.CLOSED:
                    yield f"aggregator {voter} voted before close or after the outcome"
                members = history.aggregator_sets.get(view.opened.aggregator_set_version)
                if members is None or event.aggregator_id not in members.aggregator_ids:
                    yield f"aggregator {voter} voted and is not in the round's set"
                if any(earlier.aggregator_id == event.aggregator_id for earlier, _ in view.attestations):
                    yield f"aggregator {voter} voted twice"

    def _registered(self, history: History, view: RoundView, event: ev.UpdateRegistered, at: Position) -> Iterator[str]:
        for fault in self._registration_faults(history, view, event, at):
            yield f"update {event.index} of {self._names.label(event.site_id)} {fault}"

    def _registration_faults(
        self, history: History, view: RoundView, event: ev.UpdateRegistered, at: Position
    ) -> Iterator[str]:
        site = history.sites.get(event.site_id)
        if view.state(at.timestamp) is not RoundState.OPEN:
            yield "was registered after close"
        if site is None or not site.active or not view.selects(site):
            yield "comes from a site that is not active or not selected"
        if view.registration_of(event.site_id) is not None:
            yield "is the site's second of the round"
        if event.envelope_digest in self._envelopes[event.site_id]:
            yield "registers an envelope that the site had registered before"
        self._envelopes[event.site_id].add(event.envelope_digest)
        if not 1 <= event.weight <= _MAX_WEIGHT:
            yield f"has the weight {event.weight}"
        if event.commitment_scheme != COMMITMENT_SCHEME:
            yield f"names the commitment scheme {event.commitment_scheme}"
        try:
            history.check_consent(Registration(event, at), view)
        except VerificationError as refusal:
            yield f"was registered without consent in force: {refusal}"

    def _votes(
        self, history: History, view: RoundView, event: ev.RoundFinalized | ev.RoundFailed, at: Position
    ) -> Iterator[Difference]:
        expected = result_digest_of(self._identity, _as_vote(event))
        agreeing = 0
        for vote, _ in view.attestations:
            if vote.result_digest == expected:
                agreeing += 1
            else:
                voter = self._names.label(vote.aggregator_id)
                yield Difference(Topic.VOTE, f"aggregator {voter} voted for another result than the one on chain")
        members = history.aggregator_sets.get(view.opened.aggregator_set_version)
        if members is not None and agreeing < members.threshold:
            yield Difference(Topic.VOTE, f"{agreeing} of the {members.threshold} votes needed are for this result")
        if members is not None and agreeing > members.threshold:
            sentence = f"{agreeing} votes are for this result, and {members.threshold} had decided it"
            yield Difference(Topic.VOTE, sentence)
        if not view.attestations or view.attestations[-1][1].tx_hash != at.tx_hash:
            yield Difference(Topic.VOTE, "the result does not stand in the transaction of the vote that decided it")


def _rules(sentences: Iterator[str]) -> Iterator[Difference]:
    return (Difference(Topic.CHAIN_RULE, sentence) for sentence in sentences)


def _view(history: History, round_id: RoundId) -> RoundView | None:
    lineage = history.lineages.get(round_id.lineage_id)
    return None if lineage is None else lineage.rounds.get(round_id.number)


def _lineage_created(history: History, event: ev.LineageCreated) -> Iterator[str]:
    if event.lineage_id in history.lineages:
        yield "the lineage was created twice"
    if history.sealed is not None:
        yield "the lineage was created after the suite was sealed"
    if event.commitment_scheme != COMMITMENT_SCHEME:
        yield f"the lineage names the commitment scheme {event.commitment_scheme}"


def _key_announced(history: History, event: ev.RoundKeyAnnounced) -> Iterator[str]:
    lineage = history.lineages.get(event.lineage_id)
    if lineage is None:
        yield "a key was announced for a lineage that there is not"
    elif event.round <= lineage.last_round:
        yield f"a key was announced for round {event.round} after its opening"
    current = history.aggregator_set
    if current is None or event.aggregator_id not in current.aggregator_ids:
        yield f"a key was announced for round {event.round} by an aggregator outside of the set"


def unspoken_outcome(history: History, view: RoundView) -> Iterator[Difference]:
    """Whether the votes decided a round whose logs hold no result: the contract ends a round with the deciding vote.

    Args:
        history: The state after all events.
        view: The round.
    """
    members = history.aggregator_sets.get(view.opened.aggregator_set_version)
    if members is None or isinstance(view.outcome, ev.RoundFinalized | ev.RoundFailed):
        return
    votes = Counter(vote.result_digest for vote, _ in view.attestations)
    if votes and max(votes.values()) >= members.threshold:
        yield Difference(Topic.VOTE, "the votes decided the round, and its result is not there: logs are missing")


def _opening_numbers(event: ev.RoundOpened, at: Position) -> Iterator[str]:
    selected = sum(word.bit_count() for word in event.selected)
    if not _MIN_ACCEPTED_FLOOR <= event.min_accepted <= selected <= _MAX_SELECTED:
        yield f"the round selects {selected} sites and needs {event.min_accepted} of them"
    if not at.timestamp < event.deadline < event.attest_by:
        yield "the round's deadline and attest-by are not in order"
    if event.attest_by > at.timestamp + MAX_ROUND_SECONDS:
        yield "the round's attest-by is more than 90 days after its opening"


def _ended(view: RoundView, at: Position) -> Iterator[str]:
    if view.outcome is not None:
        yield "the round has a second outcome"
    if not view.full and at.timestamp < view.opened.deadline:
        yield "the round has a result from before its close"


def _result_adds_up(view: RoundView, event: ev.RoundFinalized | ev.RoundFailed) -> Iterator[Difference]:
    if len(event.codes) != len(view.registrations):
        sentence = f"{len(event.codes)} verdict codes for {len(view.registrations)} updates"
        yield Difference(Topic.VERDICT, sentence)
    accepted = sum(1 << index for index, code in enumerate(event.codes) if code == VerdictCode.ACCEPTED)
    if event.accepted != accepted:
        yield Difference(Topic.ACCEPTED, "the bitmap of accepted updates is not that of the verdict codes")
    for index in sorted(view.revoked):
        if event.accepted >> index & 1:
            yield Difference(Topic.ACCEPTED, f"update {index} was accepted although its site had revoked it", index)
    enough = event.accepted.bit_count() >= view.opened.min_accepted
    if enough != isinstance(event, ev.RoundFinalized):
        yield Difference(Topic.OUTCOME, "a model was published with too few updates, or none with enough")
    if isinstance(event, ev.RoundFinalized) and event.model_digest == Digest.zero():
        yield Difference(Topic.OUTCOME, "the round was finalised without a model")


def _as_vote(event: ev.RoundFinalized | ev.RoundFailed) -> AttestResult:
    if isinstance(event, ev.RoundFinalized):
        model = (event.model_digest, event.model_cid, event.state_digest)
    else:
        # The contract takes a failed result only with zeros in these places (docs/spec/round.md).
        model = (Digest.zero(), CID.zero(), Digest.zero())
    return AttestResult(
        event.lineage_id, event.round, *model, event.verdicts_root, event.verdicts_cid, event.accepted, event.codes
    )


def _bits(words: tuple[int, ...]) -> Iterator[int]:
    return (256 * number + bit for number, word in enumerate(words) for bit in range(256) if word >> bit & 1)
