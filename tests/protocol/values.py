"""Single values for tests: identities, plans, parameters and deltas. ``builders`` makes whole networks of them."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from protocol.cid import cid_of_bytes
from protocol.envelope import BoundContext, seal_envelope
from protocol.identifiers import (
    AccountAddress,
    AggregatorId,
    BlockHash,
    SiteId,
    aggregator_id_of,
    digest_of,
    lineage_id_of,
    site_id_of,
)
from protocol.plan import PlannedTensor, Recipient, RoundPlan, TrainingSettings
from protocol.ports import ChainIdentity
from protocol.recipient_keys import RecipientPrivateKey
from protocol.tensors import TensorShape

GENESIS_TIME = 1_000_000
ROUND_SECONDS = 1_000
CONSENT_SECONDS = 1_000_000

SMALL_TENSORS = (
    PlannedTensor(TensorShape("conv.bias", (3,)), 24),
    PlannedTensor(TensorShape("conv.weight", (3, 2, 2)), 24),
    PlannedTensor(TensorShape("head.weight", (7, 5)), 20),
)
IDENTITY = ChainIdentity(
    chain_id=31337,
    contract_address=AccountAddress(b"\xc0" * 20),
    genesis_block_hash=BlockHash(b"\x01" * 32),
    deployment_block_number=1,
    deployment_block_hash=BlockHash(b"\x02" * 32),
)


@dataclass(frozen=True, slots=True)
class Site:
    """A site of the network under test."""

    slug: str
    ordinal: int

    @property
    def site_id(self) -> SiteId:
        return site_id_of(self.slug)

    @property
    def account(self) -> AccountAddress:
        return account_of(self.slug)


@dataclass(frozen=True, slots=True)
class Aggregator:
    """An aggregator of the network under test, with its key of the current round."""

    slug: str
    key: RecipientPrivateKey

    @property
    def aggregator_id(self) -> AggregatorId:
        return aggregator_id_of(self.slug)

    @property
    def account(self) -> AccountAddress:
        return account_of(self.slug)


def account_of(name: str) -> AccountAddress:
    """A made-up account."""
    return AccountAddress(digest_of("test-account", name.encode())[:20])


def make_plan(recipients: tuple[Recipient, ...], **changes: Any) -> RoundPlan:
    """A plan over ``SMALL_TENSORS``; any field may be given."""
    fields: dict[str, Any] = {
        "lineage_id": lineage_id_of("tests"),
        "round": 1,
        "parent_digest": digest_of("test-parent"),
        "parent_cid": cid_of_bytes(b"parent"),
        "backbone_digest": digest_of("test-backbone"),
        "scope": "last-conv",
        "tensors": SMALL_TENSORS,
        "weighting": "num_examples",
        "max_weight": 64,
        "examples_per_weight": 50,
        "max_abs": 2**30,
        "max_norm": "100",
        "near_duplicate_cosine": "0.95",
        "min_accepted": 3,
        "max_envelope_bytes": 64 << 20,
        "fetch_timeout_seconds": 60,
        "strategy": "fedavg",
        "training": TrainingSettings(epochs=1, batch_size=32, learning_rate="0.002", clip_norm="5", seed=7),
        "recipients": recipients,
        "max_rounds": 0,
    }
    return RoundPlan(**(fields | changes))


def random_parameters(tensors: Sequence[PlannedTensor], seed: int) -> dict[str, np.ndarray]:
    """float32 parameters of a model."""
    rng = np.random.default_rng(seed)
    return {t.shape.name: rng.normal(size=t.shape.shape).astype(np.float32) for t in tensors}


def random_delta(tensors: Sequence[PlannedTensor], seed: int, scale: float = 0.01) -> dict[str, np.ndarray]:
    """A float64 delta; two seeds give almost orthogonal ones."""
    rng = np.random.default_rng(seed)
    return {t.shape.name: rng.normal(scale=scale, size=t.shape.shape) for t in tensors}


def seal_bytes(plain: bytes, recipients: Sequence[Recipient], context: BoundContext) -> bytes:
    """A sealed envelope in memory."""
    out = io.BytesIO()
    seal_envelope(io.BytesIO(plain), len(plain), recipients, context, out)
    return out.getvalue()
