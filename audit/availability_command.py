"""``fedrx audit availability``: where the contents are that the chain names."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Annotated

import typer

from audit.availability import check_availability, named_contents
from audit.connections import ChainOptions, all_events, connect_ledger, ipfs_options, open_stores
from audit.names import read_names
from audit.options import (
    RPCURL,
    AsJSON,
    CompareURL,
    DeploymentFile,
    FinalityChoice,
    IPFSURLs,
    NamesFile,
    NameSlugs,
    Peers,
    Seconds,
    SwarmKey,
    WorkFolder,
)
from audit.pieces import FetchLimits
from audit.sentences import count
from audit.tables import availability_json, availability_table, output, progress_bar
from protocol.errors import AuditError


def availability_command(
    deployment: DeploymentFile,
    rpc: RPCURL,
    compare_rpc: CompareURL = None,
    finality: FinalityChoice = "latest",
    ipfs: IPFSURLs = None,
    swarm_key: SwarmKey = None,
    peer: Peers = None,
    read: Annotated[bool, typer.Option("--read", help="Also read and check every byte.")] = False,
    names: NamesFile = None,
    name: NameSlugs = None,
    work_folder: WorkFolder = None,
    timeout: Seconds = 60.0,
    as_json: AsJSON = False,
) -> None:
    """Show which IPFS endpoint holds each content that the chain names."""
    labels = read_names(names, name or ())
    ledger = connect_ledger(ChainOptions(deployment, rpc, compare_rpc, finality))
    contents = named_contents(all_events(ledger), labels)
    where = ipfs_options(ipfs, swarm_key, peer)
    limits = FetchLimits(timeout_seconds=timeout)
    with (
        open_stores(where, work_folder) as stores,
        tempfile.TemporaryDirectory(prefix="fedrx-availability-", dir=work_folder) as folder,
        progress_bar() as progress,
    ):
        task = progress.add_task("contents", total=len(contents))
        # A core of our own pins nothing: only what it can read from the swarm tells.
        found = check_availability(
            contents,
            stores,
            Path(folder),
            limits,
            read=read or not where.urls,
            progress=lambda done: progress.update(task, completed=done),
        )
        rows = list(found)
    endpoints = where.urls or ("own core",)
    if as_json:
        for row in rows:
            typer.echo(json.dumps(availability_json(row, endpoints), ensure_ascii=False))
    else:
        output().print(availability_table(rows, endpoints))
    there, lost = sum(row.there for row in rows), sum(row.lost for row in rows)
    never = len(rows) - there - lost
    summed_up = f"{there} of {count(len(rows), 'content')} are there"
    typer.echo(f"{summed_up}; {never} never reached the aggregators either" if never else summed_up, err=as_json)
    if lost:
        hint = "ask more endpoints" if read else "ask more endpoints, or --read: another peer of the swarm may have it"
        raise AuditError(f"{lost} of {count(len(rows), 'content')} are held by nobody that was asked", hint=hint)
