"""An honest network on record: what its chain and its IPFS hold at the end, and copies for whoever changes them.

Two lineages, two aggregators who both vote, seven sites. Every kind of event happens, and every end of a round. Updates
are accepted, revoked, and refused for their norm, as a copy and for a withdrawn consent.
"""

from __future__ import annotations

import dataclasses
import io
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from gateways.ledger.result_digest import result_digest_of
from protocol import ledger_events as ev
from protocol.aggregation import aggregate
from protocol.cid import cid_of_bytes
from protocol.history import History
from protocol.identifiers import CID, Digest, RoundId, TxHash, digest_of, lineage_id_of
from protocol.ledger_calls import AttestResult
from protocol.parameters import encode_parameters, parameters_digest
from protocol.plan import PLAN_SCHEMA
from protocol.ports import ChainIdentity
from protocol.recipient_keys import RecipientPrivateKey
from protocol.result import encode_verdicts, make_verdicts, verdicts_root
from protocol.verdicts import VerdictCode
from tests.audit.stage import logs_of
from tests.protocol.builders import Network
from tests.protocol.values import account_of, random_delta, random_parameters

FIRST, SECOND = "tests", "second"
LAST = 3
"""Number of the first lineage's last round: nothing is built on its model, so a lie in it stands alone."""


