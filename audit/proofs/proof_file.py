"""The proof file (docs/spec/event-proof.md): canonical JSON, made by ``proving``, checked by ``checking``."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass

from protocol import canonical_json
from protocol.canonical_json import JSONValue, expect_int, expect_list, expect_object, expect_str
from protocol.errors import MalformedError
from protocol.identifiers import AccountAddress

FORMAT = "fedrx-event-proof/1"
MAX_PROOF_FILE_BYTES = 256 << 20
_KEYS = frozenset({"format", "chain_id", "contract_address", "headers", "events"})
_EVENT_KEYS = frozenset({"block_number", "transaction_index", "log_in_receipt", "nodes"})


@dataclass(frozen=True, slots=True)
class ProvenLog:
    """Where a log is, and the nodes that lead to its receipt."""

    block_number: int
    transaction_index: int
    """In its block."""
    log_in_receipt: int
    """Position among the receipt's logs, from 0."""
    nodes: tuple[bytes, ...]
    """RLP of the trie's nodes from the receipts root to the receipt."""


@dataclass(frozen=True, slots=True)
class ProofFile:
    """What a proof file holds. Nothing in it is believed before ``checking`` went through it."""

    chain_id: int
    contract_address: AccountAddress
    headers: tuple[bytes, ...]
    """RLP of block headers, each the parent of the next; the last is the checkpoint's."""
    events: tuple[ProvenLog, ...]
    """In chain order."""


def encode_proof_file(proof: ProofFile) -> bytes:
    """The file's bytes."""
    return canonical_json.encode(
        {
            "format": FORMAT,
            "chain_id": proof.chain_id,
            "contract_address": str(proof.contract_address),
            "headers": [_text(header) for header in proof.headers],
            "events": [
                {
                    "block_number": event.block_number,
                    "transaction_index": event.transaction_index,
                    "log_in_receipt": event.log_in_receipt,
                    "nodes": [_text(node) for node in event.nodes],
                }
                for event in proof.events
            ],
        }
    )


def parse_proof_file(data: bytes) -> ProofFile:
    """Reads what ``encode_proof_file`` wrote.

    Raises:
        MalformedError: Not such a file.
    """
    value = canonical_json.parse_object(data, _KEYS)
    if value["format"] != FORMAT:
        raise MalformedError(f"not a {FORMAT} file", hint="update the software, or ask for the file again")
    return ProofFile(
        chain_id=expect_int(value["chain_id"]),
        contract_address=AccountAddress.from_hex(expect_str(value["contract_address"])),
        headers=tuple(_bytes(header) for header in expect_list(value["headers"])),
        events=tuple(_event(event) for event in expect_list(value["events"])),
    )


def _event(value: JSONValue) -> ProvenLog:
    fields = expect_object(value, _EVENT_KEYS)
    return ProvenLog(
        block_number=expect_int(fields["block_number"]),
        transaction_index=expect_int(fields["transaction_index"]),
        log_in_receipt=expect_int(fields["log_in_receipt"]),
        nodes=tuple(_bytes(node) for node in expect_list(fields["nodes"])),
    )


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")


def _bytes(value: JSONValue) -> bytes:
    try:
        data = base64.b64decode(expect_str(value), validate=True)
    except (binascii.Error, ValueError) as error:
        raise MalformedError("not base64") from error
    if _text(data) != value:
        raise MalformedError("not the one right base64 of its bytes")
    return data
