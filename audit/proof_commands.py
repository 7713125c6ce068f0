"""``fedrx audit checkpoint``, ``prove`` and ``verify``: proofs of events that need no network to be checked."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Literal, assert_never

import typer

from audit.connections import ChainOptions, all_events, connect_ledger
from audit.lineage import lineage_named
from audit.names import read_names
from audit.options import (
    RPCURL,
    AsJSON,
    CompareURL,
    ConsentRoot,
    DeploymentFile,
    FinalityChoice,
    LineageSlug,
    ModelDigest,
    NamesFile,
    NameSlugs,
    RoundNumber,
    SiteName,
)
from audit.proofs.checking import check_proof
from audit.proofs.checkpoint import MAX_CHECKPOINT_BYTES, Checkpoint, encode_checkpoint, parse_checkpoint
from audit.proofs.choosing import of_consent_root, of_model, of_update, of_verdict
from audit.proofs.proof_file import MAX_PROOF_FILE_BYTES, encode_proof_file, parse_proof_file
from audit.proofs.proving import prove_events
from audit.proofs.sentences import shown
from audit.small_files import read_small
from audit.trail import parse_lineage, parse_site
from gateways.data_folder import write_atomically
from gateways.ledger.block_reader import BlockReader
from gateways.ledger.rpc import RPCEndpoint
from protocol.errors import ConfigError, LedgerUnavailableError
from protocol.history import History
from protocol.identifiers import Digest, RoundId, SiteId
from protocol.ledger_events import LocatedEvent
from protocol.ports import Ledger

_REQUEST_SECONDS = 60.0
What = Literal["update", "verdict", "model", "consent"]


def checkpoint_command(
    deployment: DeploymentFile,
    rpc: RPCURL,
    out: Annotated[Path, typer.Option("--out", "-o", help="Where to write it.")],
    compare_rpc: CompareURL = None,
    finality: FinalityChoice = "latest",
    block: Annotated[int | None, typer.Option("--block", min=0, help="Which block; the newest final one.")] = None,
) -> None:
    """Write a block's number and hash as a checkpoint, to keep and to compare with others'."""
    ledger = connect_ledger(ChainOptions(deployment, rpc, compare_rpc, finality))
    made = _checkpoint(ledger, block)
    write_atomically(out, encode_checkpoint(made))
    typer.echo(f"block {made.number}, {made.block_hash}: {out}")


def prove_command(
    what: Annotated[What, typer.Argument(help="An update, its verdict, a model since genesis, or a consent root.")],
    deployment: DeploymentFile,
    rpc: RPCURL,
    out: Annotated[Path, typer.Option("--out", "-o", help="Where to write the proof.")],
    compare_rpc: CompareURL = None,
    finality: FinalityChoice = "latest",
    site: SiteName = None,
    round_number: RoundNumber = None,
    lineage: LineageSlug = None,
    model: ModelDigest = None,
    consent_root: ConsentRoot = None,
    checkpoint: Annotated[
        Path | None, typer.Option("--checkpoint", help="Prove up to this checkpoint; else up to the newest block.")
    ] = None,
) -> None:
    """Write a file that proves something to whoever trusts one later block, without any network."""
    choose = _chosen(what, site, round_number, lineage, model, consent_root)
    ledger = connect_ledger(ChainOptions(deployment, rpc, compare_rpc, finality))
    end = (
        _checkpoint(ledger, None)
        if checkpoint is None
        else parse_checkpoint(read_small(checkpoint, MAX_CHECKPOINT_BYTES))
    )
    if ledger.block_hash(end.number) != end.block_hash:
        raise ConfigError(
            "the checkpoint is not on this chain", hint="it is another network's, or the chain was rewritten"
        )
    events = choose(History(all_events(ledger)))
    proof = prove_events(events, end, BlockReader(RPCEndpoint(rpc, timeout_seconds=_REQUEST_SECONDS)))
    data = encode_proof_file(proof)
    write_atomically(out, data)
    typer.echo(
        f"{len(proof.events)} events, {len(proof.headers)} blocks up to block {end.number}: {len(data)} bytes in {out}"
    )


def verify_command(
    file: Annotated[Path, typer.Argument(help="What fedrx audit prove wrote.")],
    checkpoint: Annotated[Path, typer.Option("--checkpoint", help="A checkpoint that you trust, from somewhere else.")],
    names: NamesFile = None,
    name: NameSlugs = None,
    as_json: AsJSON = False,
) -> None:
    """Check a proof with nothing but a trusted checkpoint: no network is used."""
    labels = read_names(names, name or ())
    trusted = parse_checkpoint(read_small(checkpoint, MAX_CHECKPOINT_BYTES))
    proven = check_proof(parse_proof_file(read_small(file, MAX_PROOF_FILE_BYTES)), trusted)
    sentences = list(shown(proven, labels))
    if as_json:
        typer.echo(json.dumps({"block": trusted.number, "block_hash": str(trusted.block_hash), "shown": sentences}))
        return
    for sentence in sentences:
        typer.echo(sentence)
    typer.echo(f"proven for chain {trusted.chain_id}, contract {trusted.contract_address}, by block {trusted.number}")


def _chosen(
    what: What,
    site: str | None,
    round_number: int | None,
    lineage: str | None,
    model: str | None,
    consent_root: str | None,
) -> Callable[[History], tuple[LocatedEvent, ...]]:
    """What is to be proven, with its words checked before the chain is asked."""
    match what:
        case "model":
            digest = Digest.from_hex(_given(model, "--model"))
            return lambda history: of_model(history, digest)
        case "consent":
            root = Digest.from_hex(_given(consent_root, "--consent-root"))
            return lambda history: of_consent_root(history, root)
        case "update" | "verdict":
            site_id: SiteId = parse_site(_given(site, "--site"))
            if round_number is None:
                raise ConfigError("no round is named", hint="give --round")
            lineage_id = None if lineage is None else parse_lineage(lineage)
            of = of_update if what == "update" else of_verdict
            return lambda history: of(history, RoundId(lineage_named(history, lineage_id), round_number), site_id)
        case _:
            assert_never(what)


def _given(value: str | None, option: str) -> str:
    if value is None:
        raise ConfigError(f"{option} is missing", hint="say what is to be proven")
    return value


def _checkpoint(ledger: Ledger, block: int | None) -> Checkpoint:
    number = ledger.head().number if block is None else block
    block_hash = ledger.block_hash(number)
    if block_hash is None:
        raise LedgerUnavailableError(f"the chain has no block {number} yet", hint="name an earlier one")
    return Checkpoint(ledger.identity.chain_id, ledger.identity.contract_address, number, block_hash)
