"""A site's sample proof joined with the proof of the events that it is about (docs/spec/sample-proof.md, section 5)."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from audit.proofs.checking import LOG, check_proof
from audit.proofs.places import place_of
from audit.proofs.proof_file import ProofFile, encode_proof_file, parse_proof_file
from audit.site_proof import SiteFinding, check_site_proof
from gateways.ledger.block_bytes import parse_header
from protocol.canonical_json import encode, parse, parse_object
from protocol.errors import AuditError, ConfigError, MalformedError
from protocol.identifiers import BlockHash
from protocol.ledger_events import LocatedEvent
from protocol.ports import ChainIdentity
from protocol.sample_proof import SampleProof, encode_sample_proof, parse_sample_proof

if TYPE_CHECKING:
    from audit.names import Names
    from audit.proofs.checkpoint import Checkpoint
    from protocol.site_audit_key import SiteAuditKey

FORMAT = "fedrx-proven-sample/1"
_KEYS = frozenset({"events", "format", "sample"})
_START = b'{"events":{'


@dataclass(frozen=True, slots=True)
class ProvenSample:
    """What a joined file holds. Nothing in it is believed before ``check_proven_sample`` went through it."""

    events: ProofFile
    """The events that ``audit.proofs.choosing.of_sample`` chooses."""
    sample: SampleProof


def begins_like_a_proven_sample(data: bytes) -> bool:
    """Whether bytes are to be read as a joined file: canonical JSON sorts its keys, and no other format begins so."""
    return data.startswith(_START)


def encode_proven_sample(proven: ProvenSample) -> bytes:
    """The file's bytes."""
    events, sample = parse(encode_proof_file(proven.events)), parse(encode_sample_proof(proven.sample))
    return encode({"format": FORMAT, "events": events, "sample": sample})


def parse_proven_sample(data: bytes) -> ProvenSample:
    """Reads what ``encode_proven_sample`` wrote.

    Raises:
        MalformedError: Not such a file.
    """
    value = parse_object(data, _KEYS)
    if value["format"] != FORMAT:
        raise MalformedError(f"not a {FORMAT} file", hint="update the software, or ask for the file again")
    return ProvenSample(parse_proof_file(encode(value["events"])), parse_sample_proof(encode(value["sample"])))


def check_proven_sample(proven: ProvenSample, key: SiteAuditKey, checkpoint: Checkpoint, names: Names) -> SiteFinding:
    """Checks a joined file with nothing but a checkpoint and the site's audit key.

    Args:
        proven: From anybody.
        key: The site's, from the site.
        checkpoint: Trusted.
        names: Labels for ids.

    Raises:
        AuditError: The events are not proven; the message names the step that failed.
    """
    # A signature of a consent receipt binds chain and contract, and nothing here reads the other fields.
    identity = ChainIdentity(checkpoint.chain_id, checkpoint.contract_address, BlockHash.zero(), 0, BlockHash.zero())
    try:
        return check_site_proof(proven.sample, key, _located(proven.events, checkpoint), identity, names)
    except (ConfigError, MalformedError) as error:
        raise AuditError(
            f"the proven events are not those of the sample's update: {error.what}", hint="ask for the file again"
        ) from error


def _located(proof: ProofFile, checkpoint: Checkpoint) -> tuple[LocatedEvent, ...]:
    """The proven events in chain order; each has its rank among them in place of its index in the block."""
    found = check_proof(proof, checkpoint)
    places = [(log.block_number, log.transaction_index, log.log_in_receipt) for log in proof.events]
    if any(later <= earlier for earlier, later in pairwise(places)):
        raise AuditError(
            f"the proof fails at the step {LOG}: the events are not in chain order", hint="ask for the file again"
        )
    headers = {header.number: header for header in map(parse_header, proof.headers)}
    return tuple(
        LocatedEvent(place_of(headers[log.block_number], log.transaction_index, rank), one.event)
        for rank, (log, one) in enumerate(zip(proof.events, found, strict=True))
    )
