"""What stands on the chain before any round, as event logs and bytes: members, keys, consent roots, a lineage."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from protocol import ledger_events as ev
from protocol.cid import cid_of_bytes
from protocol.history import History
from protocol.identifiers import (
    CID,
    AccountAddress,
    BlockHash,
    Digest,
    LineageId,
    SiteId,
    TxHash,
    digest_of,
    lineage_id_of,
)
from protocol.parameters import encode_parameters, parameters_digest
from protocol.plan import PLAN_SCHEMA, PlannedTensor, Recipient, auditor_recipient_id
from protocol.recipient_keys import RecipientPrivateKey, public_key_digest
from tests.protocol.values import (
    CONSENT_SECONDS,
    GENESIS_TIME,
    IDENTITY,
    SMALL_TENSORS,
    Aggregator,
    Site,
    account_of,
    random_parameters,
)


@dataclass
class Constituted:
    """Members and a lineage. Times are seconds since 1970; each event is in a block of its own, 1 s later."""

    sites_count: int = 4
    aggregators_count: int = 1
    tensors: tuple[PlannedTensor, ...] = SMALL_TENSORS
    lineage: str = "tests"

    def __post_init__(self) -> None:
        self.identity = IDENTITY
        self.events: list[ev.LocatedEvent] = []
        self.blocks: dict[CID, bytes] = {}
        self.now = GENESIS_TIME
        self.sites = tuple(Site(f"site-{number}", number) for number in range(self.sites_count))
        self.aggregators = tuple(
            Aggregator(f"aggregator-{number}", RecipientPrivateKey.generate())
            for number in range(self.aggregators_count)
        )
        self.auditor_key = RecipientPrivateKey.generate()
        self.model = encode_parameters(random_parameters(self.tensors, seed=1))
        self.backbone_digest = digest_of("test-backbone")
        self.consent_roots: dict[tuple[SiteId, int], Digest] = {}
        self._constitute()

    @property
    def lineage_id(self) -> LineageId:
        return lineage_id_of(self.lineage)

    @property
    def history(self) -> History:
        return History(self.events)

    def recipients(self) -> tuple[Recipient, ...]:
        """All aggregators, then the auditor."""
        recipients = [Recipient("aggregator", Digest(a.aggregator_id), a.key.public_key()) for a in self.aggregators]
        auditor = Recipient("auditor", auditor_recipient_id(1), self.auditor_key.public_key())
        return (*recipients, auditor)

    def emit(self, event: ev.LedgerEvent, *, at: int | None = None) -> ev.Position:
        """Puts an event into the next block, one second later or at a given time."""
        self.now = self.now + 1 if at is None else at
        number = len(self.events) + 1
        block_hash = BlockHash(hashlib.sha256(b"block %d" % number).digest())
        tx_hash = TxHash(hashlib.sha256(b"tx %d" % number).digest())
        position = ev.Position(number, 0, block_hash, tx_hash, self.now)
        self.events.append(ev.LocatedEvent(position, event))
        return position

    def put(self, content: bytes) -> CID:
        """Puts content where IPFS would have it."""
        cid = cid_of_bytes(content)
        self.blocks[cid] = content
        return cid

    def _constitute(self) -> None:
        governor = account_of("governor")
        self.emit(ev.GovernorChanged(AccountAddress.zero(), governor))
        public = self.auditor_key.public_key()
        self.emit(ev.AuditorKeyPublished(1, account_of("auditor"), public_key_digest(public), self.put(public)))
        for aggregator in self.aggregators:
            self.emit(ev.AggregatorAdmitted(aggregator.aggregator_id, aggregator.account, digest_of("test-key")))
        ids = tuple(aggregator.aggregator_id for aggregator in self.aggregators)
        self.emit(ev.AggregatorSetChanged(1, len(ids), ids))
        for site in self.sites:
            self.emit(ev.SiteAdmitted(site.site_id, site.account, site.ordinal, digest_of("test-key")))
            self.publish_consent(site)
        genesis = ev.LineageCreated(
            self.lineage_id,
            0,
            parameters_digest(self.model),
            self.put(self.model),
            self.backbone_digest,
            PLAN_SCHEMA,
            1,
        )
        self.emit(genesis)

    def publish_consent(self, site: Site, *, valid_until: int | None = None) -> int:
        """A site's next consent root; returns its version."""
        version = 1 + max((v for s, v in self.consent_roots if s == site.site_id), default=0)
        root = digest_of("test-consent-root", site.site_id, bytes([version]))
        self.consent_roots[site.site_id, version] = root
        until = self.now + CONSENT_SECONDS if valid_until is None else valid_until
        self.emit(ev.ConsentRootPublished(site.site_id, version, root, until, 1, 0, 0))
        return version

    def withdraw(self, site: Site) -> ev.Position:
        """A site withdraws every version so far."""
        latest = max(v for s, v in self.consent_roots if s == site.site_id)
        return self.emit(ev.ConsentWithdrawn(site.site_id, latest + 1))
