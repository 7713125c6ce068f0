"""``fedrx audit show``: one round, model, site or consent root in plain sentences."""

from __future__ import annotations

import typer

from audit.connections import ChainOptions, all_events, connect_ledger
from audit.lineage import lineage_named
from audit.names import read_names
from audit.options import (
    RPCURL,
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
from audit.telling import tell_consent_root, tell_model, tell_round, tell_site
from audit.trail import parse_lineage, parse_site
from protocol.errors import ConfigError
from protocol.history import History
from protocol.identifiers import Digest, RoundId


def show_command(
    deployment: DeploymentFile,
    rpc: RPCURL,
    compare_rpc: CompareURL = None,
    finality: FinalityChoice = "latest",
    round_number: RoundNumber = None,
    lineage: LineageSlug = None,
    model: ModelDigest = None,
    site: SiteName = None,
    consent_root: ConsentRoot = None,
    names: NamesFile = None,
    name: NameSlugs = None,
) -> None:
    """Explain one round (--round, --lineage), model (--model), site (--site) or consent root (--consent-root)."""
    asked = [word for word in (round_number, model, site, consent_root) if word is not None]
    if len(asked) != 1:
        raise ConfigError("show explains one thing", hint="give one of --round, --model, --site and --consent-root")
    labels = read_names(names, [*(name or ()), *(slug for slug in (site, lineage) if slug)])
    # Parsed before the chain is asked: a slip of the keyboard needs no network to be told.
    digest = Digest.from_hex(model or consent_root or str(Digest.zero()))
    ledger = connect_ledger(ChainOptions(deployment, rpc, compare_rpc, finality))
    history = History(all_events(ledger))
    if model is not None:
        sentences = tell_model(history, digest, labels)
    elif consent_root is not None:
        sentences = tell_consent_root(history, digest, labels)
    elif site is not None:
        sentences = tell_site(history, parse_site(site), labels)
    else:
        lineage_id = lineage_named(history, None if lineage is None else parse_lineage(lineage))
        sentences = tell_round(history, RoundId(lineage_id, round_number or 0), labels)
    for sentence in sentences:
        typer.echo(sentence)