@dataclass
class Recording:
    """What a network left behind. A mutation changes it in place."""

    identity: ChainIdentity
    events: list[ev.LocatedEvent]
    contents: dict[CID, bytes]
    auditor_key: RecipientPrivateKey
    opening: Network = field(repr=False)
    """The network before its last round: for parties that act otherwise in it."""
    closing: Network = field(repr=False)
    """The network before its last round's result."""

    def copy(self) -> Recording:
        """For one mutation."""
        opening, closing = copy_of(self.opening), copy_of(self.closing)
        return dataclasses.replace(
            self, events=list(self.events), contents=dict(self.contents), opening=opening, closing=closing
        )

    # ------------------------------------------------------------------------------------------------- the chain

    def place(self, kind: type, *, lineage: str = FIRST, nth: int = 0, **fields: Any) -> int:
        """Where the nth event of a kind stands whose fields have these values."""
        if "lineage_id" in {name.name for name in dataclasses.fields(kind)}:
            fields = {"lineage_id": lineage_id_of(lineage)} | fields
        found = (
            place
            for place, entry in enumerate(self.events)
            if isinstance(entry.event, kind) and all(getattr(entry.event, k) == v for k, v in fields.items())
        )
        return [*found][nth]

    def event(self, kind: type, **which: Any) -> Any:
        """The event at ``place``."""
        return self.events[self.place(kind, **which)].event

    def change(self, place: int, **fields: Any) -> None:
        """Other fields for the event at a place."""
        entry = self.events[place]
        self.events[place] = dataclasses.replace(entry, event=dataclasses.replace(entry.event, **fields))

    def move(self, place: int, **fields: Any) -> None:
        """Another position for the event at a place."""
        entry = self.events[place]
        self.events[place] = dataclasses.replace(entry, position=dataclasses.replace(entry.position, **fields))

    def insert(self, place: int, event: ev.LedgerEvent) -> None:
        """One more event in the block of the event before a place, in a transaction of its own."""
        before = self.events[place - 1].position
        at = dataclasses.replace(before, log_index=before.log_index + 10, tx_hash=_tx_of(event))
        self.events.insert(place, ev.LocatedEvent(at, event))

    def append(self, event: ev.LedgerEvent) -> None:
        """One more event in the last block."""
        self.insert(len(self.events), event)

    def attest(
        self, number: int = LAST, *, lineage: str = FIRST, kind: type = ev.RoundFinalized, **fields: Any
    ) -> None:
        """Another result of a round, for which all aggregators voted: what they publish when all of them lie."""
        self.change(self.place(kind, lineage=lineage, round=number), **fields)
        outcome = self.event(kind, lineage=lineage, round=number)
        said = {name.name: getattr(outcome, name.name) for name in dataclasses.fields(outcome)}
        none = {"model_digest": Digest.zero(), "model_cid": CID.zero(), "state_digest": Digest.zero()}
        digest = result_digest_of(self.identity, AttestResult(**(none | said)))
        for place, entry in enumerate(self.events):
            event = entry.event
            if isinstance(event, ev.ResultAttested) and ev.round_id_of(event) == RoundId(
                lineage_id_of(lineage), number
            ):
                self.change(place, result_digest=digest)

    # ------------------------------------------------------------------------------------------------ the contents

    def put(self, content: bytes) -> CID:
        """Pins content."""
        cid = cid_of_bytes(content)
        self.contents[cid] = content
        return cid

    def damage(self, cid: CID, at: int = -1) -> None:
        """One bit of a content flips; its CID stays."""
        content = bytearray(self.contents[cid])
        content[at] ^= 1
        self.contents[cid] = bytes(content)

    def code(self, index: int) -> VerdictCode:
        """The verdict of an update of the last round."""
        return VerdictCode(self.event(ev.RoundFinalized, round=LAST).codes[index])

    def model(self, number: int = LAST) -> bytes:
        """The published model of a round."""
        return self.contents[self.event(ev.RoundFinalized, round=number).model_cid]

    # ---------------------------------------------------------------------------------------------------- the lies

    def publish_model(self, model: bytes) -> None:
        """All aggregators publish another model as the last round's."""
        self.attest(model_digest=parameters_digest(model), model_cid=self.put(model))

    def publish_verdicts(self, codes: Mapping[int, VerdictCode], *, summed: set[int] | None = None) -> None:
        """All aggregators publish other verdicts of the last round, with the sum that follows from them.

        Args:
            codes: Of the updates that are not accepted.
            summed: The updates that are summed instead of the accepted ones.
        """
        said = lying_result(self.closing, codes, summed)
        self.contents.update(said.pop("contents"))
        self.attest(**said)

    def publish_failure(self, codes: Mapping[int, VerdictCode], number: int = LAST, lineage: str = FIRST) -> None:
        """All aggregators say that a round failed, with these codes of the updates that are not accepted."""
        place = self.place(ev.RoundFailed if lineage == SECOND else ev.RoundFinalized, lineage=lineage, round=number)
        round_id = RoundId(lineage_id_of(lineage), number)
        verdicts = make_verdicts(History(self.events).round(round_id).registrations, codes)
        said = bytes(verdict.code for verdict in verdicts)
        accepted = sum(1 << index for index, code in enumerate(said) if code == VerdictCode.ACCEPTED)
        listed = self.put(encode_verdicts(round_id, verdicts))
        failed = ev.RoundFailed(round_id.lineage_id, number, verdicts_root(verdicts), listed, accepted, said)
        self.events[place] = ev.LocatedEvent(self.events[place].position, failed)
        self.attest(number, lineage=lineage, kind=ev.RoundFailed)

    def play(self, network: Network) -> None:
        """The network's story takes the place of the recorded one."""
        self.events, self.contents = logs_of(network), dict(network.blocks)


def lying_result(network: Network, codes: Mapping[int, VerdictCode], summed: set[int] | None) -> dict[str, Any]:
    """The fields of a consistent result with other verdicts, and its contents."""
    network.close()
    verdicts = make_verdicts(network.view.registrations, codes)
    wanted = {v.index for v in verdicts if v.code is VerdictCode.ACCEPTED} if summed is None else summed
    chosen = [update for update in network.judge().accepted if update.index in wanted]
    assert network.plan is not None
    model = b"".join(aggregate(io.BytesIO(network.model), chosen, network.plan))
    listed = encode_verdicts(network.round_id, verdicts)
    said = bytes(verdict.code for verdict in verdicts)
    return {
        "contents": {cid_of_bytes(model): model, cid_of_bytes(listed): listed},
        "model_digest": parameters_digest(model),
        "model_cid": cid_of_bytes(model),
        "verdicts_root": verdicts_root(verdicts),
        "verdicts_cid": cid_of_bytes(listed),
        "codes": said,
        "accepted": sum(1 << index for index, code in enumerate(said) if code == VerdictCode.ACCEPTED),
    }


