"""Who takes part: sites are invited, admitted, rotated and suspended; aggregators are admitted and chosen."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from fedrx.fingerprints import check_fingerprint
from fedrx.governor import ACCOUNT_KEY, DEFAULT_CONFIG, Governor, open_governor
from fedrx.governor_options import Config, Fund, SiteSlug, out, parse_account, parse_digest
from gateways.chain_follower import ChainFollower
from gateways.daemon_block_store import SWARM_KEY_FILE
from gateways.data_folder import DataFolder, store_error, write_atomically
from gateways.embedded_kubo.repository import read_swarm_key
from protocol.errors import ConfigError
from protocol.history import SiteView
from protocol.identifiers import AccountAddress, Digest, aggregator_id_of, site_id_of
from protocol.joining import (
    Invitation,
    KeyDocument,
    encode_invitation,
    fingerprint,
    key_document_digest,
    parse_key_document,
)
from protocol.ledger_calls import (
    AdmitAggregator,
    AdmitSite,
    ReinstateSite,
    RotateSiteAccount,
    SetAggregators,
    SuspendSite,
)
from protocol.slugs import check_slug

KeyDocumentFile = Annotated[Path, typer.Argument(help="site-keys.json from the site.")]
Fingerprint = Annotated[str, typer.Option("--fingerprint", help="What the site read to you over the phone.")]


def invite(
    sites: Annotated[
        list[str],
        typer.Argument(metavar="SITE...", parser=check_slug, help="Public slugs, such as dhaka-general."),
    ],
    output: Annotated[
        Path, typer.Option("--out", "-o", help="The invitation's file; for several sites the folder of their files.")
    ],
    config: Config = DEFAULT_CONFIG,
) -> None:
    """Writes a signed file that a site joins with. It holds the swarm's key: hand it over as you would a password."""
    with open_governor(config) as governor:
        settings = governor.settings
        peers = settings.peers or (governor.block_store.identity().addresses if settings.ipfs_url else ())
        for site, path in _invitation_files(sites, output):
            invitation = Invitation(
                site=site,
                deployment=governor.deployment,
                governor=governor.account,
                rpc_url=settings.site_rpc_url or settings.chain.rpc_url,
                lineages=settings.lineages,
                swarm_key=_swarm_key(governor.folder),
                peers=tuple(peers),
                expires_at=int(time.time()) + settings.invitation_days * 86_400,
            )
            write_atomically(path, encode_invitation(invitation, governor.key_ring.get(ACCOUNT_KEY)))
            out.print(f"invitation for {site}: {path}", soft_wrap=True)


def _invitation_files(sites: Sequence[str], output: Path) -> list[tuple[str, Path]]:
    if len(sites) == 1 and not output.is_dir():
        return [(sites[0], output)]
    try:
        output.mkdir(parents=True, exist_ok=True)
    except FileExistsError as error:
        raise ConfigError(f"{output} is a file", hint="name a folder for the invitations of several sites") from error
    except OSError as error:
        raise store_error(error, output) from error
    return [(site, output / f"{site}.invitation") for site in dict.fromkeys(sites)]


def admit(
    key_document: KeyDocumentFile,
    said: Fingerprint,
    config: Config = DEFAULT_CONFIG,
    fund: Fund = 1.0,
) -> None:
    """Admits a site whose fingerprint was read over the phone, and funds its account."""
    with open_governor(config) as governor:
        document = _checked_document(key_document, said)
        digest = key_document_digest(document)
        known = ChainFollower(governor.ledger).sync().sites.get(document.site_id)
        governor.keep_key_document(document)
        if known is None:
            receipt = governor.ledger.send(AdmitSite(document.site_id, document.account, digest))
            out.print(f"admitted {document.site} in {receipt.tx_hash}", soft_wrap=True)
        elif known.account != document.account:
            raise ConfigError(
                f"{document.site} is admitted with another account",
                hint="rotate it instead: fedrx governor rotate-site",
            )
        _fund(governor, document, fund)


