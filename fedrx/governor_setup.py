"""What a governor does once: keys, contract, round 0 of a lineage."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.progress import Progress

from fedrx.governor import (
    ACCOUNT_KEY,
    DEFAULT_CONFIG,
    KEYSTORE,
    SETTINGS_FILE,
    Governor,
    GovernorSettings,
    open_governor,
)
from fedrx.governor_options import Config, PassphraseFile, out, talk
from fedrx.governor_template import InitialChoices, render
from gateways.chain_follower import ChainFollower
from gateways.daemon_block_store import SWARM_KEY_FILE
from gateways.data_folder import DataFolder, write_atomically
from gateways.deployment_file import load_deployment
from gateways.embedded_kubo.repository import write_swarm_key
from gateways.key_ring import KeyRing, read_new_passphrase
from gateways.key_ring.accounts import address_of, create_account, open_account
from gateways.settings import parse_settings
from learning.published import DEFAULT, PUBLISHED
from protocol.canonical_json import MAX_INTEGER
from protocol.deployment import Predecessor, encode_deployment
from protocol.errors import ConfigError
from protocol.identifiers import lineage_id_of
from protocol.ledger_calls import CreateLineage
from protocol.parameters import encode_parameters, parameters_digest, parse_parameters
from protocol.plan import PLAN_SCHEMA
from protocol.slugs import check_slug

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


def deploy(
    config: Config = DEFAULT_CONFIG,
    predecessor: Annotated[
        Path | None, typer.Option("--predecessor", help="Deployment file of the network that this one goes on from.")
    ] = None,
) -> None:
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
        before = None if predecessor is None else load_deployment(predecessor)
        deployment = deploy_contract(
            chain.rpc_url,
            signer,
            governor=signer.account,
            predecessor=None if before is None else Predecessor(before.chain_id, before.contract_address),
            finality=chain.finality,
            timeout_seconds=chain.timeout_seconds,
            max_fee_gwei=chain.max_fee_gwei,
        )
        write_atomically(path, encode_deployment(deployment), mode=0o644)
    out.print(f"deployed {deployment.contract_address} on chain {deployment.chain_id}", soft_wrap=True)


def genesis(
    lineage: Annotated[str, typer.Option("--lineage", parser=check_slug, help="Slug of the lineage to create.")],
    config: Config = DEFAULT_CONFIG,
    *,
    lexicon: Annotated[Path | None, typer.Option("--lexicon", help="CSV of the country's medicines.")] = None,
    fonts: Annotated[Path | None, typer.Option("--fonts", help="Folder of font files to draw the names with.")] = None,
    model: Annotated[
        Path | None, typer.Option("--model", help="Start from this global model's file instead; nothing is trained.")
    ] = None,
    backbone: Annotated[
        str | None,
        typer.Option("--backbone", help=f"Published network whose front stays frozen; unset: {DEFAULT.name}."),
    ] = None,
    scope: Annotated[
        str | None, typer.Option("--scope", help=f"What sites train, the first when unset. {_SCOPES}.")
    ] = None,
    renderings: Annotated[int, typer.Option(min=1, max=_MAX_RENDERINGS, help="Images of each name.")] = 4,
    epochs: Annotated[int, typer.Option(min=1, max=_MAX_EPOCHS, help="Passes over the images.")] = 1,
    seed: Annotated[int, typer.Option(min=0, max=MAX_INTEGER, help="Decides the images and their order.")] = 0,
    family: Annotated[list[str] | None, typer.Option("--family", help="Font families; all when unset.")] = None,
) -> None:
    """Makes round 0 of a lineage: pre-trained on rendered names of the country's medicines, pinned, on chain.

    With --model it is an older global model, such as the last good one before a poisoned round: a head is never taken
    back, so its lineage goes on under a new slug.
    """
    from learning.backbones import make_backbone  # noqa: PLC0415 - torch loads for seconds
    from learning.genesis import GenesisSettings  # noqa: PLC0415

    if model is not None:
        _restart(model, lineage, config, backbone, scope)
        return
    if lexicon is None or fonts is None:
        raise ConfigError(
            "nothing to make round 0 from", hint="give --lexicon and --fonts, or --model to start from a global model"
        )
    # First of all: a name that does not exist must not cost a passphrase.
    network = make_backbone(backbone or DEFAULT.name, scope)
    settings = GenesisSettings(
        renderings=renderings, epochs=epochs, seed=seed, families=tuple(family) if family else None
    )
    with open_governor(config) as governor:
        known = ChainFollower(governor.ledger).sync().lineages.get(lineage_id_of(lineage))
        if known is not None:
            out.print(f"{lineage} exists: genesis model {known.created.model_digest}", soft_wrap=True)
            return
        _create(governor, lineage, _pretrained(network, lexicon, fonts, settings), network)


def _restart(model: Path, lineage: str, config: Path, backbone: str | None, scope: str | None) -> None:
    """Makes an older global model round 0 of a new lineage."""
    from learning.backbone import check_parameters  # noqa: PLC0415 - torch loads for seconds
    from learning.backbones import make_backbone, scope_of  # noqa: PLC0415

    try:
        encoded = model.read_bytes()
    except OSError as error:
        raise ConfigError(f"the model file {model} cannot be read", hint="check the path") from error
    parameters = parse_parameters(encoded)
    published, found = scope_of(parameters)
    if (backbone or published.name, scope or found) != (published.name, found):
        raise ConfigError(
            f"{model} is a model of {published.name}, scope {found}", hint="leave --backbone and --scope away"
        )
    check_parameters(network := make_backbone(published.name, found), parameters)
    digest = parameters_digest(encoded)
    with open_governor(config) as governor:
        known = ChainFollower(governor.ledger).sync().lineages.get(lineage_id_of(lineage))
        if known is None:
            _create(governor, lineage, encoded, network)
        elif known.created.model_digest == digest:
            out.print(f"{lineage} exists: genesis model {digest}", soft_wrap=True)
        else:
            raise ConfigError(
                f"{lineage} exists with another genesis model, {known.created.model_digest}", hint="choose a new slug"
            )


def _create(governor: Governor, lineage: str, encoded: bytes, network: Backbone) -> None:
    """Pins a model and makes it a lineage's round 0."""
    path = governor.folder / f"genesis-{lineage}.safetensors"
    write_atomically(path, encoded)
    cid = governor.block_store.add(path)
    digest = parameters_digest(encoded)
    created = CreateLineage(lineage_id_of(lineage), 0, digest, cid, network.digest, PLAN_SCHEMA)
    receipt = governor.ledger.send(created)
    out.print(f"{lineage}: genesis model {digest}, {cid}, tx {receipt.tx_hash}", soft_wrap=True)
    named = f"backbone {network.name}, scope {network.scope}"
    out.print(f"{named}: aggregators need slug and scope in their settings, sites the slug", soft_wrap=True)


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
