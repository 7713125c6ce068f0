"""Proof files and checkpoints to keep: made when somebody asks for one, checked by ``fedrx audit verify``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, Query, Request
from starlette.exceptions import HTTPException
from starlette.responses import Response

from audit.explorer.screens import MAX_NUMBER, Number, explorer_of
from audit.index.searching import Search
from audit.proofs.checkpoint import encode_checkpoint
from audit.proofs.choosing import of_consent_root, of_model, of_verdict
from audit.proofs.proof_file import encode_proof_file
from audit.proofs.proving import prove_events
from protocol.errors import ConfigError
from protocol.identifiers import Digest, LineageId, RoundId, SiteId, TxHash

if TYPE_CHECKING:
    from collections.abc import Sequence

    from audit.explorer.screens import Explorer
    from protocol.ledger_events import LocatedEvent

router = APIRouter()

MAX_PROOF_BLOCKS = 20_000
"""A browser that waits minutes looks like one that hangs: longer ways are for the command line."""
Block = Annotated[int, Query(ge=0, le=MAX_NUMBER)]


@router.get("/checkpoint")
def checkpoint(request: Request, block: Block) -> Response:
    """A block's number and hash, to keep and to compare with others'."""
    data = encode_checkpoint(explorer_of(request).chronicle.checkpoint(block))
    return _file(data, f"checkpoint-{block}.txt", "text/plain")


@router.get("/proof/tx/{tx}")
def proof_of_transaction(request: Request, tx: str, block: Block) -> Response:
    """That a transaction's events are on the chain."""
    explorer = explorer_of(request)
    tx_hash = TxHash.from_hex(tx)
    events = explorer.chronicle.find(Search(tx_hash=tx_hash))
    if not events:
        raise ConfigError(f"no event of the contract is in transaction {tx_hash}", hint="give its hash as a whole")
    return _proof(explorer, events, block, f"tx-{tx_hash.hex()[:10]}")


@router.get("/proof/verdict/{lineage}/{number}/{site}")
def proof_of_verdict(request: Request, lineage: str, number: Number, site: str, block: Block) -> Response:
    """That a site registered an update, and what became of it."""
    explorer = explorer_of(request)
    round_id, site_id = RoundId(LineageId.from_hex(lineage), number), SiteId.from_hex(site)
    with explorer.chronicle.seen() as seen:
        try:
            events = of_verdict(seen.history, round_id, site_id)
        except KeyError as error:
            raise ConfigError("the chain knows no such lineage", hint="give its id as a whole") from error
    return _proof(explorer, events, block, f"verdict-{number}-{site_id.hex()[:10]}")


@router.get("/proof/model/{model}")
def proof_of_model(request: Request, model: str, block: Block) -> Response:
    """That a model was made by the network, from genesis on."""
    explorer = explorer_of(request)
    digest = Digest.from_hex(model)
    with explorer.chronicle.seen() as seen:
        events = of_model(seen.history, digest)
    return _proof(explorer, events, block, f"model-{digest.hex()[:10]}")


@router.get("/proof/consent/{root}")
def proof_of_consent_root(request: Request, root: str, block: Block) -> Response:
    """That a site published a consent root, and what made it void so far."""
    explorer = explorer_of(request)
    digest = Digest.from_hex(root)
    with explorer.chronicle.seen() as seen:
        events = of_consent_root(seen.history, digest)
    return _proof(explorer, events, block, f"consent-{digest.hex()[:10]}")


def _proof(explorer: Explorer, events: Sequence[LocatedEvent], block: int, name: str) -> Response:
    oldest = min(located.position.block_number for located in events)
    if block - oldest > MAX_PROOF_BLOCKS:
        raise ConfigError(
            f"{block - oldest} blocks lead to the newest one: too many for a browser to wait for",
            hint="let fedrx audit prove make it, or a shorter one to a --checkpoint that you kept",
        )
    end = explorer.chronicle.checkpoint(block)
    if not explorer.proving.acquire(blocking=False):
        raise HTTPException(429, "another proof is being made: ask again in a moment")
    try:
        data = encode_proof_file(prove_events(events, end, explorer.blocks))
    finally:
        explorer.proving.release()
    return _file(data, f"proof-{name}-block-{block}.json", "application/json")


def _file(data: bytes, name: str, kind: str) -> Response:
    return Response(data, media_type=kind, headers={"Content-Disposition": f'attachment; filename="{name}"'})
