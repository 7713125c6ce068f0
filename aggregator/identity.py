"""What an aggregator tells the governor before it is admitted: its account, and a digest to read over the phone."""

from __future__ import annotations

from dataclasses import dataclass

from protocol.canonical_json import JSONValue, encode
from protocol.identifiers import AccountAddress, AggregatorId, Digest, aggregator_id_of, digest_of

ACCOUNT_KEY = "account"
"""Name of the account's key in the key ring."""


@dataclass(frozen=True, slots=True)
class AggregatorIdentity:
    """Who an aggregator is on chain. Its HPKE keys are fresh for every round and announced there."""

    aggregator: str
    """Public slug."""
    account: AccountAddress

    @property
    def aggregator_id(self) -> AggregatorId:
        """The id that follows from the slug."""
        return aggregator_id_of(self.aggregator)

    @property
    def key_digest(self) -> Digest:
        """What the governor writes on chain as ``key_digest`` when admitting this aggregator."""
        document: dict[str, JSONValue] = {"version": 1, "aggregator": self.aggregator, "account": self.account.hex()}
        return digest_of("aggregator-key-document", encode(document))
