"""Makes proof files from a chain's endpoint."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from audit.proofs.checkpoint import Checkpoint
from audit.proofs.proof_file import ProofFile, ProvenLog
from gateways.ledger.block_reader import BlockReader
from protocol.errors import AuditError
from protocol.ledger_events import LocatedEvent


def prove_events(events: Sequence[LocatedEvent], checkpoint: Checkpoint, reader: BlockReader) -> ProofFile:
    """A proof of some events up to a checkpoint.

    Args:
        events: What is to be proven.
        checkpoint: A block that is not before them.
        reader: Of the chain.

    Raises:
        AuditError: An event is behind the checkpoint.
        LedgerUnavailableError: No answer, or one that does not have its hash.
    """
    wanted = sorted(set(events), key=lambda located: located.position)
    if not wanted or wanted[-1].position.block_number > checkpoint.number:
        raise AuditError(
            f"block {checkpoint.number} of the checkpoint is before the event", hint="name a later checkpoint, or none"
        )
    first = wanted[0].position.block_number
    headers = reader.headers(first, checkpoint.number)
    proven = []
    for number, in_block in groupby(
        (located.position for located in wanted), key=lambda position: position.block_number
    ):
        positions = list(in_block)
        receipts = reader.receipts({position.tx_hash for position in positions}, headers[number - first])
        for position in positions:
            receipt = receipts[position.tx_hash]
            place = position.log_index - receipt.first_log_index
            proven.append(ProvenLog(number, receipt.transaction_index, place, receipt.nodes))
    return ProofFile(checkpoint.chain_id, checkpoint.contract_address, headers, tuple(proven))
