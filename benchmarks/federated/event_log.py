"""What a contract would say of a small network, as the typed event logs that every party folds."""

from __future__ import annotations

from collections.abc import Sequence

from aggregator.scheduler import selection_words
from node.rounds.sealing import SealedUpdate
from protocol import ledger_events as ev
from protocol.cid import cid_of_bytes
from protocol.history import History, LineageView, Registration, RoundView
from protocol.identifiers import (
    CID,
    AccountAddress,
    BlockHash,
    Digest,
    LineageId,
    RoundId,
    TxHash,
    aggregator_id_of,
    digest_of,
    site_id_of,
)
from protocol.plan import PLAN_SCHEMA, RoundPlan, auditor_recipient_id, encode_plan, plan_digest, recipients_digest
from protocol.ports import ChainIdentity
from protocol.recipient_keys import public_key_digest
from protocol.result import RoundResult
from protocol.verification import COMMITMENT_SCHEME

AGGREGATOR = aggregator_id_of("aggregator-1")
AUDITOR_EPOCH = 1
AUDITOR = auditor_recipient_id(AUDITOR_EPOCH)
CONSENT_VERSION = 1
IDENTITY = ChainIdentity(
    chain_id=31337,
    contract_address=AccountAddress(digest_of("benchmark-contract")[:20]),
    genesis_block_hash=BlockHash(digest_of("benchmark-genesis-block")),
    deployment_block_number=1,
    deployment_block_hash=BlockHash(digest_of("benchmark-deployment-block")),
)
_START = 1_700_000_000
_FOREVER = 2**40


class EventLog:
    """One aggregator, one auditor, some sites with a consent root in force, one lineage.

    Args:
        lineage_id: The lineage.
        sites: Slugs.
        backbone_digest: Of the lineage's backbone.
        auditor_key: The auditor's public key.
        model: Digest and CID of the model to start from.
        start_round: The round that made that model; 0 is genesis.
    """

    def __init__(
        self,
        lineage_id: LineageId,
        sites: Sequence[str],
        backbone_digest: Digest,
        auditor_key: bytes,
        model: tuple[Digest, CID],
        start_round: int,
    ) -> None:
        self.history = History()
        self._lineage_id = lineage_id
        self._number = 0
        key_digest = digest_of("benchmark-key-document")
        account = _account("auditor")
        self._emit(ev.AuditorKeyPublished(AUDITOR_EPOCH, account, public_key_digest(auditor_key), CID.zero()))
        self._emit(ev.AggregatorAdmitted(AGGREGATOR, _account("aggregator-1"), key_digest))
        self._emit(ev.AggregatorSetChanged(1, 1, (AGGREGATOR,)))
        for ordinal, slug in enumerate(sites):
            self._emit(ev.SiteAdmitted(site_id_of(slug), _account(slug), ordinal, key_digest))
            root = consent_root(slug)
            self._emit(ev.ConsentRootPublished(site_id_of(slug), CONSENT_VERSION, root, _FOREVER, 1, 0, 0))
        self._emit(ev.LineageCreated(lineage_id, start_round, *model, backbone_digest, PLAN_SCHEMA, COMMITMENT_SCHEME))

    @property
    def lineage(self) -> LineageView:
        """The lineage as the logs tell it."""
        return self.history.lineages[self._lineage_id]

    def announce(self, number: int, public_key: bytes) -> None:
        """The aggregator's fresh key of a round."""
        digest, cid = public_key_digest(public_key), cid_of_bytes(public_key)
        self._emit(ev.RoundKeyAnnounced(AGGREGATOR, self._lineage_id, number, digest, cid))

    def open(self, plan: RoundPlan) -> RoundView:
        """The aggregator opens a round for all sites."""
        encoded = encode_plan(plan)
        opened = ev.RoundOpened(
            lineage_id=self._lineage_id,
            round=plan.round,
            aggregator_id=AGGREGATOR,
            parent_digest=plan.parent_digest,
            plan_digest=plan_digest(encoded),
            plan_cid=cid_of_bytes(encoded),
            recipients_digest=recipients_digest(plan.recipients),
            deadline=_FOREVER - 1,
            attest_by=_FOREVER,
            min_accepted=plan.min_accepted,
            aggregator_set_version=1,
            selected=selection_words(tuple(self.history.sites.values())),
        )
        self._emit(opened)
        return self.history.round(RoundId(self._lineage_id, plan.round))

    def register(self, view: RoundView, slug: str, sealed: SealedUpdate) -> Registration:
        """A site registers its sealed update."""
        registered = ev.UpdateRegistered(
            lineage_id=self._lineage_id,
            round=view.opened.round,
            site_id=site_id_of(slug),
            index=len(view.registrations),
            envelope_digest=sealed.envelope_digest,
            envelope_cid=sealed.envelope_cid,
            parameters_commitment=sealed.parameters_commitment,
            weight=sealed.weight,
            dataset_root=sealed.dataset_root,
            consent_version=sealed.consent_version,
            commitment_scheme=COMMITMENT_SCHEME,
        )
        self._emit(registered)
        return view.registrations[-1]

    def finalise(self, result: RoundResult) -> None:
        """The result is attested; its model is the lineage's new head."""
        call = result.to_call()
        model = (call.model_digest, call.model_cid, call.state_digest)
        verdicts = (call.verdicts_root, call.verdicts_cid, call.accepted, call.codes)
        self._emit(ev.RoundFinalized(self._lineage_id, call.round, *model, *verdicts))

    def _emit(self, event: ev.LedgerEvent) -> None:
        self._number += 1
        number = self._number.to_bytes(8, "big")
        block, tx = BlockHash(digest_of("benchmark-block", number)), TxHash(digest_of("benchmark-tx", number))
        self.history.apply(ev.LocatedEvent(ev.Position(self._number, 0, block, tx, _START + self._number), event))


def consent_root(slug: str) -> Digest:
    """The root that a site's updates name; nobody's consent is below it."""
    return digest_of("benchmark-consent-root", slug.encode())


def _account(slug: str) -> AccountAddress:
    return AccountAddress(digest_of("benchmark-account", slug.encode())[:20])
