"""``fedrx audit diff``: what changed between two rounds or models, or where two endpoints' chains part."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Annotated

import typer

from audit.chain_walk import walk_chain
from audit.connections import ChainOptions, all_events, connect_ledger, ipfs_options, open_stores
from audit.difference import Change, Side, changes
from audit.given import parse_lineage
from audit.names import Names, read_names
from audit.options import (
    RPCURL,
    AsJSON,
    DeploymentFile,
    FinalityChoice,
    IPFSURLs,
    LineageSlug,
    NamesFile,
    NameSlugs,
    OlderDeployments,
    OlderRPCURL,
    Peers,
    Seconds,
    SwarmKey,
)
from audit.parting import Parting, parting_sentences, where_they_part
from audit.pieces import FetchLimits
from audit.sides import find_side, with_plans
from audit.succession import open_succession
from audit.trail import trail
from protocol.canonical_json import JSONValue
from protocol.errors import AuditError, ConfigError
from protocol.ledger_events import LocatedEvent

_NOT_PUBLIC = "how well each reads is not on the chain: fedrx audit score tells it on words of yours"


def diff_command(
    deployment: DeploymentFile,
    rpc: RPCURL,
    before: Annotated[str | None, typer.Argument(help="A round's number or a model's 0x digest; 0 is genesis.")] = None,
    after: Annotated[str | None, typer.Argument(help="Another one.")] = None,
    other_rpc: Annotated[
        str | None, typer.Option("--other-rpc", help="Instead: find where this endpoint's chain parts from --rpc's.")
    ] = None,
    finality: FinalityChoice = "latest",
    lineage: LineageSlug = None,
    ipfs: IPFSURLs = None,
    swarm_key: SwarmKey = None,
    peer: Peers = None,
    names: NamesFile = None,
    name: NameSlugs = None,
    predecessor_deployment: OlderDeployments = None,
    predecessor_rpc: OlderRPCURL = None,
    timeout: Seconds = 60.0,
    as_json: AsJSON = False,
) -> None:
    """Tell what changed between two rounds or models, or where two endpoints' chains part (--other-rpc)."""
    labels = read_names(names, [*(name or ()), *([lineage] if lineage else ())])
    chain = ChainOptions(deployment, rpc, None, finality)
    if other_rpc is not None:
        if before is not None:
            raise ConfigError("--other-rpc compares whole chains", hint="leave the rounds away")
        _compare_endpoints(chain, other_rpc, labels, as_json=as_json)
        return
    if before is None or after is None:
        raise ConfigError("diff compares two things", hint="give two rounds or models, or --other-rpc URL")
    succession = open_succession(chain, predecessor_deployment or (), predecessor_rpc)
    ledgers = [chapter.ledger for chapter in succession.chapters]
    told = [(ledger.identity, walk_chain(all_events(ledger), ledger.identity, labels)) for ledger in ledgers]
    lineage_id = None if lineage is None else parse_lineage(lineage)
    sides: Sequence[Side] = [find_side(told, word, lineage_id, labels) for word in (before, after)]
    where = ipfs_options(ipfs, swarm_key, peer)
    if where.urls or where.swarm_key:
        with open_stores(where, None) as stores:
            sides = with_plans(sides, stores, FetchLimits(timeout_seconds=timeout))
    else:
        typer.echo("the plans' settings are not compared (--ipfs)", err=True)
    for line in _lines(sides[0], sides[1], labels, as_json=as_json):
        typer.echo(line)
    for sentence in (*succession.sentences(), _NOT_PUBLIC):
        typer.echo(sentence, err=True)


def _lines(before: Side, after: Side, labels: Names, *, as_json: bool) -> Iterator[str]:
    titles = before.title(labels), after.title(labels)
    found = list(changes(before, after, labels))
    if as_json:
        yield _json_line({"before": titles[0], "after": titles[1], "changes": [_value(change) for change in found]})
        return
    yield f"from {titles[0]}"
    yield f"to   {titles[1]}"
    yield from (f"  {change.sentence}" for change in found)
    if not found:
        yield "  nothing that is compared here changed"


def _value(change: Change) -> JSONValue:
    return {"topic": change.topic, "sentence": change.sentence, "before": change.before, "after": change.after}


def _compare_endpoints(chain: ChainOptions, other_rpc: str, labels: Names, *, as_json: bool) -> None:
    one, other = connect_ledger(chain), connect_ledger(replace(chain, rpc_url=other_rpc))
    parting = where_they_part(one, other)
    if as_json:
        typer.echo(_json_line(_parting_value(parting, labels)))
    else:
        for sentence in parting_sentences(parting, labels):
            typer.echo(sentence)
    if not parting.same:
        raise AuditError(
            "the two endpoints do not tell the same chain", hint="ask the other sites which block they kept"
        )


def _parting_value(parting: Parting, labels: Names) -> dict[str, JSONValue]:
    return {
        "same": parting.same,
        "compared_to_block": parting.compared_to,
        "first_other_block": parting.block,
        "same_events": parting.same_events,
        "first_endpoint": _row(parting.one, labels),
        "other_endpoint": _row(parting.other, labels),
    }


def _row(located: LocatedEvent | None, labels: Names) -> JSONValue:
    rows: Iterable[dict[str, JSONValue]] = (row.as_json() for row in trail([located], labels)) if located else ()
    return next(iter(rows), None)


def _json_line(value: dict[str, JSONValue]) -> str:
    return json.dumps(value, ensure_ascii=False)
