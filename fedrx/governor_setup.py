"""What a governor does once: keys, contract, round 0 of a lineage."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.progress import Progress

from fedrx.governor import ACCOUNT_KEY, DEFAULT_CONFIG, KEYSTORE, SETTINGS_FILE, GovernorSettings, open_governor
from fedrx.governor_options import Config, PassphraseFile, check_slug, out, talk
from fedrx.governor_template import InitialChoices, render
from gateways.chain_follower import ChainFollower
from gateways.daemon_block_store import SWARM_KEY_FILE
from gateways.data_folder import DataFolder, write_atomically
from gateways.embedded_kubo.repository import write_swarm_key
from gateways.key_ring import KeyRing, read_new_passphrase
from gateways.key_ring.accounts import address_of, create_account, open_account
from gateways.settings import parse_settings
from learning.published import ENGLISH_G2, PUBLISHED
from protocol.canonical_json import MAX_INTEGER
from protocol.deployment import encode_deployment
from protocol.errors import ConfigError
from protocol.identifiers import lineage_id_of
from protocol.ledger_calls import CreateLineage
from protocol.parameters import encode_parameters, parameters_digest
from protocol.plan import PLAN_SCHEMA

if TYPE_CHECKING:
    from learning.backbone import Backbone
    from learning.genesis import GenesisSettings

_MAX_RENDERINGS = 1000
_MAX_EPOCHS = 10_000
_SCOPES = "; ".join(f"{published.name}: {', '.join(published.scopes)}" for published in PUBLISHED)


def init(
    data: Annotated[Path, typer.Option("--data", help="The governor's data folder, made when missing.")],
    rpc: Annotated[str, typer.Option("--rpc", help="RPC URL of the chain.")],
    lineage: Annotated[list[str], typer.Option("--lineage", help="Slug of a lineage.")],
    ipfs: Annotated[str | None, typer.Option("--ipfs", help="RPC URL of the governor's Kubo.")] = None,
    passphrase_file: PassphraseFile = None,
) -> None:
    """Makes the governor's keystore, the private swarm's key and the settings file; prints the account."""
    choices = InitialChoices(
        rpc_url=rpc,
        lineages=tuple(lineage),
        ipfs_url=ipfs,
        passphrase_file=str(passphrase_file.resolve()) if passphrase_file else None,
    )
    text = render(choices)
    # Checked before it is written: a file that no command can read would be in the way of the next try.
    parse_settings(text, data / SETTINGS_FILE, GovernorSettings)
    folder = DataFolder(data)
    settings = folder / SETTINGS_FILE
    if not settings.exists():
        write_atomically(settings, text.encode("utf-8"))
    elif settings.read_bytes() != text.encode("utf-8"):
        raise ConfigError(f"{settings} exists with other settings", hint="keep it, or move it away to start anew")
    key_ring = _keys(folder, read_new_passphrase(passphrase_file, "New passphrase: "))
    out.print(f"governor  {address_of(open_account(key_ring, ACCOUNT_KEY))}", soft_wrap=True)
    out.print(f"settings  {settings}", soft_wrap=True)


def deploy(config: Config = DEFAULT_CONFIG) -> None:
    """Deploys the contract with the governor's own account; called again, it says that it is there."""
    from gateways.ledger.deploying import deploy as deploy_contract  # noqa: PLC0415 - the ABI loads for half a second
    from gateways.ledger.signers import KeySigner  # noqa: PLC0415

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
            max_fee_gwei=chain.max_fee_gwei,
        )
        write_atomically(path, encode_deployment(deployment), mode=0o644)
    out.print(f"deployed {deployment.contract_address} on chain {deployment.chain_id}", soft_wrap=True)


def genesis(
    lexicon: Annotated[Path, typer.Option("--lexicon", help="CSV of the country's medicines.")],
    fonts: Annotated[Path, typer.Option("--fonts", help="Folder of font files to draw the names with.")],
    lineage: Annotated[str, typer.Option("--lineage", parser=check_slug, help="Slug of the lineage to create.")],
    config: Config = DEFAULT_CONFIG,
    *,
    backbone: Annotated[
        str, typer.Option("--backbone", help="Published network whose front stays frozen.")
    ] = ENGLISH_G2.name,
    scope: Annotated[
        str | None, typer.Option("--scope", help=f"What sites train, the first when unset. {_SCOPES}.")
    ] = None,
    renderings: Annotated[int, typer.Option(min=1, max=_MAX_RENDERINGS, help="Images of each name.")] = 4,
    epochs: Annotated[int, typer.Option(min=1, max=_MAX_EPOCHS, help="Passes over the images.")] = 1,
    seed: Annotated[int, typer.Option(min=0, max=MAX_INTEGER, help="Decides the images and their order.")] = 0,
    family: Annotated[list[str] | None, typer.Option("--family", help="Font families; all when unset.")] = None,
) -> None:
    """Makes round 0 of a lineage: pre-trained on rendered names of the country's medicines, pinned, on chain."""
    from learning.backbones import make_backbone  # noqa: PLC0415 - torch loads for seconds
    from learning.genesis import GenesisSettings  # noqa: PLC0415

    # First of all: a name that does not exist must not cost a passphrase.
    network = make_backbone(backbone, scope)
    settings = GenesisSettings(
        renderings=renderings, epochs=epochs, seed=seed, families=tuple(family) if family else None
    )
    with open_governor(config) as governor:
        lineage_id = lineage_id_of(lineage)
        known = ChainFollower(governor.ledger).sync().lineages.get(lineage_id)
        if known is not None:
            out.print(f"{lineage} exists: genesis model {known.created.model_digest}", soft_wrap=True)
            return
        encoded = _pretrained(network, lexicon, fonts, settings)
        path = governor.folder / f"genesis-{lineage}.safetensors"
        write_atomically(path, encoded)
        cid = governor.block_store.add(path)
        digest = parameters_digest(encoded)
        receipt = governor.ledger.send(CreateLineage(lineage_id, 0, digest, cid, network.digest, PLAN_SCHEMA))
    out.print(f"{lineage}: genesis model {digest}, {cid}, tx {receipt.tx_hash}", soft_wrap=True)
    out.print(f"backbone {network.name}, scope {network.scope}: aggregators need the scope in their settings")


def _pretrained(network: Backbone, lexicon: Path, fonts: Path, settings: GenesisSettings) -> bytes:
    """The encoded model of round 0; a progress bar shows how far it is."""
    from learning.device import profile_device  # noqa: PLC0415
    from learning.genesis import GenesisProgress, pretrain  # noqa: PLC0415
    from prescriptions.lexicon import load_lexicon  # noqa: PLC0415

    with Progress(console=talk, transient=True) as bar:
        task = bar.add_task("pre-training", total=None)

        def show(progress: GenesisProgress) -> None:
            bar.update(task, description=progress.stage, completed=progress.done, total=progress.total)

        names = load_lexicon(lexicon).names
        return encode_parameters(pretrain(network, names, fonts, settings, profile_device(), show))


def _keys(folder: DataFolder, passphrase: bytes) -> KeyRing:
    """The governor's account and the private swarm's key; what exists stays."""
    path = folder / KEYSTORE
    key_ring = KeyRing.open(path, passphrase) if path.exists() else KeyRing.create(path, passphrase)
    if ACCOUNT_KEY not in key_ring.names():
        create_account(key_ring, ACCOUNT_KEY)
    if not (folder / SWARM_KEY_FILE).exists():
        write_swarm_key(folder / SWARM_KEY_FILE)
    return key_ring
