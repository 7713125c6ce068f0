"""``fedrx audit without``: how well the model would read without one site. Nothing is kept but the two scores.

It stands here and not in ``audit``, because scoring needs a backbone.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from audit.connections import ChainOptions, all_events, connect_ledger, ipfs_options, open_stores
from audit.given import parse_lineage, parse_site
from audit.key_use import declare_use, open_keys
from audit.leave_out import Omission, TwoModels, leave_out
from audit.lineage import lineage_named
from audit.names import Names, read_names
from audit.options import (
    RPCURL,
    AsJSON,
    AuditorKeystore,
    CompareURL,
    Declare,
    DeploymentFile,
    FinalityChoice,
    IPFSURLs,
    LineageSlug,
    NamesFile,
    NameSlugs,
    PassphraseFile,
    Peers,
    Seconds,
    SwarmKey,
    WorkFolder,
)
from audit.pieces import FetchLimits
from fedrx.examination import Examination, competing_names
from fedrx.labelled_words import LabelledWords, read_words
from protocol.canonical_json import JSONValue
from protocol.errors import ConfigError
from protocol.history import History

if TYPE_CHECKING:
    from learning.evaluation import Score

RE_SUMMATION = "a re-summation, not a retraining: the other sites trained from models that held its updates"


def without_command(
    site: Annotated[str, typer.Argument(help="Who is left out: its slug or 0x id.")],
    deployment: DeploymentFile,
    rpc: RPCURL,
    round_number: Annotated[int, typer.Option("--round", min=1, help="The round whose model is summed anew.")],
    words: Annotated[Path, typer.Option("--words", help="Folder with labels.csv (file,label) and PNG crops of words.")],
    through: Annotated[
        int | None, typer.Option("--through", min=1, help="Go on to this round: a re-summation, not a retraining.")
    ] = None,
    lexicon: Annotated[
        Path | None, typer.Option("--lexicon", help="CSV of names that compete; unset: those of labels.csv.")
    ] = None,
    compare_rpc: CompareURL = None,
    finality: FinalityChoice = "latest",
    ipfs: IPFSURLs = None,
    swarm_key: SwarmKey = None,
    peer: Peers = None,
    auditor_key: AuditorKeystore = None,
    passphrase_file: PassphraseFile = None,
    declare: Declare = False,
    lineage: LineageSlug = None,
    names: NamesFile = None,
    name: NameSlugs = None,
    work_folder: WorkFolder = None,
    timeout: Seconds = 60.0,
    as_json: AsJSON = False,
) -> None:
    """Score the model that a round would have given without one site; only the scores are kept."""
    last = round_number if through is None else through
    if last < round_number:
        raise ConfigError(f"--through {through} lies before --round {round_number}")
    labels = read_names(names, [*(name or ()), *(slug for slug in (site, lineage) if slug)])
    exam = read_words(words)
    opened = open_keys(auditor_key, passphrase_file, declare=declare)
    if opened is None:
        raise ConfigError(
            "to leave a site out, every update of the round must be opened",
            hint="give --auditor-key KEYSTORE: nobody else can",
        )
    chain = ChainOptions(deployment, rpc, compare_rpc, finality)
    ledger = connect_ledger(chain, signer_key=opened.account_key if declare else None)
    events = all_events(ledger)
    lineage_id = lineage_named(History(events), None if lineage is None else parse_lineage(lineage))
    omission = Omission(
        lineage_id=lineage_id,
        site_id=parse_site(site),
        first_round=round_number,
        last_round=last,
        keys=opened.keys,
        limits=FetchLimits(timeout_seconds=timeout),
        work_folder=work_folder,
        names=labels,
    )
    with open_stores(ipfs_options(ipfs, swarm_key, peer), work_folder) as stores:
        declare_use(ledger, events, opened, lineage_id, range(round_number, last + 1), labels, send=declare)
        models = leave_out(ledger.identity, events, stores, omission)
    scores = _scores(models, exam, lexicon)
    if as_json:
        typer.echo(json.dumps(_value(models, omission, *scores), ensure_ascii=False))
    else:
        for line in _lines(models, omission, labels, *scores):
            typer.echo(line)
    typer.echo("neither model was written or kept", err=True)


def _scores(models: TwoModels, words: LabelledWords, lexicon: Path | None) -> tuple[Score, Score]:
    """How the published model reads the words, and how the other one does."""
    from learning.backbones import backbone_of  # noqa: PLC0415 - torch loads for seconds
    from learning.evaluation import score_of  # noqa: PLC0415

    names = competing_names(words, lexicon).names
    examination = Examination(words, names, backbone_of(models.backbone_digest, models.scope))
    published, without = (examination.right(model) for model in (models.published, models.without))
    return score_of(sum(published), len(published)), score_of(sum(without), len(without))


def _lines(models: TwoModels, omission: Omission, labels: Names, published: Score, without: Score) -> Iterator[str]:
    site, lineage = labels.label(omission.site_id), labels.label(omission.lineage_id)
    if models.exact:
        yield f"round {models.rounds[0]} of {lineage}: the model, and the same sum without site {site}"
    else:
        rounds = f"rounds {models.rounds[0]} to {models.rounds[-1]} of {lineage}"
        yield f"{rounds}: the last model, and the same sums without site {site} (updates left out: {models.updates})"
        yield RE_SUMMATION
    if models.in_parent:
        yield f"updates of site {site} that stay, because they are in the model that it starts from: {models.in_parent}"
    yield f"accuracy of the published model: {published}"
    yield f"accuracy without the site:       {without}"
    if models.below_quorum:
        which = ", ".join(str(number) for number in models.below_quorum)
        yield f"without the site too few updates are left to publish a model: round {which}"


def _value(models: TwoModels, omission: Omission, published: Score, without: Score) -> dict[str, JSONValue]:
    return {
        "lineage_id": str(omission.lineage_id),
        "site_id": str(omission.site_id),
        "rounds": list(models.rounds),
        "exact": models.exact,
        "left_out": models.updates,
        "in_parent": models.in_parent,
        "below_quorum": list(models.below_quorum),
        "published": _score(published),
        "without": _score(without),
    }


def _score(score: Score) -> dict[str, JSONValue]:
    # Canonical JSON has no fractions: shares of one are text.
    return {
        "correct": score.correct,
        "words": score.total,
        "accuracy": f"{score.accuracy:.6f}",
        "low": f"{score.low:.6f}",
        "high": f"{score.high:.6f}",
    }
