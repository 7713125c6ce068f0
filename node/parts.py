"""What the node's loop works with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gateways.journal import Journal
    from gateways.outbox import Outbox
    from node.consent.publication import ConsentPublisher
    from node.rounds.global_models import GlobalModels
    from node.rounds.records import RoundRecords
    from node.rounds.trainers import Trainers
    from node.sent import SentLog
    from node.settings import NodeSettings
    from node.store.local_store import LocalStore
    from protocol.identifiers import AccountAddress, SiteId
    from protocol.ports import BlockStore, ChainIdentity


@dataclass(frozen=True, slots=True)
class SiteParts:
    """One site, opened for rounds."""

    settings: NodeSettings
    site_id: SiteId
    account: AccountAddress
    """Of the key in the keystore; the chain may know another after a rotation."""
    identity: ChainIdentity
    journal: Journal
    store: LocalStore
    audit_key: bytes
    outbox: Outbox
    block_store: BlockStore
    trainers: Trainers
    """One for each backbone and scope of its lineages."""
    models: GlobalModels
    consents: ConsentPublisher
    rounds: RoundRecords
    sent: SentLog
