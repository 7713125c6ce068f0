"""Makes bundles from a chain's endpoint and IPFS."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from audit.bundle.chain import ProvenChain, prove_chain, write_blocks
from audit.bundle.container import PIECE_BYTES, write_container
from audit.bundle.contents import NeededContent, contents_of, rounds_of
from audit.bundle.manifest import CHAIN_NAMES, DEPLOYMENT_NAME, HEADERS_NAME, RECEIPTS_NAME, Manifest, Member
from audit.bundle.store import content_name
from audit.lineage import lineage_named
from audit.pieces import Fetched, FetchLimits, Pieces
from audit.proofs.checkpoint import Checkpoint
from audit.round_range import ALL_ROUNDS
from gateways.data_folder import store_error, write_atomically
from gateways.ledger.block_reader import BlockReader
from gateways.whole_files import written_whole
from protocol.deployment import Deployment, encode_deployment
from protocol.errors import AuditError, ConfigError
from protocol.history import History
from protocol.identifiers import Digest, LineageId
from protocol.ports import BlockStore


@dataclass(frozen=True, slots=True)
class Doing:
    """How far the making of a bundle is."""

    what: Literal["blocks", "contents"]
    done: int
    total: int


def _ignore(_: Doing) -> None:
    """No progress is shown."""


@dataclass(frozen=True, slots=True)
class BundleOptions:
    """What goes into a bundle."""

    lineage_id: LineageId | None = None
    """None takes the only one."""
    rounds: range = ALL_ROUNDS
    """Their numbers; it may reach beyond the newest."""
    incomplete: bool = False
    """Make it even when content is missing that the replay needs."""
    limits: FetchLimits = field(default_factory=FetchLimits)
    progress: Callable[[Doing], None] = _ignore


@dataclass(frozen=True, slots=True)
class MadeBundle:
    """What a bundle holds."""

    manifest: Manifest
    chain: ProvenChain
    missing: tuple[str, ...]
    """What no endpoint delivered, in words."""


@dataclass(frozen=True, slots=True)
class Sources:
    """Where a bundle's parts come from."""

    deployment: Deployment
    checkpoint: Checkpoint
    """Of the last block that goes in."""
    blocks: BlockReader
    stores: Sequence[BlockStore]
    """IPFS endpoints, asked in this order."""


def make_bundle(out: Path, sources: Sources, folder: Path, options: BundleOptions) -> MadeBundle:
    """Writes a bundle that is whole or not there.

    The same chain, checkpoint, rounds and delivered content give the same bytes. Memory is bounded by some hundred
    blocks, the event logs and a few chunks of 1 MiB.

    Args:
        out: The bundle.
        sources: Where its parts come from.
        folder: Takes all of them until the bundle is written; the caller removes it.
        options: What goes in.

    Raises:
        ConfigError: There is no such lineage or round.
        AuditError: Content is missing, and ``options`` do not allow that; or the chain's endpoint lies.
        LedgerUnavailableError: No answer, or one that does not have its hash.
        BlockStoreUnavailableError: No endpoint answers at all.
        StoreError: The disk is full or refuses.
    """
    chain = _write_chain(sources, folder, options.progress)
    history = History(chain.events)
    lineage_id = lineage_named(history, options.lineage_id)
    lineage = history.lineages.get(lineage_id)
    if lineage is None:
        raise ConfigError("this deployment has no such lineage", hint="check its slug")
    rounds = rounds_of(lineage, options.rounds)
    with Pieces(sources.stores, folder, options.limits) as pieces:
        fetched, missing = _fetch(contents_of(lineage, rounds), pieces, options)
    files = {name: folder / name for name in CHAIN_NAMES} | fetched
    members = tuple(_member(name, path) for name, path in files.items())
    manifest = Manifest(sources.checkpoint, rounds[0].round_id, rounds[-1].opened.round, members)
    with written_whole(out, out.with_name(f".{out.name}.partial")) as stream:
        write_container(stream, manifest, (_pieces_of(path) for path in files.values()))
    return MadeBundle(manifest, chain, missing)


def _write_chain(sources: Sources, folder: Path, progress: Callable[[Doing], None]) -> ProvenChain:
    """Writes the chain's members, and reads them again as a stranger will."""
    deployment, checkpoint = sources.deployment, sources.checkpoint
    write_atomically(folder / DEPLOYMENT_NAME, encode_deployment(deployment))
    first, last = deployment.deployment_block_number, checkpoint.number
    if last < first:
        raise AuditError(
            f"block {last} of the checkpoint is before the contract's deployment", hint="name a later checkpoint"
        )

    def tell(done: int) -> None:
        progress(Doing("blocks", done, last - first + 1))

    headers, receipts = folder / HEADERS_NAME, folder / RECEIPTS_NAME
    try:
        with headers.open("wb") as to_headers, receipts.open("wb") as to_receipts:
            write_blocks(sources.blocks.whole_blocks(first, last), to_headers, to_receipts, tell)
        with headers.open("rb") as from_headers, receipts.open("rb") as from_receipts:
            return prove_chain(from_headers, from_receipts, deployment, checkpoint)
    except OSError as error:
        raise store_error(error, folder) from error


def _fetch(
    needed: Sequence[NeededContent], pieces: Pieces, options: BundleOptions
) -> tuple[dict[str, Path], tuple[str, ...]]:
    """The content's files by their members' names, and what was not delivered."""
    for content in needed:
        pieces.begin(content.cid, doubtful=content.lost_before)
    files: dict[str, Path] = {}
    missing: list[str] = []
    lost: list[str] = []
    for done, content in enumerate(needed):
        options.progress(Doing("contents", done, len(needed)))
        got = pieces.get(content.cid)
        if isinstance(got, Fetched):
            files[content_name(content.cid)] = got.path
        else:
            missing.append(f"{content.what} ({content.cid}): {got.why.value.replace('-', ' ')}")
            lost += [] if content.lost_before else missing[-1:]
    if lost and not options.incomplete:
        raise AuditError(
            f"{len(lost)} of {len(needed)} pieces of content are missing, such as the {lost[0]}",
            hint="ask more IPFS endpoints, or take what is there with --incomplete",
        )
    return files, tuple(missing)


def _member(name: str, path: Path) -> Member:
    state, num_bytes = hashlib.sha256(), 0
    for piece in _pieces_of(path):
        state.update(piece)
        num_bytes += len(piece)
    return Member(name, num_bytes, Digest(state.digest()))


def _pieces_of(path: Path) -> Iterator[bytes]:
    try:
        with path.open("rb") as stream:
            while piece := stream.read(PIECE_BYTES):
                yield piece
    except OSError as error:
        raise store_error(error, path) from error