def rotate_site(
    key_document: Annotated[Path, typer.Argument(help="site-keys.next.json from the site.")],
    said: Fingerprint,
    config: Config = DEFAULT_CONFIG,
    fund: Fund = 1.0,
) -> None:
    """Replaces a site's account and key document by those whose fingerprint was read over the phone, and funds it."""
    with open_governor(config) as governor:
        document = _checked_document(key_document, said)
        digest = key_document_digest(document)
        known = ChainFollower(governor.ledger).sync().sites.get(document.site_id)
        if known is None:
            raise ConfigError(f"{document.site} is not admitted", hint="fedrx admit")
        governor.keep_key_document(document)
        if (known.account, known.key_digest) != (document.account, digest):
            receipt = governor.ledger.send(RotateSiteAccount(document.site_id, document.account, digest))
            out.print(f"rotated {document.site} to {document.account} in {receipt.tx_hash}", soft_wrap=True)
        _fund(governor, document, fund)


def admit_aggregator(
    slug: Annotated[str, typer.Argument(parser=check_slug, help="The aggregator's public slug.")],
    account: Annotated[
        AccountAddress, typer.Option(parser=parse_account, help="Its account, as fedrx aggregator init printed it.")
    ],
    key_digest: Annotated[
        Digest, typer.Option(parser=parse_digest, help="Its key digest, as fedrx aggregator init printed it.")
    ],
    config: Config = DEFAULT_CONFIG,
    fund: Fund = 1.0,
) -> None:
    """Admits an aggregator, or replaces its account, and funds it."""
    with open_governor(config) as governor:
        receipt = governor.ledger.send(AdmitAggregator(aggregator_id_of(slug), account, key_digest))
        governor.fund(account, fund)
    out.print(f"admitted {slug} in {receipt.tx_hash}", soft_wrap=True)


def set_aggregators(
    slugs: Annotated[list[str], typer.Argument(parser=check_slug, help="Who opens and attests rounds.")],
    config: Config = DEFAULT_CONFIG,
    threshold: Annotated[int, typer.Option(min=1, help="Votes that finalise a result.")] = 1,
) -> None:
    """Chooses the aggregators of coming rounds."""
    if threshold > len(slugs):
        raise ConfigError(
            f"{threshold} votes are more than {len(slugs)} aggregators have", hint="name more of them, or give fewer"
        )
    with open_governor(config) as governor:
        ids = tuple(aggregator_id_of(slug) for slug in slugs)
        receipt = governor.ledger.send(SetAggregators(ids, threshold))
    out.print(f"{len(ids)} aggregators, {threshold} votes finalise: {receipt.tx_hash}", soft_wrap=True)


def suspend(site: SiteSlug, config: Config = DEFAULT_CONFIG) -> None:
    """Suspends a site: it registers no updates; withdrawals of consent still go through."""
    with open_governor(config) as governor:
        if _admitted(governor, site).suspended:
            out.print(f"{site} is suspended already")
            return
        out.print(f"suspended in {governor.ledger.send(SuspendSite(site_id_of(site))).tx_hash}", soft_wrap=True)


def reinstate(site: SiteSlug, config: Config = DEFAULT_CONFIG) -> None:
    """Takes a suspended site back."""
    with open_governor(config) as governor:
        if not _admitted(governor, site).suspended:
            out.print(f"{site} is not suspended")
            return
        out.print(f"reinstated in {governor.ledger.send(ReinstateSite(site_id_of(site))).tx_hash}", soft_wrap=True)


def _admitted(governor: Governor, site: str) -> SiteView:
    known = ChainFollower(governor.ledger).sync().sites.get(site_id_of(site))
    if known is None:
        raise ConfigError(f"no site {site} was ever admitted", hint="check the slug: fedrx governor status lists sites")
    if known.left:
        raise ConfigError(f"{site} left the network for good", hint="nothing to do: it registers no updates")
    return known


def _swarm_key(folder: DataFolder) -> str:
    """The private swarm's key; empty where the governor has none."""
    path = folder / SWARM_KEY_FILE
    return read_swarm_key(path) if path.exists() else ""


def _checked_document(file: Path, said: str) -> KeyDocument:
    try:
        document = parse_key_document(file.read_bytes())
    except OSError as error:
        raise ConfigError(f"the key document {file} cannot be read", hint="check the path") from error
    check_fingerprint(said, fingerprint(key_document_digest(document)), of="this key document's", who="the site")
    return document


def _fund(governor: Governor, document: KeyDocument, ether: float) -> None:
    if governor.fund(document.account, ether):
        out.print(f"funded {document.site} with {ether} ether")
