"""What auditors hand to each other, made on a real chain: a proof file, a bundle, and checkpoints that sites signed."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from audit.bundle.checking import verify_bundle
from audit.proofs.checking import check_proof
from audit.proofs.cosigned import by_block, disagreement, require_cosigned, statements_of
from audit.proofs.cosigners import Cosigners, SiteAccount
from audit.proofs.proof_file import ProofFile, encode_proof_file, parse_proof_file
from audit.proofs.proving import prove_events
from audit.replay import ReplayOptions
from protocol import ledger_events as ev
from protocol.account_signatures import account_of
from protocol.checkpoint import Checkpoint
from protocol.cosigning import CosignedCheckpoint, cosign, encode_cosigned, parse_cosigned
from protocol.errors import AuditError, MalformedError
from protocol.identifiers import BlockHash, site_id_of
from tests.audit.bundle.stage import Parts, Stage, stage_of
from tests.audit.stage import LIMITS
from tests.tamper.detecting import Found, lines_of

KEYS = {f"site-{number}": bytes([number + 1]) * 32 for number in range(4)}
"""Secret keys of the sites' accounts; the last site's account is not on the list."""
SITES = tuple(KEYS)[:3]


@dataclass
class Evidence:
    """Files, and what their reader trusts. A mutation changes it in place."""

    proof: ProofFile
    parts: Parts
    note: CosignedCheckpoint
    checkpoint: Checkpoint
    """Trusted by the reader."""
    cosigners: Cosigners
    """Trusted by the reader."""
    fields: dict[str, Any] = field(default_factory=dict)
    """Of the bundle's manifest, to be written otherwise."""
    spoil: Callable[[bytes], bytes] = bytes
    """Changes the bundle's bytes after it was written."""
    other_note: CosignedCheckpoint | None = None
    """A second note that is handed over beside the first."""

    def copy(self) -> Evidence:
        return dataclasses.replace(
            self, parts=dataclasses.replace(self.parts, contents=dict(self.parts.contents)), fields=dict(self.fields)
        )

    def change_event(self, place: int = 0, **fields: Any) -> None:
        """Other fields for an event of the proof file."""
        events = list(self.proof.events)
        events[place] = dataclasses.replace(events[place], **fields)
        self.change_proof(events=tuple(events))

    def change_proof(self, **fields: Any) -> None:
        """Other fields for the proof file."""
        self.proof = dataclasses.replace(self.proof, **fields)

    def sign(self, *sites: str, checkpoint: Checkpoint | None = None, key: bytes | None = None) -> CosignedCheckpoint:
        """A note that sites sign."""
        body = checkpoint or self.note.checkpoint
        return CosignedCheckpoint(body, tuple(cosign(body, site, key or KEYS[site]) for site in sites))

    @property
    def rewritten(self) -> Checkpoint:
        """The same block number in another history."""
        return dataclasses.replace(self.note.checkpoint, block_hash=BlockHash(b"\x07" * 32))


@contextmanager
def made_evidence(folder: Path) -> Iterator[Evidence]:
    """Two rounds of three sites, and what is made of them."""
    with stage_of(folder, rounds=2) as stage:
        checkpoint = stage.checkpoint
        bundle = folder / "bundle"
        stage.make(bundle)
        accounts = tuple(SiteAccount(site_id_of(site), account_of(KEYS[site]), None) for site in SITES)
        proof = prove_events(_proven(stage), checkpoint, stage.blocks)
        note = CosignedCheckpoint(checkpoint, tuple(cosign(checkpoint, site, KEYS[site]) for site in SITES))
        yield Evidence(proof, Parts.of(bundle), note, checkpoint, Cosigners(checkpoint, accounts))


def _proven(stage: Stage) -> list[ev.LocatedEvent]:
    """A site's registration, and the verdict on it."""
    view = stage.network.round(1)
    registration = view.registrations[1]
    assert view.outcome is not None
    assert view.outcome_at is not None
    return [
        ev.LocatedEvent(registration.position, registration.event),
        ev.LocatedEvent(view.outcome_at, view.outcome),
    ]


def proof_refused(evidence: Evidence) -> list[Found]:
    """Why a proof file shows nothing."""
    try:
        check_proof(parse_proof_file(encode_proof_file(evidence.proof)), evidence.checkpoint)
    except (AuditError, MalformedError) as error:
        return [failed(error)]
    return []


def bundle_refused(evidence: Evidence, folder: Path) -> list[Found]:
    """Why a bundle shows nothing, or what the replay of its rounds lacks."""
    path = evidence.parts.put(folder / "bundle", **evidence.fields)
    path.write_bytes(evidence.spoil(path.read_bytes()))
    try:
        found = verify_bundle(path, evidence.checkpoint, ReplayOptions(limits=LIMITS))
    except AuditError as error:
        return [failed(error)]
    return list(lines_of(found.replayed))


def note_refused(evidence: Evidence) -> list[Found]:
    """Why a co-signed checkpoint is not trusted by whoever wants three signatures, and what two notes show."""
    try:
        require_cosigned(parse_cosigned(encode_cosigned(evidence.note)), evidence.cosigners, len(SITES))
        if evidence.other_note is None:
            return []
        notes = (evidence.note, evidence.other_note)
        said = [statement for note in notes for statement in statements_of(note, evidence.cosigners)]
    except (AuditError, MalformedError) as error:
        return [failed(error)]
    number = evidence.checkpoint.number
    return [
        Found("", "the notes disagree", line)
        for line in disagreement(number, by_block(said)[number], None, asked=False)
    ]


def failed(error: AuditError | MalformedError) -> Found:
    """What a refusal names: its step, and its sentence."""
    step = re.search(r"at the step (\w+)", str(error))
    return Found("", f"fails at {step[1]}" if step else "malformed", str(error))