def _tx_of(event: ev.LedgerEvent) -> TxHash:
    return TxHash(digest_of("test-transaction", repr(event).encode()))


def copy_of(network: Network) -> Network:
    """The same network, whose story can go on in another way."""
    twin = object.__new__(type(network))
    twin.__dict__.update(network.__dict__)
    twin.events, twin.blocks = list(network.events), dict(network.blocks)
    twin.envelopes, twin.consent_roots = dict(network.envelopes), dict(network.consent_roots)
    return twin


@cache
def recorded() -> Recording:
    """The whole story, played once; take a copy."""
    network = Network(sites_count=7, aggregators_count=2)
    _first_round(network)
    _between(network)
    _second_round(network)
    opening = copy_of(network)
    _third_round(network)
    closing = copy_of(network)
    network.conclude()
    _second_lineage(network)
    _end(network)
    return Recording(network.identity, logs_of(network), network.blocks, network.auditor_key, opening, closing)


def _first_round(network: Network) -> None:
    """One update is too long, one is taken back, one site never registers."""
    network.open_round(max_norm="1")
    for site in network.sites[:4]:
        network.register(site, num_examples=60 * (site.ordinal + 1))
    network.register(network.sites[4], delta=random_delta(network.tensors, seed=5, scale=1.0))
    network.register(network.sites[5])
    network.revoke(network.sites[5])
    network.conclude()


def _between(network: Network) -> None:
    """A site gets another account, another is suspended for a while, and the auditor says that it looked."""
    moved, watched = network.sites[6], network.sites[5]
    network.emit(ev.SiteAccountRotated(moved.site_id, moved.account, account_of("moved"), digest_of("test-new-key")))
    network.emit(ev.SiteSuspended(watched.site_id))
    network.emit(ev.SiteReinstated(watched.site_id))
    network.emit(ev.AuditorKeyUsed(1, network.lineage_id, 1, 1))


def _second_round(network: Network) -> None:
    """A site withdraws between its registration and the close; another leaves for good."""
    network.open_round(selected=network.sites[:6])
    for site in network.sites[:5]:
        network.register(site)
    network.withdraw(network.sites[1])
    network.conclude()
    network.emit(ev.SiteLeft(network.sites[6].site_id))
    network.publish_consent(network.sites[1])


def _third_round(network: Network) -> None:
    """All selected sites register, one of them a copy."""
    network.open_round(selected=network.sites[:6])
    for site in network.sites[:4]:
        network.register(site)
    network.register(network.sites[4], delta=network.delta(network.sites[0]))
    network.register(network.sites[5])


def _second_lineage(network: Network) -> None:
    """One round fails, the next is aborted."""
    network.lineage, network.round = SECOND, 0
    network.model = encode_parameters(random_parameters(network.tensors, seed=2))
    digest, cid = parameters_digest(network.model), network.put(network.model)
    network.emit(ev.LineageCreated(network.lineage_id, 0, digest, cid, network.backbone_digest, PLAN_SCHEMA, 1))
    network.open_round(selected=network.sites[:6])
    for site in network.sites[:2]:
        network.register(site)
    network.conclude()
    network.open_round(selected=network.sites[:6])
    network.register(network.sites[0])
    aborted = ev.RoundAborted(network.lineage_id, 2, network.sites[0].account)
    network.emit(aborted, at=network.view.opened.attest_by)


def _end(network: Network) -> None:
    """The auditor's next key, the next governor, and the seal."""
    public = RecipientPrivateKey.generate().public_key()
    network.emit(ev.AuditorKeyPublished(2, account_of("auditor"), digest_of("test-key-2"), network.put(public)))
    network.emit(ev.GovernorChanged(account_of("governor"), account_of("next-governor")))
    network.emit(ev.SuiteSealed(1, account_of("successor")))
