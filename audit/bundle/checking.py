"""Checks a bundle against a checkpoint, with nothing else, and replays its rounds as they are replayed online."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path

from audit.bundle.chain import ProvenChain, last_header, prove_chain
from audit.bundle.container import Container
from audit.bundle.contents import NeededContent, contents_of, rounds_of
from audit.bundle.manifest import CHAIN_NAMES, DEPLOYMENT_NAME, HEADERS_NAME, RECEIPTS_NAME, Manifest
from audit.bundle.steps import Step, failed
from audit.bundle.store import BundleStore, content_name
from audit.findings import ReplayFinding
from audit.proofs.seals import Trusted, TrustedBlock, sealed_block
from audit.proofs.validators import Validators
from audit.replay import ReplayOptions, replay
from protocol.checkpoint import Checkpoint
from protocol.cid import CIDBuilder
from protocol.deployment import Deployment, parse_deployment
from protocol.errors import ConfigError, MalformedError
from protocol.history import History, LineageView, RoundView

_MAX_DEPLOYMENT_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class BundleFinding:
    """What a bundle shows."""

    block: TrustedBlock
    """What it stands on."""
    chain: ProvenChain
    rounds: tuple[RoundView, ...]
    lacking: tuple[NeededContent, ...]
    """What the rounds need and the bundle does not hold."""
    contents: int
    """How many pieces of content it holds."""
    replayed: ReplayFinding


def verify_bundle(path: Path, trusted: Trusted, options: ReplayOptions) -> BundleFinding:
    """Checks all of a bundle, step by step (docs/spec/bundle.md, section 4), and then replays its rounds.

    Args:
        path: The bundle, from anybody.
        trusted: It came another way than the bundle.
        options: As for a replay; which lineage and round the bundle itself says.

    Raises:
        AuditError: A step failed; the message names it.
        ConfigError: The file cannot be read.
        StoreError: The work folder is full.
    """
    with Container(path) as container:
        _check_members(container)
        block = _block(container, trusted)
        deployment = _deployment(container, block.checkpoint)
        if isinstance(trusted, Validators):
            _require_chain_of(trusted, deployment)
        with container.open(HEADERS_NAME) as headers, container.open(RECEIPTS_NAME) as receipts:
            chain = prove_chain(headers, receipts, deployment, block.checkpoint)
        rounds, needed = _needed(chain, container.manifest)
        store = BundleStore(container)
        lacking = tuple(content for content in needed if not store.holds(content.cid))
        first, last = rounds[0].opened, rounds[-1].opened
        wanted = replace(options, lineage_id=first.lineage_id, rounds=range(first.round, last.round + 1))
        replayed = replay(deployment.identity, chain.events, [store], wanted)
        contents = len(container.manifest.members) - len(CHAIN_NAMES)
        return BundleFinding(block, chain, rounds, lacking, contents, replayed)


def _check_members(container: Container) -> None:
    """One pass over all bytes: each member's SHA-256, and each content's CID."""
    for member in container.manifest.members:
        state, builder = hashlib.sha256(), CIDBuilder()
        is_content = member.name not in CHAIN_NAMES
        for piece in container.pieces(member.name):
            state.update(piece)
            if is_content:
                builder.update(piece)
        if state.digest() != member.sha256:
            raise failed(Step.MEMBERS, f"{member.name} has other bytes than the manifest names")
        if is_content and content_name(builder.finish()) != member.name:
            raise failed(Step.CONTENTS, f"{member.name} has other bytes than its CID names")


def _block(container: Container, trusted: Trusted) -> TrustedBlock:
    if isinstance(trusted, Checkpoint):
        return TrustedBlock(trusted)
    with container.open(HEADERS_NAME) as headers:
        return sealed_block(trusted, last_header(headers))


def _deployment(container: Container, checkpoint: Checkpoint) -> Deployment:
    made_for = container.manifest.checkpoint
    if (made_for.chain_id, made_for.contract_address) != (checkpoint.chain_id, checkpoint.contract_address):
        raise failed(Step.CHECKPOINT, "the bundle is about another chain or contract than the checkpoint")
    if made_for != checkpoint:
        blocks = f"block {made_for.number} ({made_for.block_hash}), and the checkpoint is block {checkpoint.number}"
        raise failed(Step.CHECKPOINT, f"the bundle leads to {blocks} ({checkpoint.block_hash})")
    with container.open(DEPLOYMENT_NAME) as stream:
        data = stream.read(_MAX_DEPLOYMENT_BYTES)
    try:
        deployment = parse_deployment(data)
    except MalformedError as error:
        raise failed(Step.CHECKPOINT, f"{DEPLOYMENT_NAME}: {error.what}") from error
    if (deployment.chain_id, deployment.contract_address) != (checkpoint.chain_id, checkpoint.contract_address):
        raise failed(Step.CHECKPOINT, f"{DEPLOYMENT_NAME} is of another chain or contract than the checkpoint")
    return deployment


def _require_chain_of(validators: Validators, deployment: Deployment) -> None:
    """A header names no chain: without this, another chain that the same validators seal would do."""
    stated = (validators.deployment_block_number, validators.deployment_block_hash)
    if (deployment.deployment_block_number, deployment.deployment_block_hash) != stated:
        raise failed(Step.CHECKPOINT, f"{DEPLOYMENT_NAME} is not of the chain whose validators are trusted")


def _needed(chain: ProvenChain, manifest: Manifest) -> tuple[tuple[RoundView, ...], tuple[NeededContent, ...]]:
    """The rounds, and what they need; the bundle's contents are among it, in its order, and nothing else is."""
    lineage = _lineage(chain, manifest)
    try:
        rounds = rounds_of(lineage, range(manifest.first.number, manifest.last_round + 1))
    except ConfigError as error:
        raise failed(Step.CONTENTS, error.what) from error
    if (rounds[0].round_id, rounds[-1].opened.round) != (manifest.first, manifest.last_round):
        raise failed(Step.CONTENTS, "the manifest names rounds that the chain does not know")
    needed = contents_of(lineage, rounds)
    left = (content_name(content.cid) for content in needed)
    for member in manifest.members[len(CHAIN_NAMES) :]:
        # A test for membership takes from ``left`` up to what it finds, so that order counts.
        if member.name not in left:
            raise failed(Step.CONTENTS, f"{member.name} is not what the rounds need, or not in its place")
    return rounds, needed


def _lineage(chain: ProvenChain, manifest: Manifest) -> LineageView:
    try:
        history = History(chain.events)
    except MalformedError as error:
        raise failed(Step.EVENTS, error.what) from error
    lineage = history.lineages.get(manifest.first.lineage_id)
    if lineage is None:
        raise failed(Step.CONTENTS, "the chain does not know the manifest's lineage")
    return lineage
