"""A local update (docs/spec/update.md): a manifest area of 8 KiB, then the fixed-point delta.

The area has one length so that the values of all sites' updates stand at the same offsets: the aggregator sums chunk
by chunk and its memory does not grow with the number of sites.
"""

from __future__ import annotations

import io
import os
import struct
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from protocol.canonical_json import encode, expect_int, expect_object, expect_str, parse
from protocol.errors import MalformedError
from protocol.fixed_point import quantise
from protocol.identifiers import Digest, LineageId, SiteId, digest_of
from protocol.plan import RoundPlan
from protocol.tensors import encode_header

UPDATE_VERSION = 1
MANIFEST_AREA_BYTES = 8192
_LENGTH = struct.Struct("<I")


@dataclass(frozen=True, slots=True)
class TrainingReport:
    """What the site says of its training; nobody can check it (docs/threat-model.md)."""

    epochs: int
    seconds: int
    first_loss: str
    """Decimal, 6 places."""
    last_loss: str
    """Decimal, 6 places."""


@dataclass(frozen=True, slots=True)
class UpdateManifest:
    """What an update says of itself; step 6 of the verification compares it with the registration."""

    lineage_id: LineageId
    round: int
    site_id: SiteId
    parent_digest: Digest
    plan_digest: Digest
    scope: str
    num_examples: int
    weight: int
    dataset_root: Digest
    consent_root: Digest
    consent_version: int
    delta_digest: Digest
    commitment_salt: Digest
    training: TrainingReport

    def parameters_commitment(self) -> Digest:
        """The commitment that is registered on chain (scheme 1: salted digest of the delta)."""
        return digest_of("parameters-commitment", self.commitment_salt, self.delta_digest)


def fresh_salt() -> Digest:
    """32 bytes of the operating system's randomness for a commitment."""
    return Digest(os.urandom(32))


def encode_delta(delta: Mapping[str, npt.NDArray[np.float32] | npt.NDArray[np.float64]], plan: RoundPlan) -> bytes:
    """A delta in fixed point, in the layout of ``tensors`` with dtype I32.

    Args:
        delta: Name → float32 or float64 array, new − parent.
        plan: Says names, shapes, scales and range.

    Raises:
        MalformedError: Other tensors than the plan's, or a value that is not finite or out of range.
    """
    if sorted(delta) != [shape.name for shape in plan.shapes]:
        raise MalformedError("the delta's tensors are not the plan's")
    pieces = [encode_header(plan.shapes, "I32")]
    for tensor in plan.tensors:
        values = delta[tensor.shape.name]
        if values.shape != tensor.shape.shape:
            raise MalformedError(f"{tensor.shape.name} has another shape than the plan says")
        fixed = quantise(values, scale_bits=tensor.scale_bits, max_abs=plan.max_abs)
        pieces.append(np.ascontiguousarray(fixed, dtype="<i4").tobytes())
    return b"".join(pieces)


def delta_digest(encoded: bytes) -> Digest:
    """Digest of an encoded delta: names, dtypes, shapes and data."""
    return digest_of("delta", encoded)


def encode_update(manifest: UpdateManifest, encoded_delta: bytes) -> io.BytesIO:
    """The plaintext of an envelope: manifest area, then delta.

    Raises:
        MalformedError: The manifest does not fit its area.
    """
    body = _encode_manifest(manifest)
    if len(body) > MANIFEST_AREA_BYTES - _LENGTH.size:
        raise MalformedError("the manifest does not fit its area")
    area = (_LENGTH.pack(len(body)) + body).ljust(MANIFEST_AREA_BYTES, b"\x00")
    return io.BytesIO(area + encoded_delta)


def update_length(plan: RoundPlan) -> int:
    """Bytes of every update's plaintext under a plan."""
    return data_offset(plan) + 4 * sum(shape.count for shape in plan.shapes)


