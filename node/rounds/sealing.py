"""From a trained delta to a sealed file and the fields that register it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast

from gateways.whole_files import written_whole
from protocol.canonical_json import JSONValue
from protocol.cid import cid_of_file
from protocol.envelope import BoundContext, seal_envelope
from protocol.history import RoundView
from protocol.identifiers import CID, Digest, SiteId
from protocol.plan import RoundPlan
from protocol.ports import ChainIdentity
from protocol.update import UpdateManifest, delta_digest, encode_delta, encode_update, fresh_salt, update_length

if TYPE_CHECKING:
    from node.rounds.local_training import LocalUpdate


@dataclass(frozen=True, slots=True)
class SealedUpdate:
    """A sealed file's registration, as the journal keeps it."""

    envelope_digest: Digest
    envelope_cid: CID
    parameters_commitment: Digest
    weight: int
    dataset_root: Digest
    consent_version: int
    num_examples: int
    withdrawal_count: int
    """Withdrawals that the store knew when the samples were read."""

    def to_value(self) -> dict[str, JSONValue]:
        """The journal's form."""
        return {
            "envelope_digest": self.envelope_digest.hex(),
            "envelope_cid": str(self.envelope_cid),
            "parameters_commitment": self.parameters_commitment.hex(),
            "weight": self.weight,
            "dataset_root": self.dataset_root.hex(),
            "consent_version": self.consent_version,
            "num_examples": self.num_examples,
            "withdrawal_count": self.withdrawal_count,
        }

    @classmethod
    def from_value(cls, entry: dict[str, JSONValue]) -> SealedUpdate:
        """The registration of the journal's form."""
        return cls(
            envelope_digest=Digest.from_hex(cast("str", entry["envelope_digest"])),
            envelope_cid=CID.from_text(cast("str", entry["envelope_cid"])),
            parameters_commitment=Digest.from_hex(cast("str", entry["parameters_commitment"])),
            weight=cast("int", entry["weight"]),
            dataset_root=Digest.from_hex(cast("str", entry["dataset_root"])),
            consent_version=cast("int", entry["consent_version"]),
            num_examples=cast("int", entry["num_examples"]),
            withdrawal_count=cast("int", entry["withdrawal_count"]),
        )


def seal_update(
    update: LocalUpdate,
    plan: RoundPlan,
    view: RoundView,
    identity: ChainIdentity,
    site_id: SiteId,
    dataset_root: Digest,
    consent: tuple[int, Digest],
    withdrawal_count: int,
    path: Path,
) -> SealedUpdate:
    """Writes the sealed envelope, complete or not at all, and returns what is registered.

    Args:
        update: The trained delta.
        plan: The round's plan.
        view: The round on the chain.
        identity: The deployment.
        site_id: This site.
        dataset_root: Of the samples that were trained on.
        consent: Version and root under which the samples are used.
        withdrawal_count: Withdrawals known when the samples were read.
        path: The envelope's file.

    Raises:
        MalformedError: The delta is out of the plan's range or of other tensors, or a recipient's key is none.
        StoreError: The disk is full or refuses; nothing is left behind.
    """
    encoded = encode_delta(update.delta, plan)
    manifest = UpdateManifest(
        lineage_id=view.opened.lineage_id,
        round=view.opened.round,
        site_id=site_id,
        parent_digest=view.opened.parent_digest,
        plan_digest=view.opened.plan_digest,
        scope=plan.scope,
        num_examples=update.num_examples,
        weight=plan.weight_of(update.num_examples),
        dataset_root=dataset_root,
        consent_root=consent[1],
        consent_version=consent[0],
        delta_digest=delta_digest(encoded),
        commitment_salt=fresh_salt(),
        training=update.report,
    )
    content, context = encode_update(manifest, encoded), _context_of(manifest, view, identity)
    with written_whole(path, path.with_suffix(".partial")) as out:
        envelope_digest = seal_envelope(content, update_length(plan), plan.recipients, context, out)
    return SealedUpdate(
        envelope_digest=envelope_digest,
        envelope_cid=cid_of_file(path),
        parameters_commitment=context.parameters_commitment,
        weight=manifest.weight,
        dataset_root=dataset_root,
        consent_version=manifest.consent_version,
        num_examples=manifest.num_examples,
        withdrawal_count=withdrawal_count,
    )


def _context_of(manifest: UpdateManifest, view: RoundView, identity: ChainIdentity) -> BoundContext:
    return BoundContext(
        chain_id=identity.chain_id,
        contract_address=identity.contract_address,
        lineage_id=manifest.lineage_id,
        round=manifest.round,
        site_id=manifest.site_id,
        parent_digest=manifest.parent_digest,
        plan_digest=manifest.plan_digest,
        recipients_digest=view.opened.recipients_digest,
        parameters_commitment=manifest.parameters_commitment(),
    )
