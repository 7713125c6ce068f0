"""The governor's commands: deploy, genesis, invite, admit, and who aggregates and audits."""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import Progress

from fedrx.governor import ACCOUNT_KEY, DEFAULT_CONFIG, KEYSTORE, SETTINGS_FILE, SWARM_KEY_FILE, open_governor
from gateways.chain_follower import ChainFollower
from gateways.data_folder import DataFolder, write_atomically
from gateways.embedded_kubo.repository import write_swarm_key
from gateways.key_ring import KeyRing, read_new_passphrase
from gateways.key_ring.accounts import address_of, create_account, open_account
from gateways.ledger.deploying import deploy as deploy_contract
from gateways.ledger.signers import KeySigner
from protocol.deployment import encode_deployment
from protocol.errors import ConfigError
from protocol.identifiers import AccountAddress, Digest, aggregator_id_of, lineage_id_of, site_id_of
from protocol.joining import Invitation, encode_invitation, fingerprint, key_document_digest, parse_key_document
from protocol.ledger_calls import (
    AdmitAggregator,
    AdmitSite,
    CreateLineage,
    PublishAuditorKey,
    ReinstateSite,
    SetAggregators,
    SuspendSite,
)
from protocol.parameters import encode_parameters, parameters_digest
from protocol.plan import PLAN_SCHEMA
from protocol.recipient_keys import check_public_key, public_key_digest

app = typer.Typer(no_args_is_help=True, help="The consortium's governor: keys, aggregators, auditor, sites.")

Config = Annotated[Path, typer.Option("--config", "-c", help="The governor's settings file.")]
PassphraseFile = Annotated[Path | None, typer.Option(help="File of mode 0600 with the passphrase.")]
out = Console()
talk = Console(stderr=True)


@app.command()
def init(
    data: Annotated[Path, typer.Option("--data", help="The governor's data folder, made when missing.")],
    rpc: Annotated[str, typer.Option("--rpc", help="RPC URL of the chain.")],
    lineage: Annotated[list[str], typer.Option("--lineage", help="Slug of a lineage.")],
    ipfs: Annotated[str | None, typer.Option("--ipfs", help="RPC URL of the governor's Kubo.")] = None,
    passphrase_file: PassphraseFile = None,
) -> None:
    """Makes the governor's keystore, the private swarm's key and the settings file; prints the account."""
    folder = DataFolder(data)
    passphrase = read_new_passphrase(passphrase_file, "New passphrase: ")
    path = folder / KEYSTORE
    key_ring = KeyRing.open(path, passphrase) if path.exists() else KeyRing.create(path, passphrase)
    if ACCOUNT_KEY not in key_ring.names():
        create_account(key_ring, ACCOUNT_KEY)
    if not (folder / SWARM_KEY_FILE).exists():
        write_swarm_key(folder / SWARM_KEY_FILE)
    settings = folder / SETTINGS_FILE
    if not settings.exists():
        slugs = ", ".join(f'"{slug}"' for slug in lineage)
        lines = [
            "# The governor of a FedRx network. Every key is explained in docs/settings.md.",
            'data_folder = "."',
            'deployment = "deployment.json"',
            *([f'passphrase_file = "{passphrase_file.resolve()}"'] if passphrase_file else []),
            f'{"" if ipfs else "# "}ipfs_url = "{ipfs or "http://127.0.0.1:5001"}"',
            "peers = []",
            f"lineages = [{slugs}]",
            "",
            "[chain]",
            f'rpc_url = "{rpc}"',
            "",
        ]
        write_atomically(settings, "\n".join(lines).encode("utf-8"))
    out.print(f"governor  {address_of(open_account(key_ring, ACCOUNT_KEY))}", soft_wrap=True)
    out.print(f"settings  {settings}", soft_wrap=True)


def deploy(config: Config = DEFAULT_CONFIG) -> None:
    """Deploys the contract with the governor's own account; called again, it says that it is there."""
    with open_governor(config) as governor:
        path = governor.settings.deployment
        if path.exists():
            identity = governor.ledger.identity
            out.print(f"deployed already: {identity.contract_address} on chain {identity.chain_id}", soft_wrap=True)
            return
        chain = governor.settings.chain
        signer = KeySigner(governor.key_ring.get(ACCOUNT_KEY))
        deployment = deploy_contract(
            chain.rpc_url,
            signer,
            governor=signer.account,
            finality=chain.finality,
            timeout_seconds=chain.timeout_seconds,
        )
        write_atomically(path, encode_deployment(deployment), mode=0o644)
    out.print(f"deployed {deployment.contract_address} on chain {deployment.chain_id}", soft_wrap=True)


