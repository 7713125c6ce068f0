"""``fedrx audit show``: one round, model, site or consent root in plain sentences."""

from __future__ import annotations

from collections.abc import Iterator

import typer

from audit.accuracy import Accuracy, accuracy_of, read_scores
from audit.alarm import alarm_after
from audit.connections import ChainOptions
from audit.given import parse_digest, parse_lineage, parse_site
from audit.lineage import lineage_named
from audit.names import Names, read_names
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
    OlderDeployments,
    OlderRPCURL,
    RoundNumber,
    ScoresFiles,
    SiteName,
)
from audit.succession import open_succession
from audit.succession_telling import Reading, tell_all, tell_first, tell_model_of_all
from audit.telling import tell_consent_root, tell_round, tell_site
from protocol.errors import ConfigError
from protocol.history import History
from protocol.identifiers import Digest, LineageId, RoundId


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
    predecessor_deployment: OlderDeployments = None,
    predecessor_rpc: OlderRPCURL = None,
    scores: ScoresFiles = None,
) -> None:
    """Explain one round (--round, --lineage), model (--model), site (--site) or consent root (--consent-root)."""
    asked = [word for word in (round_number, model, site, consent_root) if word is not None]
    if len(asked) != 1:
        raise ConfigError("show explains one thing", hint="give one of --round, --model, --site and --consent-root")
    labels = read_names(names, [*(name or ()), *(slug for slug in (site, lineage) if slug)])
    # Parsed before the chain is asked: a slip of the keyboard needs no network to be told.
    digest = parse_digest(model or consent_root or str(Digest.zero()))
    files = read_scores(scores or ())
    chain = ChainOptions(deployment, rpc, compare_rpc, finality)
    succession = open_succession(chain, predecessor_deployment or (), predecessor_rpc)
    accuracy = accuracy_of(files, [chapter.ledger.identity for chapter in succession.chapters])
    reading = Reading(succession, labels)
    if model is not None:
        sentences = tell_model_of_all(reading, digest, labels, accuracy)
    elif consent_root is not None:
        sentences = tell_all(reading, lambda history: tell_consent_root(history, digest, labels))
    elif site is not None:
        site_id = parse_site(site)
        sentences = tell_all(reading, lambda history: tell_site(history, site_id, labels))
    else:
        lineage_id = None if lineage is None else parse_lineage(lineage)
        sentences = tell_first(
            reading, lambda history: _round(history, lineage_id, round_number or 0, labels, accuracy)
        )
    with alarm_after(reading.broken):
        for sentence in sentences:
            typer.echo(sentence)
        for sentence in succession.sentences():
            typer.echo(sentence, err=True)


def _round(
    history: History, lineage_id: LineageId | None, number: int, labels: Names, accuracy: Accuracy
) -> Iterator[str]:
    return tell_round(history, RoundId(lineage_named(history, lineage_id), number), labels, accuracy)
