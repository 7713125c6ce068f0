"""``fedrx audit prove``: proofs of events that need no network to be checked."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Literal, TypeVar, assert_never

import typer

from audit.connections import ChainOptions, all_events, connect_ledger
from audit.given import parse_digest, parse_lineage, parse_site
from audit.lineage import lineage_named
from audit.options import (
    RPCURL,
    CompareURL,
    ConsentRoot,
    DeploymentFile,
    FinalityChoice,
    LineageSlug,
    ModelDigest,
    RoundNumber,
    SiteName,
)
from audit.proofs.checkpoint import last_block
from audit.proofs.choosing import of_consent_root, of_model, of_sample, of_update, of_verdict
from audit.proofs.proof_file import encode_proof_file
from audit.proofs.proven_sample import ProvenSample, encode_proven_sample
from audit.proofs.proving import prove_events
from audit.sentences import count
from audit.site_command import read_sample_proof
from gateways.data_folder import write_atomically
from gateways.ledger.block_reader import BlockReader
from gateways.ledger.rpc import RPCEndpoint
from protocol.errors import ConfigError
from protocol.history import History
from protocol.identifiers import RoundId
from protocol.ledger_events import LocatedEvent
from protocol.sample_proof import SampleProof

_REQUEST_SECONDS = 60.0
_GivenT = TypeVar("_GivenT", str, SampleProof)
What = Literal["update", "verdict", "model", "consent", "sample"]


def prove_command(
    what: Annotated[
        What,
        typer.Argument(help="An update, its verdict, a model since genesis, a consent root, or a sample of a site."),
    ],
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
    sample: Annotated[Path | None, typer.Option("--proof", help="What fedrx node prove sample wrote.")] = None,
    checkpoint: Annotated[
        Path | None, typer.Option("--checkpoint", help="Prove up to this checkpoint; else up to the newest block.")
    ] = None,
) -> None:
    """Write a file that proves something to whoever trusts one later block, without any network."""
    of_site = None if sample is None else read_sample_proof(sample)
    choose = _chosen(what, site, round_number, lineage, model, consent_root, of_site)
    ledger = connect_ledger(ChainOptions(deployment, rpc, compare_rpc, finality))
    end = last_block(ledger, checkpoint)
    events = choose(all_events(ledger))
    proof = prove_events(events, end, BlockReader(RPCEndpoint(rpc, timeout_seconds=_REQUEST_SECONDS)))
    data = encode_proof_file(proof) if of_site is None else encode_proven_sample(ProvenSample(proof, of_site))
    write_atomically(out, data)
    held = f"{count(len(proof.events), 'event')}, {count(len(proof.headers), 'block')}"
    typer.echo(f"{held}: {len(data)} bytes in {out}; verify it with a checkpoint of block {end.number}")


def _chosen(
    what: What,
    site: str | None,
    round_number: int | None,
    lineage: str | None,
    model: str | None,
    consent_root: str | None,
    sample: SampleProof | None,
) -> Callable[[Sequence[LocatedEvent]], tuple[LocatedEvent, ...]]:
    """What is to be proven, with its words checked before the chain is asked."""
    match what:
        case "model":
            digest = parse_digest(_given(model, "--model"))
            return lambda events: of_model(History(events), digest)
        case "consent":
            root = parse_digest(_given(consent_root, "--consent-root"))
            return lambda events: of_consent_root(History(events), root)
        case "update" | "verdict":
            return _of_site(what, _given(site, "--site"), round_number, lineage)
        case "sample":
            of_site = _given(sample, "--proof")
            return lambda events: of_sample(events, of_site)
        case _:
            assert_never(what)


def _of_site(
    what: Literal["update", "verdict"], site: str, round_number: int | None, lineage: str | None
) -> Callable[[Sequence[LocatedEvent]], tuple[LocatedEvent, ...]]:
    if round_number is None:
        raise ConfigError("no round is named", hint="give --round")
    site_id, lineage_id = parse_site(site), None if lineage is None else parse_lineage(lineage)
    of = of_update if what == "update" else of_verdict

    def chosen(events: Sequence[LocatedEvent]) -> tuple[LocatedEvent, ...]:
        history = History(events)
        return of(history, RoundId(lineage_named(history, lineage_id), round_number), site_id, site)

    return chosen


def _given(value: _GivenT | None, option: str) -> _GivenT:
    if value is None:
        raise ConfigError(f"{option} is missing", hint="say what is to be proven")
    return value
