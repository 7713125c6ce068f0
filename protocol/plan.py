"""The round plan (docs/spec/plan.md): everything that a site, an aggregator and an auditor must agree on.

Canonical JSON, pinned on IPFS; its digest is on chain in ``RoundOpened`` and inside every envelope's bound context.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from fractions import Fraction
from typing import Literal, TypeAlias, cast

from protocol.canonical_json import JSONValue, encode, expect_int, expect_list, expect_object, expect_str, parse
from protocol.errors import MalformedError
from protocol.fixed_point import MAX_SCALE_BITS
from protocol.identifiers import CID, Digest, LineageId, digest_of
from protocol.recipient_keys import PUBLIC_KEY_BYTES
from protocol.tensors import TensorShape, check_order, value_count

PLAN_VERSION = 1
MAX_PLAN_BYTES = 4 << 20
MAX_SITES = 256
MAX_TOTAL_WEIGHT = 2**28
MAX_VALUES = 2**31
"""Federated values of a model: 8 GiB of update, far below the envelope's 2^32 chunks."""
STRATEGIES = frozenset({"fedavg"})
"""The weighted mean (docs/spec/aggregation.md)."""
PLAN_SCHEMA = digest_of("plan-schema", b"1")
"""Named by a lineage's genesis: which plans its rounds may have."""

_DECIMAL = re.compile(r"(0|[1-9][0-9]{0,8})(\.[0-9]{1,10})?")
_WORD = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")

Weighting: TypeAlias = Literal["equal", "num_examples"]
Role: TypeAlias = Literal["aggregator", "auditor"]


@dataclass(frozen=True, slots=True)
class PlannedTensor:
    """A federated tensor and its fixed-point scale 2^-scale_bits."""

    shape: TensorShape
    scale_bits: int


@dataclass(frozen=True, slots=True)
class Recipient:
    """Who can open the round's envelopes."""

    role: Role
    recipient_id: Digest
    """AggregatorId bytes, or for the auditor the digest of its epoch (``auditor_recipient_id``)."""
    public_key: bytes
    """ML-KEM-768 + X25519 public key, 1,216 bytes (docs/spec/envelope.md)."""


@dataclass(frozen=True, slots=True)
class TrainingSettings:
    """How every site trains. Decimal numbers are strings because canonical JSON has no floats."""

    epochs: int
    batch_size: int
    learning_rate: str
    clip_norm: str
    seed: int


