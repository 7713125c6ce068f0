"""What the node's loop works with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gateways.journal import Journal
    from gateways.outbox import Outbox
    from learning.backbone import Backbone
    from node.consent_publication import ConsentPublisher
    from node.global_models import GlobalModels
    from node.local_store import LocalStore
    from node.local_training import Trainer
    from node.round_records import RoundRecords
    from node.sent import SentLog
    from node.settings import NodeSettings
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
    backbone: Backbone
    trainer: Trainer
    models: GlobalModels
    consents: ConsentPublisher
    rounds: RoundRecords
    sent: SentLog
