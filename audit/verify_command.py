"""``fedrx audit verify``: proofs and bundles are checked without any network."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from audit.bundle.container import begins_like_a_bundle
from audit.bundle_commands import tell_bundle
from audit.key_use import open_keys
from audit.names import Names, read_names
from audit.options import AsJSON, CosignerAccounts, NamesFile, NameSlugs, PassphraseFile, WorkFolder
from audit.proofs.checking import ProvenEvent, check_proof
from audit.proofs.proof_file import MAX_PROOF_FILE_BYTES, ProofFile, parse_proof_file
from audit.proofs.proven_sample import begins_like_a_proven_sample, check_proven_sample, parse_proven_sample
from audit.proofs.seals import Trusted, TrustedBlock, trusted_block
from audit.proofs.sentences import shown
from audit.proofs.validators import read_validators
from audit.sentences import sentence_of
from audit.site_command import read_audit_key, tell_finding
from audit.small_files import parsed, read_small
from audit.trail import event_fields, kind_of
from audit.trusted_checkpoint import read_trusted
from protocol.canonical_json import JSONValue
from protocol.errors import ConfigError

_PROVE = "fedrx audit prove"


@dataclass(frozen=True, slots=True)
class _Trust:
    """What the reader brought, and the sites that signed it where signatures were asked for."""

    trusted: Trusted
    signed_by: tuple[str, ...] = ()

    def block_of(self, proof: ProofFile) -> TrustedBlock:
        return trusted_block(self.trusted, proof.headers[-1] if proof.headers else b"")

    def as_json(self, block: TrustedBlock) -> Mapping[str, JSONValue]:
        return {
            "chain_id": block.checkpoint.chain_id,
            "contract_address": str(block.checkpoint.contract_address),
            "block": block.checkpoint.number,
            "block_hash": str(block.checkpoint.block_hash),
            "signed_by": list(self.signed_by),
            "sealed_by": [str(account) for account in block.sealed_by],
        }


@dataclass(frozen=True, slots=True)
class _Labels:
    """Slugs to show, read when a file's own are known."""

    names: Path | None
    slugs: tuple[str, ...]

    def read(self, *more: str) -> Names:
        return read_names(self.names, [*self.slugs, *more])


def verify_command(
    file: Annotated[Path, typer.Argument(help="What fedrx audit prove or bundle wrote.")],
    checkpoint: Annotated[
        Path | None, typer.Option("--checkpoint", help="A checkpoint that you trust, from somewhere else.")
    ] = None,
    validators: Annotated[
        Path | None,
        typer.Option("--validators", help="Instead: validators that you trust, from fedrx audit validators."),
    ] = None,
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
    """Check a proof or a bundle with nothing but a trusted block, or trusted validators: no network is used."""
    if file.exists() and not file.is_file():
        raise ConfigError(f"{file} is no file", hint="give the file itself, not a pipe or a folder")
    labels = _Labels(names, tuple(name or ()))
    shown_names = labels.read()
    trust = _trust(checkpoint, validators, accounts, require, site or ())
    if begins_like_a_bundle(file):
        _refuse(audit_key, "--audit-key", f"{file} is a bundle, and only a sample's proof is opened with a site's key")
        opened = open_keys(auditor_key, passphrase_file, declare=False)
        keys = opened.keys if opened else ()
        block = tell_bundle(file, trust.trusted, trust.as_json, keys, shown_names, work_folder, as_json=as_json)
    else:
        _refuse(auditor_key, "--auditor-key", f"{file} is no bundle, and only a bundle is opened")
        data = read_small(file, MAX_PROOF_FILE_BYTES)
        if begins_like_a_proven_sample(data):
            block = _tell_sample(file, data, trust, audit_key, labels, as_json=as_json)
        else:
            _refuse(audit_key, "--audit-key", f"{file} holds no sample: a proof of events has nothing to open")
            block = _tell_events(file, data, trust, shown_names, as_json=as_json)
    if not as_json:
        _tell_block(block, trust.signed_by)


def _tell_events(file: Path, data: bytes, trust: _Trust, labels: Names, *, as_json: bool) -> TrustedBlock:
    proof = parsed(file, data, parse_proof_file, _PROVE)
    block = trust.block_of(proof)
    proven = check_proof(proof, block.checkpoint)
    sentences = list(shown(proven, labels))
    if as_json:
        events = [_event(one, labels) for one in proven]
        typer.echo(json.dumps({**trust.as_json(block), "events": events, "shown": sentences}, ensure_ascii=False))
    else:
        for sentence in sentences:
            typer.echo(sentence)
    return block


def _event(one: ProvenEvent, labels: Names) -> JSONValue:
    return {
        "block_number": one.block_number,
        "timestamp": one.timestamp,
        "kind": kind_of(one.event),
        "sentence": sentence_of(one.event, labels),
        "event": event_fields(one.event),
    }


def _tell_sample(
    file: Path, data: bytes, trust: _Trust, audit_key: Path | None, labels: _Labels, *, as_json: bool
) -> TrustedBlock:
    sample = parsed(file, data, parse_proven_sample, _PROVE)
    if audit_key is None:
        raise ConfigError("--audit-key is missing", hint="a sample is shown with the site's audit key alone")
    key = read_audit_key(audit_key)
    names = labels.read(*(document.site for document in key.key_documents))
    block = trust.block_of(sample.events)
    tell_finding(check_proven_sample(sample, key, block.checkpoint, names), trust.as_json(block), as_json=as_json)
    return block


def _tell_block(block: TrustedBlock, signed_by: Sequence[str]) -> None:
    at = block.checkpoint
    typer.echo(f"proven for chain {at.chain_id}, contract {at.contract_address}, by block {at.number}")
    if signed_by:
        typer.echo(f"block {at.number} is signed by {', '.join(signed_by)}")
    if block.sealed_by:
        typer.echo(f"block {at.number} is sealed by {', '.join(map(str, block.sealed_by))}")


def _trust(
    checkpoint: Path | None,
    validators: Path | None,
    accounts: Path | None,
    require: int | None,
    sites: Sequence[str],
) -> _Trust:
    signatures_asked = accounts is not None or require is not None or bool(sites)
    if validators is not None:
        if checkpoint is not None:
            raise ConfigError("--checkpoint and --validators exclude each other", hint="give the one that you trust")
        if signatures_asked:
            raise ConfigError(
                "sites sign a checkpoint, not a list of validators",
                hint="leave out --accounts, --require and --site, or give --checkpoint",
            )
        return _Trust(read_validators(validators))
    if checkpoint is None:
        raise ConfigError(
            "nothing is trusted yet", hint="give --checkpoint FILE, or on a sealed chain --validators FILE"
        )
    return _Trust(*read_trusted(checkpoint, accounts, require, sites))


def _refuse(given: Path | None, option: str, why: str) -> None:
    if given is not None:
        raise ConfigError(why, hint=f"leave out {option}")
