"""Verification of one update, numbered as in docs/spec/verification.md.

A function verifies by returning a ``VerifiedUpdate`` or raising ``VerificationError``, never a bool; only a
``VerifiedUpdate`` can be summed. Aggregator and auditor run this same code. Memory: a few chunks of 1 MiB.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np
import numpy.typing as npt

from protocol.cid import CIDBuilder
from protocol.envelope import CHUNK_BYTES, BoundContext, OpenedEnvelope, open_envelope
from protocol.errors import MalformedError, VerificationError
from protocol.history import History, Registration, RoundView
from protocol.identifiers import Digest, digest_state
from protocol.ledger_events import UpdateRegistered
from protocol.plan import RoundPlan, encode_plan, plan_digest, recipients_digest
from protocol.ports import ChainIdentity
from protocol.recipient_keys import RecipientPrivateKey
from protocol.similarity import squared_norm
from protocol.tensors import encode_header
from protocol.update import MANIFEST_AREA_BYTES, UpdateManifest, data_offset, parse_manifest_area, update_length
from protocol.verdicts import VerdictCode

COMMITMENT_SCHEME = 1
"""1 = salted digest of the delta (``UpdateManifest.parameters_commitment``)."""
_SEALED = object()


@dataclass(frozen=True, slots=True)
class RoundContext:
    """What a verification needs besides the envelope: the chain's word and the plan that it names."""

    identity: ChainIdentity
    history: History
    view: RoundView
    plan: RoundPlan

    def __post_init__(self) -> None:
        opened = self.view.opened
        if plan_digest(encode_plan(self.plan)) != opened.plan_digest:
            raise MalformedError("the plan is not the one that the round names")
        if (self.plan.lineage_id, self.plan.round) != (opened.lineage_id, opened.round):
            raise MalformedError("the plan was made for another round")
        if self.plan.parent_digest != opened.parent_digest or self.plan.min_accepted != opened.min_accepted:
            raise MalformedError("the plan and the round differ in parent or minAccepted")
        if recipients_digest(self.plan.recipients) != opened.recipients_digest:
            raise MalformedError("the plan's recipients are not those that the round names")

    def bound_context(self, event: UpdateRegistered) -> BoundContext:
        """Where an update of this round must belong."""
        opened = self.view.opened
        return BoundContext(
            chain_id=self.identity.chain_id,
            contract_address=self.identity.contract_address,
            lineage_id=opened.lineage_id,
            round=opened.round,
            site_id=event.site_id,
            parent_digest=opened.parent_digest,
            plan_digest=opened.plan_digest,
            recipients_digest=opened.recipients_digest,
            parameters_commitment=event.parameters_commitment,
        )


class VerifiedUpdate:
    """An update that passed every step that looks at it alone. Made by ``verify_update`` and by nothing else."""

    __slots__ = ("_opened", "_plan", "manifest", "registration", "squared_norm")

    def __init__(
        self,
        token: object,
        registration: Registration,
        manifest: UpdateManifest,
        opened: OpenedEnvelope,
        plan: RoundPlan,
        squared_norm: int,
    ) -> None:
        if token is not _SEALED:
            raise RuntimeError("a VerifiedUpdate is made by verify_update only")
        self.registration = registration
        self.manifest = manifest
        self.squared_norm = squared_norm
        self._opened = opened
        self._plan = plan

    @property
    def index(self) -> int:
        """Order of registration in the round."""
        return self.registration.event.index

    @property
    def chunk_count(self) -> int:
        """Chunks that hold values or what stands before them."""
        return self._opened.chunk_count

    def values(self, chunk: int) -> npt.NDArray[np.int32]:
        """The fixed-point values in one chunk; the same slice of the parameters for every update of the round.

        The caller overwrites the array after use.
        """
        return _values_of(self._opened.chunk(chunk), chunk, data_offset(self._plan))


def verify_update(
    stream: BinaryIO, registration: Registration, context: RoundContext, key: RecipientPrivateKey
) -> VerifiedUpdate:
    """Steps 1 to 9 and 11 for one update. Step 10 compares updates: ``duplicates.find_duplicates``.

    Args:
        stream: The fetched envelope, seekable; stays open as long as the result is used.
        registration: What the chain says of it.
        context: The round.
        key: A recipient's private key.

    Raises:
        VerificationError: Refused; ``code`` says which step and why.
    """
    event, plan = registration.event, context.plan
    if event.index in context.view.revoked:
        raise VerificationError(VerdictCode.REVOKED, "the site took its update back")
    # 1 fetched within size limits (time is the fetch's)
    if stream.seek(0, os.SEEK_END) > plan.max_envelope_bytes:
        raise VerificationError(VerdictCode.TOO_LARGE, "the envelope is longer than the plan allows")
    # 2 CID and envelope digest
    _check_content(stream, event)
    # 3 format version, 4 opens in this context with the committed key
    if event.commitment_scheme != COMMITMENT_SCHEME:
        raise VerificationError(VerdictCode.VERSION_UNKNOWN, "the commitment scheme is not known")
    opened = open_envelope(stream, key, plan.recipients, context.bound_context(event))
    if opened.header.content_length != update_length(plan):
        raise VerificationError(VerdictCode.TENSORS_MISMATCH, "the update has another length than the plan's tensors")
    # 5 commitment, 6 manifest, 7 tensors and range: one pass over the chunks
    manifest, digest, norm = _read_update(opened, plan)
    if manifest.delta_digest != digest or manifest.parameters_commitment() != event.parameters_commitment:
        raise VerificationError(VerdictCode.COMMITMENT_MISMATCH, "the commitment does not open to the parameters")
    _check_manifest(manifest, event, context)
    # 8 weight
    if event.weight != plan.weight_of(manifest.num_examples):
        raise VerificationError(VerdictCode.WEIGHT_RULE_BROKEN, "the weight does not follow the plan's rule")
    # 9 norm
    if norm > plan.max_norm_squared() * 4 ** max(tensor.scale_bits for tensor in plan.tensors):
        raise VerificationError(VerdictCode.NORM_TOO_LARGE, "the delta is longer than the plan's bound")
    # 11 consent in force at registration and not withdrawn by close
    root = context.history.check_consent(registration, context.view)
    if root != manifest.consent_root:
        raise VerificationError(VerdictCode.MANIFEST_MISMATCH, "the manifest names another consent root")
    return VerifiedUpdate(_SEALED, registration, manifest, opened, plan, norm)


