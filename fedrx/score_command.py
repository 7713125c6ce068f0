"""``fedrx audit score``: how well each published model reads words of the auditor's own, whatever anybody says of it.

It stands here and not in ``audit``, because scoring needs a backbone.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import closing
from importlib.metadata import version
from pathlib import Path
from typing import Annotated

import typer

from audit.accuracy import Accuracy, ScoredModel, read_scores, source_of
from audit.connections import ChainOptions, IPFSOptions, all_events, connect_ledger, ipfs_options, open_stores
from audit.findings import Difference, Missing, Topic
from audit.given import parse_lineage
from audit.lineage import lineage_named
from audit.names import read_names
from audit.options import (
    RPCURL,
    AsJSON,
    CompareURL,
    DeploymentFile,
    FinalityChoice,
    IPFSURLs,
    LineageSlug,
    NamesFile,
    NameSlugs,
    Peers,
    RoundRange,
    Seconds,
    SwarmKey,
    WorkFolder,
)
from audit.pieces import FetchLimits
from audit.published_models import PublishedModel, fetch_models, published_models
from audit.round_range import ALL_ROUNDS, parse_rounds
from audit.tables import progress_bar
from fedrx.examination import competing_names
from fedrx.labelled_words import read_words
from fedrx.scoring import Scoring
from gateways.data_folder import require_writable
from protocol.canonical_json import JSONValue
from protocol.errors import AuditError, ConfigError, LearningError, MalformedError
from protocol.history import History, LineageView
from protocol.identifiers import LineageId

_PACKAGES = ("fedrx", "torch", "onnxruntime")


def score_command(
    deployment: DeploymentFile,
    rpc: RPCURL,
    words: Annotated[Path, typer.Option("--words", help="Folder with labels.csv (file,label) and PNG crops of words.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="The scores file; one that is there is gone on with.")],
    lexicon: Annotated[
        Path | None, typer.Option("--lexicon", help="CSV of names that compete; unset: those of labels.csv.")
    ] = None,
    compare_rpc: CompareURL = None,
    finality: FinalityChoice = "latest",
    ipfs: IPFSURLs = None,
    swarm_key: SwarmKey = None,
    peer: Peers = None,
    lineage: LineageSlug = None,
    rounds: RoundRange = None,
    names: NamesFile = None,
    name: NameSlugs = None,
    work_folder: WorkFolder = None,
    timeout: Seconds = 60.0,
    as_json: AsJSON = False,
) -> None:
    """Score genesis and every round's model on words of your own; the file holds counts and no word."""
    labels = read_names(names, [*(name or ()), *([lineage] if lineage else ())])
    wanted = ALL_ROUNDS if rounds is None else parse_rounds(rounds)
    exam_words = read_words(words)
    competing = competing_names(exam_words, lexicon)
    require_writable(out)
    (earlier,) = read_scores([out]) if out.exists() else (None,)
    ledger = connect_ledger(ChainOptions(deployment, rpc, compare_rpc, finality))
    history = History(all_events(ledger))
    lineage_id = lineage_named(history, None if lineage is None else parse_lineage(lineage))
    view = _lineage(history, lineage_id, labels.label(lineage_id))
    models = [model for model in published_models(view) if model.round in wanted]
    if not models:
        raise ConfigError("none of these rounds published a model", hint="fedrx audit trail says which did")
    scoring = Scoring(exam_words, competing, ledger.identity, view, out, _software())
    if earlier is not None:
        scoring.go_on_from(earlier)
    limits = FetchLimits(timeout_seconds=timeout)
    troubles = _score(scoring, models, ipfs_options(ipfs, swarm_key, peer), limits, work_folder)
    _print(scoring, models, troubles, as_json=as_json)
    if troubles:
        raise AuditError(f"{len(troubles)} of {len(models)} models could not be scored", hint="ask more endpoints")


def _score(
    scoring: Scoring,
    models: Sequence[PublishedModel],
    where: IPFSOptions,
    limits: FetchLimits,
    work_folder: Path | None,
) -> dict[int, Difference | Missing]:
    """Scores what was not scored yet; by round, why a model could not be."""
    left = [model for model in models if not scoring.has(model)]
    troubles: dict[int, Difference | Missing] = {}
    if not left:
        return troubles
    with open_stores(where, work_folder) as stores, progress_bar() as progress:
        task = progress.add_task("models", total=len(models), completed=len(models) - len(left))
        with closing(fetch_models(stores, left, limits, work_folder)) as fetched:
            for model, found in fetched:
                progress.update(task, description=f"round {model.round}")
                trouble = _score_one(scoring, model, found) if isinstance(found, Path) else found
                if trouble is not None:
                    troubles[model.round] = trouble
                progress.advance(task)
    return troubles


def _score_one(scoring: Scoring, model: PublishedModel, file: Path) -> Difference | None:
    """Scores a model; its fault where the published bytes are none."""
    try:
        scoring.score(model, file.read_bytes())
    except MalformedError as error:
        return Difference(Topic.MODEL, f"what is published at {model.cid} is no model: {error.what}")
    except LearningError as error:
        raise LearningError(f"round {model.round} cannot be scored: {error.what}", hint=error.hint) from error
    return None


def _print(
    scoring: Scoring, models: Sequence[PublishedModel], troubles: dict[int, Difference | Missing], *, as_json: bool
) -> None:
    accuracy = Accuracy([] if scoring.scores is None else [scoring.scores])
    for model in models:
        trouble = troubles.get(model.round)
        scored = accuracy.of(scoring.lineage_id, model.digest, model.parent)
        if trouble is not None:
            kind = "different" if isinstance(trouble, Difference) else "missing"
            value: dict[str, JSONValue] = {"outcome": kind, "round": model.round, "sentence": trouble.sentence}
            text = f"{kind.upper()}: {trouble.sentence}"
        elif scored is not None:
            value, text = _value(scored, model.round), scored.sentence
        else:
            continue
        typer.echo(json.dumps(value, ensure_ascii=False) if as_json else f"round {model.round}: {text}")
    if scoring.scores is not None:
        typer.echo(source_of(scoring.scores.exam), err=True)


def _value(scored: ScoredModel, number: int) -> dict[str, JSONValue]:
    change = scored.movement
    # Canonical JSON has no fractions: shares of one are text.
    return {
        "outcome": "scored",
        "round": number,
        "model_digest": str(scored.score.model_digest),
        "correct": scored.score.correct,
        "words": scored.exam.words,
        "accuracy": f"{scored.share:.6f}",
        "low": f"{scored.low:.6f}",
        "high": f"{scored.high:.6f}",
        "newly_right": None if change is None else change.gained,
        "newly_wrong": None if change is None else change.lost,
        "p_value": None if change is None else f"{change.p_value:.6f}",
    }


def _lineage(history: History, lineage_id: LineageId, label: str) -> LineageView:
    view = history.lineages.get(lineage_id)
    if view is None:
        raise ConfigError(f"this deployment has no lineage {label}", hint="check its slug")
    return view


def _software() -> str:
    return ", ".join(f"{package} {version(package)}" for package in _PACKAGES)
