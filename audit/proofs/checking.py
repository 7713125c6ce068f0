"""Checks a proof file against a checkpoint, with nothing else: it fails closed and names the step that failed."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

from audit.proofs.checkpoint import Checkpoint
from audit.proofs.proof_file import ProofFile, ProvenLog
from gateways.ledger.block_bytes import Header, parse_header, parse_receipt, proven_receipt
from protocol.errors import AuditError, MalformedError
from protocol.identifiers import AccountAddress
from protocol.ledger_events import LedgerEvent

CHECKPOINT, HEADERS, RECEIPT, LOG = "checkpoint", "headers", "receipt", "log"


@dataclass(frozen=True, slots=True)
class ProvenEvent:
    """An event that the checkpoint's block is built on."""

    block_number: int
    timestamp: int
    """Seconds since 1970, of its block."""
    event: LedgerEvent


def check_proof(proof: ProofFile, checkpoint: Checkpoint) -> tuple[ProvenEvent, ...]:
    """The events that the file proves, in its order.

    Args:
        proof: From anybody.
        checkpoint: Trusted: it came another way than the file.

    Raises:
        AuditError: A step failed; the message names it.
    """
    headers = _linked_headers(proof, checkpoint)
    if not proof.events:
        raise _failed(LOG, "the file proves no event")
    return tuple(_proven(event, headers, checkpoint.contract_address) for event in proof.events)


def _linked_headers(proof: ProofFile, checkpoint: Checkpoint) -> dict[int, Header]:
    if (proof.chain_id, proof.contract_address) != (checkpoint.chain_id, checkpoint.contract_address):
        raise _failed(CHECKPOINT, "the file is about another chain or contract than the checkpoint")
    try:
        headers = [parse_header(header) for header in proof.headers]
    except MalformedError as error:
        raise _failed(HEADERS, str(error)) from error
    if headers and headers[-1].number != checkpoint.number:
        leads_to = headers[-1].number
        raise _failed(
            CHECKPOINT,
            f"the file leads to block {leads_to}, and the checkpoint is block {checkpoint.number}",
            hint=f"take a checkpoint of block {leads_to}, or have it proven again up to yours (prove --checkpoint)",
        )
    if not headers or headers[-1].block_hash != checkpoint.block_hash:
        raise _failed(CHECKPOINT, f"the file's last block is not block {checkpoint.number} of the checkpoint")
    for parent, child in pairwise(headers):
        if child.parent_hash != parent.block_hash or child.number != parent.number + 1:
            raise _failed(HEADERS, f"block {parent.number} is not the parent of block {child.number}")
    return {header.number: header for header in headers}


def _proven(proven: ProvenLog, headers: dict[int, Header], contract: AccountAddress) -> ProvenEvent:
    header = headers.get(proven.block_number)
    if header is None:
        raise _failed(HEADERS, f"the file does not hold block {proven.block_number}")
    try:
        logs = parse_receipt(proven_receipt(proven.nodes, proven.transaction_index, header.receipts_root))
    except MalformedError as error:
        raise _failed(
            RECEIPT, f"{error} (block {proven.block_number}, transaction {proven.transaction_index})"
        ) from error
    if proven.log_in_receipt >= len(logs):
        raise _failed(LOG, f"the receipt has {len(logs)} logs, none at {proven.log_in_receipt}")
    log = logs[proven.log_in_receipt]
    if log.address != contract:
        raise _failed(LOG, f"the log is {log.address}'s, not the contract's")
    # Imported here: the ABI loads for half a second, and most of the auditor's commands decode nothing themselves.
    from gateways.ledger.contract_abi import contract_abi  # noqa: PLC0415

    try:
        event = contract_abi().decode_event(list(log.topics), log.data)
    except MalformedError as error:
        raise _failed(LOG, str(error)) from error
    if event is None:
        raise _failed(LOG, "the log is none of the events that this software knows")
    return ProvenEvent(proven.block_number, header.timestamp, event)


def _failed(step: str, why: str, hint: str = "it shows nothing; ask for the proof again") -> AuditError:
    return AuditError(f"the proof fails at the step {step}: {why}", hint=hint)