def data_offset(plan: RoundPlan) -> int:
    """Offset of the first value in every update's plaintext under a plan."""
    return MANIFEST_AREA_BYTES + len(encode_header(plan.shapes, "I32"))


def parse_manifest_area(area: bytes) -> UpdateManifest:
    """The manifest of the first 8 KiB of an update.

    Raises:
        MalformedError: Not the one encoding of a manifest followed by zeros.
    """
    if len(area) != MANIFEST_AREA_BYTES:
        raise MalformedError("truncated within the manifest area")
    (length,) = _LENGTH.unpack_from(area)
    if length > MANIFEST_AREA_BYTES - _LENGTH.size or any(area[_LENGTH.size + length :]):
        raise MalformedError("the manifest area is not a manifest followed by zeros")
    body = area[_LENGTH.size : _LENGTH.size + length]
    # What NFC is depends on a party's Unicode tables; a manifest must be the same for everyone.
    if not body.isascii():
        raise MalformedError("the manifest holds a character that is not ASCII")
    fields = expect_object(parse(body), _MANIFEST_KEYS)
    if fields["version"] != UPDATE_VERSION:
        raise MalformedError(f"update version {fields['version']} is not known")
    training = expect_object(fields["training"], _TRAINING_KEYS)
    manifest = UpdateManifest(
        lineage_id=LineageId.from_hex(expect_str(fields["lineage_id"])),
        round=expect_int(fields["round"], low=1),
        site_id=SiteId.from_hex(expect_str(fields["site_id"])),
        parent_digest=Digest.from_hex(expect_str(fields["parent_digest"])),
        plan_digest=Digest.from_hex(expect_str(fields["plan_digest"])),
        scope=expect_str(fields["scope"]),
        num_examples=expect_int(fields["num_examples"], low=1),
        weight=expect_int(fields["weight"], low=1),
        dataset_root=Digest.from_hex(expect_str(fields["dataset_root"])),
        consent_root=Digest.from_hex(expect_str(fields["consent_root"])),
        consent_version=expect_int(fields["consent_version"], low=1),
        delta_digest=Digest.from_hex(expect_str(fields["delta_digest"])),
        commitment_salt=Digest.from_hex(expect_str(fields["commitment_salt"])),
        training=TrainingReport(
            epochs=expect_int(training["epochs"]),
            seconds=expect_int(training["seconds"]),
            first_loss=expect_str(training["first_loss"]),
            last_loss=expect_str(training["last_loss"]),
        ),
    )
    if _encode_manifest(manifest) != body:
        raise MalformedError("the manifest is not in its canonical form")
    return manifest


def _encode_manifest(manifest: UpdateManifest) -> bytes:
    return encode(
        {
            "version": UPDATE_VERSION,
            "lineage_id": manifest.lineage_id.hex(),
            "round": manifest.round,
            "site_id": manifest.site_id.hex(),
            "parent_digest": manifest.parent_digest.hex(),
            "plan_digest": manifest.plan_digest.hex(),
            "scope": manifest.scope,
            "num_examples": manifest.num_examples,
            "weight": manifest.weight,
            "dataset_root": manifest.dataset_root.hex(),
            "consent_root": manifest.consent_root.hex(),
            "consent_version": manifest.consent_version,
            "delta_digest": manifest.delta_digest.hex(),
            "commitment_salt": manifest.commitment_salt.hex(),
            "training": {
                "epochs": manifest.training.epochs,
                "seconds": manifest.training.seconds,
                "first_loss": manifest.training.first_loss,
                "last_loss": manifest.training.last_loss,
            },
        }
    )


_MANIFEST_KEYS = frozenset(
    {
        "version",
        "lineage_id",
        "round",
        "site_id",
        "parent_digest",
        "plan_digest",
        "scope",
        "num_examples",
        "weight",
        "dataset_root",
        "consent_root",
        "consent_version",
        "delta_digest",
        "commitment_salt",
        "training",
    }
)
_TRAINING_KEYS = frozenset({"epochs", "seconds", "first_loss", "last_loss"})