def genesis(
    lexicon: Annotated[Path, typer.Option("--lexicon", help="CSV of the country's medicines.")],
    fonts: Annotated[Path, typer.Option("--fonts", help="Folder of font files to draw the names with.")],
    lineage: Annotated[str, typer.Option("--lineage", help="Slug of the lineage to create.")],
    config: Config = DEFAULT_CONFIG,
    renderings: Annotated[int, typer.Option(help="Images of each name.")] = 4,
    epochs: Annotated[int, typer.Option(help="Passes over the images.")] = 1,
    seed: Annotated[int, typer.Option(help="Decides the images and their order.")] = 0,
    family: Annotated[list[str] | None, typer.Option("--family", help="Font families; all when unset.")] = None,
) -> None:
    """Makes round 0 of a lineage: pre-trained on rendered names of the country's medicines, pinned, on chain."""
    from learning.device import profile_device  # noqa: PLC0415 - torch loads for seconds
    from learning.english_g2 import EnglishG2  # noqa: PLC0415
    from learning.genesis import GenesisProgress, GenesisSettings, pretrain  # noqa: PLC0415
    from prescriptions.lexicon import load_lexicon  # noqa: PLC0415

    with open_governor(config) as governor, Progress(console=talk, transient=True) as bar:
        lineage_id = lineage_id_of(lineage)
        known = ChainFollower(governor.ledger).sync().lineages.get(lineage_id)
        if known is not None:
            out.print(f"{lineage} exists: genesis model {known.created.model_digest}", soft_wrap=True)
            return
        task = bar.add_task("pre-training", total=None)
        settings = GenesisSettings(
            renderings=renderings, epochs=epochs, seed=seed, families=tuple(family) if family else None
        )
        backbone = EnglishG2()

        def show(progress: GenesisProgress) -> None:
            bar.update(task, description=progress.stage, completed=progress.done, total=progress.total)

        names = load_lexicon(lexicon).names
        encoded = encode_parameters(pretrain(backbone, names, fonts, settings, profile_device(), show))
        path = governor.folder / f"genesis-{lineage}.safetensors"
        write_atomically(path, encoded)
        cid = governor.block_store.add(path)
        digest = parameters_digest(encoded)
        receipt = governor.ledger.send(CreateLineage(lineage_id, 0, digest, cid, backbone.digest, PLAN_SCHEMA))
    out.print(f"{lineage}: genesis model {digest}, {cid}, tx {receipt.tx_hash}", soft_wrap=True)


def invite(
    site: Annotated[str, typer.Argument(help="The site's public slug, such as dhaka-general.")],
    output: Annotated[Path, typer.Option("--out", "-o", help="Where to write the invitation.")],
    config: Config = DEFAULT_CONFIG,
) -> None:
    """Writes one signed file that a site joins with. It holds the swarm's key: hand it over as you would a password."""
    if not re.fullmatch(r"[a-z0-9][a-z0-9-]{0,63}", site):
        raise ConfigError(f"{site!r} is no slug", hint="use lower-case letters, digits and hyphens")
    with open_governor(config) as governor:
        settings = governor.settings
        swarm_key = governor.folder / SWARM_KEY_FILE
        peers = settings.peers or (governor.block_store.identity().addresses if settings.ipfs_url else ())
        invitation = Invitation(
            site=site,
            deployment=governor.deployment,
            rpc_url=settings.site_rpc_url or settings.chain.rpc_url,
            lineages=settings.lineages,
            swarm_key=swarm_key.read_text(encoding="ascii") if swarm_key.exists() else "",
            peers=tuple(peers),
            expires_at=int(time.time()) + settings.invitation_days * 86_400,
        )
        write_atomically(output, encode_invitation(invitation, governor.key_ring.get(ACCOUNT_KEY)))
    out.print(f"invitation for {site}: {output}", soft_wrap=True)


