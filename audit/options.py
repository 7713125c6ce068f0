"""Options that the auditor's commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

DeploymentFile = Annotated[Path, typer.Option("--deployment", help="The consortium's deployment file.")]
OlderDeployments = Annotated[
    list[Path] | None,
    typer.Option("--predecessor-deployment", help="Deployment file of one that this goes on from; repeatable."),
]
OlderRPCURL = Annotated[
    str | None, typer.Option("--predecessor-rpc", help="RPC endpoint of the chain that an older deployment is on.")
]
RPCURL = Annotated[str, typer.Option("--rpc", help="RPC endpoint of the chain.")]
CompareURL = Annotated[
    str | None, typer.Option("--compare-rpc", help="A second endpoint that must tell the same blocks and events.")
]
FinalityChoice = Annotated[
    Literal["latest", "finalized"], typer.Option("--finality", help="latest where a block is final at once.")
]
IPFSURLs = Annotated[str | None, typer.Option("--ipfs", help="Kubo RPC endpoints, separated by commas.")]
SwarmKey = Annotated[
    Path | None, typer.Option("--swarm-key", help="Without --ipfs: key file of the private swarm to join.")
]
Peers = Annotated[list[str] | None, typer.Option("--peer", help="Without --ipfs: multiaddress of an IPFS peer.")]
NamesFile = Annotated[Path | None, typer.Option("--names", help="TOML directory of slugs and ids.")]
NameSlugs = Annotated[list[str] | None, typer.Option("--name", help="A slug to show instead of its id; repeatable.")]
LineageSlug = Annotated[str | None, typer.Option("--lineage", help="One lineage: its slug or 0x id.")]
RoundNumber = Annotated[int | None, typer.Option("--round", min=0, help="One round of each lineage.")]
RoundRange = Annotated[str | None, typer.Option("--rounds", help="Rounds A..B, or A.. to the newest.")]
ScoresFiles = Annotated[
    list[Path] | None, typer.Option("--scores", help="What fedrx audit score wrote; one for each lineage, repeatable.")
]
AsJSON = Annotated[bool, typer.Option("--json", help="JSON lines instead of text.")]
WorkFolder = Annotated[Path | None, typer.Option("--work-folder", help="Takes ciphertext and models while running.")]
Seconds = Annotated[float, typer.Option("--timeout", min=1.0, help="Seconds to wait for one piece of content.")]
AuditorKeystore = Annotated[Path | None, typer.Option("--auditor-key", help="The auditor's keystore.")]
Declare = Annotated[bool, typer.Option("--declare", help="First declare the key's use on chain.")]
PassphraseFile = Annotated[Path | None, typer.Option("--passphrase-file", help="A 0600 file; else a prompt asks.")]
IndexPlace = Annotated[
    str | None,
    typer.Option(
        "--index", help="Keeps what was read: an SQLite file or a database URL. Without it, all is read anew."
    ),
]
SiteName = Annotated[str | None, typer.Option("--site", help="One site: its slug or 0x id.")]
EventKind = Annotated[list[str] | None, typer.Option("--kind", help="One kind of event; repeatable.")]
ModelDigest = Annotated[
    str | None, typer.Option("--model", help="0x digest of a model: where it is made, and where it is the parent.")
]
ConsentRoot = Annotated[
    str | None, typer.Option("--consent-root", help="0x digest of a consent root, and the updates that name it.")
]
CosignerAccounts = Annotated[
    Path | None, typer.Option("--accounts", help="Trusted accounts of the sites, from fedrx audit cosigners.")
]
TxOption = Annotated[str | None, typer.Option("--tx", help="0x hash of a transaction.")]
Since = Annotated[str | None, typer.Option("--since", help="From this time on: 2026-01-31 or 2026-01-31T12:30Z.")]
Until = Annotated[str | None, typer.Option("--until", help="Before this time.")]
Newest = Annotated[int | None, typer.Option("--newest", min=1, help="Only so many, the newest.")]
