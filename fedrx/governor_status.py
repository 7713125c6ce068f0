"""How the network stands: who governs, aggregates, audits and takes part. Read from the chain, without a passphrase."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Annotated

import typer
from rich.table import Table

from audit.names import Names
from fedrx.governor import DEFAULT_CONFIG, open_governor
from fedrx.governor_options import AsJSON, Config, out
from gateways.chain_follower import ChainFollower
from protocol.history import ConsentView, History, LineageView, SiteView
from protocol.joining import auditor_fingerprint, fingerprint


@dataclass(frozen=True, slots=True)
class SiteStanding:
    """A site as the governor sees it."""

    site: str
    site_id: str
    standing: str
    account: str
    fingerprint: str
    """Of the key document in force."""
    consent_version: int
    """The newest consent root; 0 without one."""


@dataclass(frozen=True, slots=True)
class AggregatorStanding:
    """An admitted aggregator."""

    aggregator: str
    aggregator_id: str
    account: str
    in_set: bool
    """Whether it opens and attests new rounds."""


@dataclass(frozen=True, slots=True)
class AuditorStanding:
    """The auditor of the newest epoch."""

    epoch: int
    account: str
    key_digest: str
    fingerprint: str


@dataclass(frozen=True, slots=True)
class LineageStanding:
    """A lineage's head and live round."""

    lineage: str
    lineage_id: str
    head_round: int
    head_digest: str
    live_round: int | None
    live_state: str | None


@dataclass(frozen=True, slots=True)
class NetworkStatus:
    """Everything that ``fedrx governor status`` shows."""

    chain_id: int
    contract_address: str
    head_block: int
    governor: str
    offered_to: str | None
    """The account that may take the governance over (``fedrx governor accept``); None when none is offered."""
    successor: str | None
    """None while this deployment is not sealed."""
    threshold: int
    """Votes that finalise; 0 when no aggregators were chosen."""
    aggregators: tuple[AggregatorStanding, ...]
    auditor: AuditorStanding | None
    sites: tuple[SiteStanding, ...]
    lineages: tuple[LineageStanding, ...]


def status(
    config: Config = DEFAULT_CONFIG,
    name: Annotated[list[str] | None, typer.Option("--name", help="A slug to show instead of its id.")] = None,
    *,
    as_json: AsJSON = False,
) -> None:
    """Shows who governs, aggregates, audits and takes part, and every lineage. Needs no passphrase."""
    with open_governor(config) as governor:
        follower = ChainFollower(governor.chain_reader)
        history = follower.sync()
        offered_to = governor.chain_reader.pending_governor()
        names = Names([*(name or ()), *governor.site_slugs(), *governor.settings.lineages])
        deployment = governor.deployment
    current, sealed = history.aggregator_set, history.sealed
    found = NetworkStatus(
        chain_id=deployment.chain_id,
        contract_address=str(deployment.contract_address),
        head_block=follower.head.number,
        governor=str(history.governor),
        offered_to=None if offered_to is None else str(offered_to),
        successor=None if sealed is None else f"{sealed.successor} on chain {sealed.successor_chain_id}",
        threshold=0 if current is None else current.threshold,
        aggregators=_aggregators(history, names),
        auditor=_auditor(history),
        sites=tuple(_site(history, site, names) for site in history.sites.values()),
        lineages=tuple(_lineage(view, names, follower.head.timestamp) for view in history.lineages.values()),
    )
    if as_json:
        typer.echo(json.dumps(asdict(found), indent=2))
    else:
        _print(found)


def _aggregators(history: History, names: Names) -> tuple[AggregatorStanding, ...]:
    members = () if history.aggregator_set is None else history.aggregator_set.aggregator_ids
    return tuple(
        AggregatorStanding(names.label(key), str(key), str(admitted.account), key in members)
        for key, admitted in history.aggregators.items()
    )


def _auditor(history: History) -> AuditorStanding | None:
    key = history.auditor_key
    if key is None:
        return None
    said = auditor_fingerprint(key.auditor, key.key_digest)
    return AuditorStanding(key.epoch, str(key.auditor), str(key.key_digest), said)


def _site(history: History, site: SiteView, names: Names) -> SiteStanding:
    standing = "left" if site.left else "suspended" if site.suspended else "active"
    consent = history.consents.get(site.site_id, ConsentView())
    return SiteStanding(
        site=names.label(site.site_id),
        site_id=str(site.site_id),
        standing=standing,
        account=str(site.account),
        fingerprint=fingerprint(site.key_digest),
        consent_version=consent.latest_version,
    )


def _lineage(view: LineageView, names: Names, now: int) -> LineageStanding:
    live = view.live_round()
    return LineageStanding(
        lineage=names.label(view.created.lineage_id),
        lineage_id=str(view.created.lineage_id),
        head_round=view.head_round,
        head_digest=str(view.head_digest),
        live_round=None if live is None else live.opened.round,
        live_state=None if live is None else live.state(now).name.lower(),
    )


def _print(found: NetworkStatus) -> None:
    out.print(
        f"contract    {found.contract_address} on chain {found.chain_id}, block {found.head_block}", soft_wrap=True
    )
    out.print(f"governor    {found.governor}", soft_wrap=True)
    if found.offered_to is not None:
        out.print(f"offered     to {found.offered_to}, which has not accepted yet", soft_wrap=True)
    if found.successor is not None:
        out.print(f"sealed      successor {found.successor}", soft_wrap=True)
    if found.auditor is None:
        out.print("auditor     none: fedrx governor auditor-key")
    else:
        auditor = found.auditor
        said = f"epoch {auditor.epoch}, {auditor.account}, fingerprint {auditor.fingerprint}"
        out.print(f"auditor     {said}", soft_wrap=True)
    members = sum(each.in_set for each in found.aggregators)
    out.print(f"votes       {found.threshold} of {members} aggregators finalise a round")
    _table(
        ("aggregator", "account", "in the set"),
        ((each.aggregator, each.account, "yes" if each.in_set else "no") for each in found.aggregators),
    )
    _table(
        ("site", "standing", "account", "fingerprint of its keys", "consent root"),
        (
            (each.site, each.standing, each.account, each.fingerprint, str(each.consent_version or "none"))
            for each in found.sites
        ),
    )
    _table(
        ("lineage", "head", "model", "live round"),
        ((each.lineage, str(each.head_round), f"{each.head_digest[:18]}…", _live(each)) for each in found.lineages),
    )


def _table(headers: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> None:
    table = Table(*headers, box=None)
    for row in rows:
        table.add_row(*row)
    if table.row_count:
        out.print()
        out.print(table)


def _live(lineage: LineageStanding) -> str:
    return "none" if lineage.live_round is None else f"{lineage.live_round}, {lineage.live_state}"