@dataclass(frozen=True, slots=True)
class RoundPlan:
    """One round's plan."""

    lineage_id: LineageId
    round: int
    parent_digest: Digest
    parent_cid: CID
    backbone_digest: Digest
    scope: str
    tensors: tuple[PlannedTensor, ...]
    weighting: Weighting
    max_weight: int
    """Cap on one site's weight, 1..2^20 - 1."""
    examples_per_weight: int
    """With ``num_examples`` weighting: weight = ceil(num_examples / this), capped."""
    max_abs: int
    """Greatest magnitude of a fixed-point value, below 2^31."""
    max_norm: str
    """Greatest Euclidean norm of a delta, a decimal in the parameters' own unit."""
    near_duplicate_cosine: str
    """Deltas whose cosine reaches this are near duplicates; a decimal in 0..1."""
    min_accepted: int
    max_envelope_bytes: int
    fetch_timeout_seconds: int
    strategy: str
    training: TrainingSettings
    recipients: tuple[Recipient, ...]
    max_rounds: int
    """Stop rule: no round after this one; 0 means no end."""

    def __post_init__(self) -> None:
        check_order(self.shapes)
        if value_count(self.shapes) > MAX_VALUES:
            raise MalformedError(f"the plan federates more than {MAX_VALUES} values")
        if not _WORD.fullmatch(self.scope):
            raise MalformedError("the plan's scope is no lower-case word")
        if self.strategy not in STRATEGIES:
            raise MalformedError(f"strategy {self.strategy!r:.80} is not known")
        if not all(0 <= tensor.scale_bits <= MAX_SCALE_BITS for tensor in self.tensors):
            raise MalformedError(f"a tensor's scale_bits are not within 0..{MAX_SCALE_BITS}")
        if not 1 <= self.max_abs < 2**31:
            raise MalformedError("max_abs is not within 1..2^31-1")
        if not 1 <= self.max_weight < MAX_TOTAL_WEIGHT // MAX_SITES:
            raise MalformedError("max_weight is out of bounds: the sum of weights must stay below 2^28")
        if self.examples_per_weight < 1 or self.min_accepted < 1:
            raise MalformedError("examples_per_weight and min_accepted are at least 1")
        _decimal(self.max_norm)
        if not 0 < _decimal(self.near_duplicate_cosine) <= 1:
            raise MalformedError("near_duplicate_cosine is not within 0..1")
        self._check_recipients()

    def _check_recipients(self) -> None:
        if not any(recipient.role == "aggregator" for recipient in self.recipients):
            raise MalformedError("the plan names no aggregator's key")
        if len(self.recipients) > MAX_SITES:
            raise MalformedError(f"the plan names more than {MAX_SITES} recipients")
        keys = {recipient.public_key for recipient in self.recipients}
        if len(keys) != len(self.recipients) or {len(key) for key in keys} != {PUBLIC_KEY_BYTES}:
            raise MalformedError("a recipient's public key occurs twice or has a wrong length")

    @property
    def shapes(self) -> tuple[TensorShape, ...]:
        """Names and shapes of the federated tensors, sorted by name."""
        return tuple(tensor.shape for tensor in self.tensors)

    def weight_of(self, num_examples: int) -> int:
        """The weight that the plan's rule gives to an update (the paper's pseudo-code is ``equal``)."""
        if self.weighting == "equal":
            return 1
        return min(self.max_weight, max(1, -(-num_examples // self.examples_per_weight)))

    def max_norm_squared(self) -> Fraction:
        """Square of ``max_norm``, exact."""
        return _decimal(self.max_norm) ** 2

    def cosine_threshold(self) -> Fraction:
        """``near_duplicate_cosine``, exact."""
        return _decimal(self.near_duplicate_cosine)


def auditor_recipient_id(epoch: int) -> Digest:
    """The auditor's recipient id of an epoch."""
    return digest_of("auditor-epoch", epoch.to_bytes(4, "big"))


def recipients_digest(recipients: tuple[Recipient, ...]) -> Digest:
    """Digest of the recipient list, on chain in ``RoundOpened``."""
    return digest_of("recipients", encode([_recipient_value(recipient) for recipient in recipients]))


def encode_plan(plan: RoundPlan) -> bytes:
    """The one encoding of a plan."""
    return encode(
        {
            "version": PLAN_VERSION,
            "lineage_id": plan.lineage_id.hex(),
            "round": plan.round,
            "parent_digest": plan.parent_digest.hex(),
            "parent_cid": str(plan.parent_cid),
            "backbone_digest": plan.backbone_digest.hex(),
            "scope": plan.scope,
            "tensors": [
                {"name": t.shape.name, "shape": list(t.shape.shape), "scale_bits": t.scale_bits} for t in plan.tensors
            ],
            "weighting": plan.weighting,
            "max_weight": plan.max_weight,
            "examples_per_weight": plan.examples_per_weight,
            "max_abs": plan.max_abs,
            "max_norm": plan.max_norm,
            "near_duplicate_cosine": plan.near_duplicate_cosine,
            "min_accepted": plan.min_accepted,
            "max_envelope_bytes": plan.max_envelope_bytes,
            "fetch_timeout_seconds": plan.fetch_timeout_seconds,
            "strategy": plan.strategy,
            "training": {
                "epochs": plan.training.epochs,
                "batch_size": plan.training.batch_size,
                "learning_rate": plan.training.learning_rate,
                "clip_norm": plan.training.clip_norm,
                "seed": plan.training.seed,
            },
            "recipients": [_recipient_value(recipient) for recipient in plan.recipients],
            "max_rounds": plan.max_rounds,
        }
    )


def parse_plan(data: bytes) -> RoundPlan:
    """The plan of canonical bytes.

    Raises:
        MalformedError: Not the one encoding of a plan, another version, or a field out of bounds.
    """
    if len(data) > MAX_PLAN_BYTES:
        raise MalformedError(f"the plan is longer than {MAX_PLAN_BYTES} bytes")
    found = expect_object(parse(data), _PLAN_KEYS)
    if found["version"] != PLAN_VERSION:
        raise MalformedError(f"plan version {found['version']} is not known")
    weighting = expect_str(found["weighting"])
    if weighting not in {"equal", "num_examples"}:
        raise MalformedError(f"weighting {weighting!r} is not known")
    plan = RoundPlan(
        lineage_id=LineageId.from_hex(expect_str(found["lineage_id"])),
        round=expect_int(found["round"], low=1),
        parent_digest=Digest.from_hex(expect_str(found["parent_digest"])),
        parent_cid=CID.from_text(expect_str(found["parent_cid"])),
        backbone_digest=Digest.from_hex(expect_str(found["backbone_digest"])),
        scope=expect_str(found["scope"]),
        tensors=tuple(_parse_tensor(item) for item in expect_list(found["tensors"])),
        weighting=cast("Weighting", weighting),
        max_weight=expect_int(found["max_weight"]),
        examples_per_weight=expect_int(found["examples_per_weight"]),
        max_abs=expect_int(found["max_abs"]),
        max_norm=expect_str(found["max_norm"]),
        near_duplicate_cosine=expect_str(found["near_duplicate_cosine"]),
        min_accepted=expect_int(found["min_accepted"]),
        max_envelope_bytes=expect_int(found["max_envelope_bytes"]),
        fetch_timeout_seconds=expect_int(found["fetch_timeout_seconds"]),
        strategy=expect_str(found["strategy"]),
        training=_parse_training(found["training"]),
        recipients=tuple(_parse_recipient(item) for item in expect_list(found["recipients"])),
        max_rounds=expect_int(found["max_rounds"]),
    )
    if encode_plan(plan) != data:
        raise MalformedError("the plan is not in its canonical form")
    return plan


def plan_digest(encoded: bytes) -> Digest:
    """Digest of an encoded plan."""
    return digest_of("plan", encoded)


_PLAN_KEYS = frozenset({"version", *(field.name for field in fields(RoundPlan))})


def _recipient_value(recipient: Recipient) -> Mapping[str, JSONValue]:
    return {
        "role": recipient.role,
        "id": recipient.recipient_id.hex(),
        "public_key": base64.b64encode(recipient.public_key).decode("ascii"),
    }


def _parse_recipient(value: JSONValue) -> Recipient:
    found = expect_object(value, frozenset({"role", "id", "public_key"}))
    role = expect_str(found["role"])
    if role not in {"aggregator", "auditor"}:
        raise MalformedError(f"recipient role {role!r} is not known")
    try:
        public_key = base64.b64decode(expect_str(found["public_key"]), validate=True)
    except ValueError as error:
        raise MalformedError("a recipient's public key is not base64") from error
    return Recipient(cast("Role", role), Digest.from_hex(expect_str(found["id"])), public_key)


def _parse_tensor(value: JSONValue) -> PlannedTensor:
    found = expect_object(value, frozenset({"name", "shape", "scale_bits"}))
    shape = tuple(expect_int(size, low=1) for size in expect_list(found["shape"]))
    return PlannedTensor(TensorShape(expect_str(found["name"]), shape), expect_int(found["scale_bits"]))


def _parse_training(value: JSONValue) -> TrainingSettings:
    found = expect_object(value, frozenset({"epochs", "batch_size", "learning_rate", "clip_norm", "seed"}))
    settings = TrainingSettings(
        epochs=expect_int(found["epochs"], low=1, high=10_000),
        batch_size=expect_int(found["batch_size"], low=1, high=65_536),
        learning_rate=expect_str(found["learning_rate"]),
        clip_norm=expect_str(found["clip_norm"]),
        seed=expect_int(found["seed"]),
    )
    _decimal(settings.learning_rate)
    _decimal(settings.clip_norm)
    return settings


def _decimal(text: str) -> Fraction:
    """A positive decimal below 10^9 with at most 10 places; no exponent, no sign."""
    if not _DECIMAL.fullmatch(text) or not (value := Fraction(text)):
        raise MalformedError(f"{text!r:.80} is no positive decimal number")
    return value
