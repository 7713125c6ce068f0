"""``fedrx audit site``: checks what a site shows about one of its samples."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from audit.connections import ChainOptions, all_events, connect_ledger
from audit.names import read_names
from audit.options import RPCURL, AsJSON, CompareURL, DeploymentFile, FinalityChoice, NamesFile, NameSlugs
from audit.site_proof import SiteFinding, check_site_proof
from audit.small_files import parsed, read_small
from protocol.canonical_json import JSONValue
from protocol.errors import AuditError
from protocol.sample_proof import SampleProof, parse_sample_proof
from protocol.site_audit_key import SiteAuditKey, parse_site_audit_key

MAX_PROOF_BYTES = 256 << 20


def site_command(
    deployment: DeploymentFile,
    rpc: RPCURL,
    proof: Annotated[Path, typer.Option("--proof", help="What fedrx node prove sample wrote.")],
    audit_key: Annotated[Path, typer.Option("--audit-key", help="What fedrx node prove audit-key wrote.")],
    compare_rpc: CompareURL = None,
    finality: FinalityChoice = "latest",
    names: NamesFile = None,
    name: NameSlugs = None,
    as_json: AsJSON = False,
) -> None:
    """Check a site's proof that a sample was, or was not, in an update, and under which consent receipt."""
    shown_by_site, key = read_sample_proof(proof), read_audit_key(audit_key)
    labels = read_names(names, [*(name or ()), *(document.site for document in key.key_documents)])
    ledger = connect_ledger(ChainOptions(deployment, rpc, compare_rpc, finality))
    finding = check_site_proof(shown_by_site, key, all_events(ledger), ledger.identity, labels)
    tell_finding(finding, {}, as_json=as_json)


def read_sample_proof(path: Path) -> SampleProof:
    """What ``fedrx node prove sample`` wrote.

    Raises:
        ConfigError: It cannot be read, or is too long.
        MalformedError: Not such a file; names it.
    """
    return parsed(path, read_small(path, MAX_PROOF_BYTES), parse_sample_proof, "fedrx node prove sample")


def read_audit_key(path: Path) -> SiteAuditKey:
    """What ``fedrx node prove audit-key`` wrote.

    Raises:
        ConfigError: It cannot be read, or is too long.
        MalformedError: Not such a file; names it.
    """
    return parsed(path, read_small(path, MAX_PROOF_BYTES), parse_site_audit_key, "fedrx node prove audit-key")


def tell_finding(finding: SiteFinding, about: Mapping[str, JSONValue], *, as_json: bool) -> None:
    """Prints what a site's proof shows.

    Args:
        finding: What was found.
        about: What else an object of JSON says.
        as_json: One object instead of sentences.

    Raises:
        AuditError: Something differs.
    """
    if as_json:
        value = {**about, "shown": list(finding.shown), "different": list(finding.differences)}
        typer.echo(json.dumps(value, ensure_ascii=False))
    else:
        for sentence in finding.shown:
            typer.echo(sentence)
        for sentence in finding.differences:
            typer.echo(f"DIFFERENT: {sentence}")
    if finding.differences:
        raise AuditError(
            f"the site's proof differs in {len(finding.differences)} points",
            hint="docs/auditing.md says what it means",
        )
