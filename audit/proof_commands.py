"""``fedrx audit prove`` and ``verify``: proofs of events that need no network to be checked."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Literal, TypeVar, assert_never

import typer

from audit.bundle.container import begins_like_a_bundle
from audit.bundle_commands import tell_bundle
from audit.connections import ChainOptions, all_events, connect_ledger
from audit.key_use import open_keys
from audit.lineage import lineage_named
from audit.names import Names, read_names
from audit.options import (
    RPCURL,
    AsJSON,
    CompareURL,
    ConsentRoot,
    CosignerAccounts,
    DeploymentFile,
    FinalityChoice,
    LineageSlug,
    ModelDigest,
    NamesFile,
    NameSlugs,
    PassphraseFile,
    RoundNumber,
    SiteName,
    WorkFolder,
)
from audit.proofs.checking import check_proof
from audit.proofs.checkpoint import Checkpoint, last_block, read_checkpoint, read_cosigned
from audit.proofs.choosing import of_consent_root, of_model, of_sample, of_update, of_verdict
from audit.proofs.cosigned import require_cosigned
from audit.proofs.cosigners import read_cosigners
from audit.proofs.proof_file import MAX_PROOF_FILE_BYTES, ProofFile, encode_proof_file, parse_proof_file
from audit.proofs.proven_sample import (
    ProvenSample,
    begins_like_a_proven_sample,
    check_proven_sample,
    encode_proven_sample,
    parse_proven_sample,
)
from audit.proofs.proving import prove_events
from audit.proofs.sentences import shown
from audit.site_command import read_audit_key, read_sample_proof, tell_finding
from audit.small_files import parsed, read_small
from audit.trail import parse_lineage, parse_site
from gateways.data_folder import write_atomically
from gateways.ledger.block_reader import BlockReader
from gateways.ledger.rpc import RPCEndpoint
from protocol.canonical_json import JSONValue
from protocol.errors import ConfigError
from protocol.history import History
from protocol.identifiers import Digest, LineageId, RoundId, SiteId
from protocol.ledger_events import LocatedEvent
from protocol.sample_proof import SampleProof

_REQUEST_SECONDS = 60.0
_PROVE = "fedrx audit prove"
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
    typer.echo(
        f"{len(proof.events)} events, {len(proof.headers)} blocks up to block {end.number}: {len(data)} bytes in {out}"
    )


def verify_command(
    file: Annotated[Path, typer.Argument(help="What fedrx audit prove or bundle wrote.")],
    checkpoint: Annotated[Path, typer.Option("--checkpoint", help="A checkpoint that you trust, from somewhere else.")],
    accounts: CosignerAccounts = None,
    require: Annotated[int | None, typer.Option("--require", min=1, help="How many sites must have signed it.")] = None,
    site: Annotated[
        list[str] | None,
        typer.Option("--site", help="A site whose signature counts; repeatable. Else every listed one's."),
    ] = None,
    audit_key: Annotated[
        Path | None, typer.Option("--audit-key", help="For a sample: what fedrx node prove audit-key wrote.")
    ] = None,
    auditor_key: Annotated[
        Path | None, typer.Option("--auditor-key", help="For a bundle: the auditor's keystore.")
    ] = None,
    passphrase_file: PassphraseFile = None,
    work_folder: WorkFolder = None,
    names: NamesFile = None,
    name: NameSlugs = None,
    as_json: AsJSON = False,
) -> None:
    """Check a proof or a bundle with nothing but a trusted checkpoint: no network is used."""
    labels = read_names(names, name or ())
    trusted, sites = _trusted(checkpoint, accounts, require, site or ())
    about: dict[str, JSONValue] = {
        "block": trusted.number,
        "block_hash": str(trusted.block_hash),
        "signed_by": list(sites),
    }
    if begins_like_a_bundle(file):
        opened = open_keys(auditor_key, passphrase_file, declare=False)
        tell_bundle(file, trusted, about, opened.keys if opened else (), labels, work_folder, as_json=as_json)
    else:
        if auditor_key is not None:
            raise ConfigError(f"{file} is no bundle, and only a bundle is opened", hint="leave out --auditor-key")
        data = read_small(file, MAX_PROOF_FILE_BYTES)
        if begins_like_a_proven_sample(data):
            _tell_sample(
                parsed(file, data, parse_proven_sample, _PROVE),
                trusted,
                about,
                audit_key,
                [*(name or ())],
                names,
                as_json=as_json,
            )
        else:
            _tell_events(parsed(file, data, parse_proof_file, _PROVE), trusted, about, labels, as_json=as_json)
    if not as_json:
        where = f"chain {trusted.chain_id}, contract {trusted.contract_address}"
        typer.echo(f"proven for {where}, by block {trusted.number}")
        if sites:
            typer.echo(f"block {trusted.number} is signed by {', '.join(sites)}")


def _tell_events(
    proof: ProofFile, trusted: Checkpoint, about: Mapping[str, JSONValue], labels: Names, *, as_json: bool
) -> None:
    sentences = list(shown(check_proof(proof, trusted), labels))
    if as_json:
        typer.echo(json.dumps({**about, "shown": sentences}))
        return
    for sentence in sentences:
        typer.echo(sentence)


def _tell_sample(
    sample: ProvenSample,
    trusted: Checkpoint,
    about: Mapping[str, JSONValue],
    audit_key: Path | None,
    slugs: list[str],
    names: Path | None,
    *,
    as_json: bool,
) -> None:
    if audit_key is None:
        raise ConfigError("--audit-key is missing", hint="a sample is shown with the site's audit key alone")
    key = read_audit_key(audit_key)
    labels = read_names(names, [*slugs, *(document.site for document in key.key_documents)])
    tell_finding(check_proven_sample(sample, key, trusted, labels), about, as_json=as_json)


def _trusted(
    checkpoint: Path, accounts: Path | None, require: int | None, sites: Sequence[str]
) -> tuple[Checkpoint, tuple[str, ...]]:
    """The block, and the sites that signed it where signatures are asked for."""
    if accounts is None and require is None and not sites:
        return read_checkpoint(checkpoint), ()
    if accounts is None or require is None:
        raise ConfigError(
            "signatures need --accounts FILE and --require N", hint="fedrx audit cosigners writes the accounts"
        )
    note = read_cosigned(checkpoint)
    only = frozenset(parse_site(site) for site in sites)
    return note.checkpoint, require_cosigned(note, read_cosigners(accounts), require, only)


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
            digest = Digest.from_hex(_given(model, "--model"))
            return lambda events: of_model(History(events), digest)
        case "consent":
            root = Digest.from_hex(_given(consent_root, "--consent-root"))
            return lambda events: of_consent_root(History(events), root)
        case "update" | "verdict":
            site_id: SiteId = parse_site(_given(site, "--site"))
            if round_number is None:
                raise ConfigError("no round is named", hint="give --round")
            lineage_id = None if lineage is None else parse_lineage(lineage)
            of = of_update if what == "update" else of_verdict
            return lambda events: _of_site(of, History(events), lineage_id, round_number, site_id)
        case "sample":
            of_site = _given(sample, "--proof")
            return lambda events: of_sample(events, of_site)
        case _:
            assert_never(what)


def _of_site(
    of: Callable[[History, RoundId, SiteId], tuple[LocatedEvent, ...]],
    history: History,
    lineage_id: LineageId | None,
    round_number: int,
    site_id: SiteId,
) -> tuple[LocatedEvent, ...]:
    return of(history, RoundId(lineage_named(history, lineage_id), round_number), site_id)


def _given(value: _GivenT | None, option: str) -> _GivenT:
    if value is None:
        raise ConfigError(f"{option} is missing", hint="say what is to be proven")
    return value