def _check_content(stream: BinaryIO, event: UpdateRegistered) -> None:
    stream.seek(0)
    builder, state = CIDBuilder(), digest_state("envelope")
    while block := stream.read(CHUNK_BYTES):
        builder.update(block)
        state.update(block)
    if builder.finish() != event.envelope_cid:
        raise VerificationError(VerdictCode.CID_MISMATCH, "the bytes are not those of the registered CID")
    if state.digest() != event.envelope_digest:
        raise VerificationError(VerdictCode.ENVELOPE_DIGEST_MISMATCH, "the bytes are not those of the digest")


def _read_update(opened: OpenedEnvelope, plan: RoundPlan) -> tuple[UpdateManifest, Digest, int]:
    """One pass: manifest, digest of the delta, exact squared norm at the plan's finest scale."""
    start = data_offset(plan)
    state = digest_state("delta")
    head = bytearray()
    norm, position = 0, 0
    runs = scale_runs(plan)
    for index, chunk in enumerate(opened.chunks()):
        if len(head) < start:
            head += chunk[: start - len(head)]
        skip = max(0, MANIFEST_AREA_BYTES - index * CHUNK_BYTES)
        state.update(memoryview(chunk)[skip:])
        values = _values_of(chunk, index, start)
        if values.size and not -plan.max_abs <= int(values.min()) <= int(values.max()) <= plan.max_abs:
            raise VerificationError(VerdictCode.VALUE_OUT_OF_RANGE, "a value is outside the plan's range")
        norm += sum(factor * squared_norm(part) for part, factor in split_runs(values, position, runs))
        position += values.size
        values[:] = 0
    if bytes(head[MANIFEST_AREA_BYTES:]) != encode_header(plan.shapes, "I32"):
        raise VerificationError(VerdictCode.TENSORS_MISMATCH, "names, shapes or dtypes are not the plan's")
    try:
        manifest = parse_manifest_area(bytes(head[:MANIFEST_AREA_BYTES]))
    except MalformedError as error:
        raise VerificationError(VerdictCode.MANIFEST_MALFORMED, str(error)) from error
    return manifest, Digest(state.digest()), norm


def _check_manifest(manifest: UpdateManifest, event: UpdateRegistered, context: RoundContext) -> None:
    opened = context.view.opened
    said = (
        manifest.lineage_id,
        manifest.round,
        manifest.site_id,
        manifest.parent_digest,
        manifest.plan_digest,
        manifest.scope,
        manifest.weight,
        manifest.dataset_root,
        manifest.consent_version,
    )
    registered = (
        event.lineage_id,
        event.round,
        event.site_id,
        opened.parent_digest,
        opened.plan_digest,
        context.plan.scope,
        event.weight,
        event.dataset_root,
        event.consent_version,
    )
    if said != registered:
        raise VerificationError(VerdictCode.MANIFEST_MISMATCH, "the manifest says something else than the registration")


def _values_of(chunk: bytearray, index: int, start: int) -> npt.NDArray[np.int32]:
    offset = min(len(chunk), max(0, start - index * CHUNK_BYTES))
    return np.frombuffer(chunk, dtype="<i4", offset=offset) if offset < len(chunk) else np.empty(0, np.int32)


def scale_runs(plan: RoundPlan) -> list[tuple[int, int, int]]:
    """Runs of tensors with one scale, as (first value, end, factor of a product: 4^(finest − scale))."""
    finest = max(tensor.scale_bits for tensor in plan.tensors)
    runs: list[tuple[int, int, int]] = []
    start = 0
    for tensor in plan.tensors:
        end = start + tensor.shape.count
        factor = 4 ** (finest - tensor.scale_bits)
        if runs and runs[-1][2] == factor:
            runs[-1] = (runs[-1][0], end, factor)
        else:
            runs.append((start, end, factor))
        start = end
    return runs


def split_runs(
    values: npt.NDArray[np.int32], position: int, runs: list[tuple[int, int, int]]
) -> Iterator[tuple[npt.NDArray[np.int32], int]]:
    """Cuts values into the runs of one scale, along the last axis.

    Args:
        values: int32, shape [k] or [n, k].
        position: Where the first column stands among all values of the parameters.
        runs: From ``scale_runs``.
    """
    for start, end, factor in runs:
        part = values[..., max(0, start - position) : max(0, end - position)]
        if part.size:
            yield part, factor