def admit(
    key_document: Annotated[Path, typer.Argument(help="site-keys.json from the site.")],
    said: Annotated[str, typer.Option("--fingerprint", help="What the site read to you over the phone.")],
    config: Config = DEFAULT_CONFIG,
    fund: Annotated[float, typer.Option(help="Ether for the site's transactions.")] = 1.0,
) -> None:
    """Admits a site whose fingerprint was read over the phone, and funds its account."""
    with open_governor(config) as governor:
        try:
            document = parse_key_document(key_document.read_bytes())
        except OSError as error:
            raise ConfigError(f"the key document {key_document} cannot be read", hint="check the path") from error
        digest = key_document_digest(document)
        if said.split() != fingerprint(digest).split():
            raise ConfigError(
                "the fingerprint is not this key document's",
                hint="call the site on a number you know and have it read the fingerprint again",
            )
        history = ChainFollower(governor.ledger).sync()
        known = history.sites.get(document.site_id)
        if known is None:
            receipt = governor.ledger.send(AdmitSite(document.site_id, document.account, digest))
            out.print(f"admitted {document.site} in {receipt.tx_hash}", soft_wrap=True)
        elif known.account != document.account:
            raise ConfigError(f"{document.site} is admitted with another account", hint="rotate its account instead")
        wanted = int(fund * 10**18)
        if governor.ledger.balance_wei(document.account) < wanted // 2:
            governor.ledger.transfer(document.account, wanted)
            out.print(f"funded {document.site} with {fund} ether")


@app.command("admit-aggregator")
def admit_aggregator(
    slug: Annotated[str, typer.Argument(help="The aggregator's public slug.")],
    account: Annotated[str, typer.Option(help="Its account, as fedrx aggregator init printed it.")],
    key_digest: Annotated[str, typer.Option(help="Its key digest, as fedrx aggregator init printed it.")],
    config: Config = DEFAULT_CONFIG,
    fund: Annotated[float, typer.Option(help="Ether for its transactions.")] = 1.0,
) -> None:
    """Admits an aggregator, or replaces its account, and funds it."""
    with open_governor(config) as governor:
        address = AccountAddress.from_hex(account)
        receipt = governor.ledger.send(AdmitAggregator(aggregator_id_of(slug), address, Digest.from_hex(key_digest)))
        governor.ledger.transfer(address, int(fund * 10**18))
    out.print(f"admitted {slug} in {receipt.tx_hash}", soft_wrap=True)


@app.command("set-aggregators")
def set_aggregators(
    slugs: Annotated[list[str], typer.Argument(help="Who opens and attests rounds.")],
    config: Config = DEFAULT_CONFIG,
    threshold: Annotated[int, typer.Option(help="Votes that finalise a result.")] = 1,
) -> None:
    """Chooses the aggregators of coming rounds."""
    with open_governor(config) as governor:
        ids = tuple(aggregator_id_of(slug) for slug in slugs)
        receipt = governor.ledger.send(SetAggregators(ids, threshold))
    out.print(f"{len(ids)} aggregators, {threshold} votes finalise: {receipt.tx_hash}", soft_wrap=True)


@app.command("auditor-key")
def auditor_key(
    public_key: Annotated[Path, typer.Argument(help="The auditor's public key file (fedrx audit keygen).")],
    account: Annotated[str, typer.Option(help="The auditor's account.")],
    config: Config = DEFAULT_CONFIG,
    fund: Annotated[float, typer.Option(help="Ether for declaring the key's use.")] = 1.0,
) -> None:
    """Names the auditor's key of the next epoch: it can open every update from the next round on."""
    with open_governor(config) as governor:
        key = check_public_key(public_key.read_bytes())
        cid = governor.block_store.add(public_key)
        address = AccountAddress.from_hex(account)
        receipt = governor.ledger.send(PublishAuditorKey(address, public_key_digest(key), cid))
        governor.ledger.transfer(address, int(fund * 10**18))
    out.print(f"auditor's key {public_key_digest(key)} in {receipt.tx_hash}", soft_wrap=True)


@app.command()
def suspend(site: str, config: Config = DEFAULT_CONFIG) -> None:
    """Suspends a site: it registers no updates; withdrawals of consent still go through."""
    with open_governor(config) as governor:
        out.print(f"suspended in {governor.ledger.send(SuspendSite(site_id_of(site))).tx_hash}", soft_wrap=True)


@app.command()
def reinstate(site: str, config: Config = DEFAULT_CONFIG) -> None:
    """Takes a suspended site back."""
    with open_governor(config) as governor:
        out.print(f"reinstated in {governor.ledger.send(ReinstateSite(site_id_of(site))).tx_hash}", soft_wrap=True)
