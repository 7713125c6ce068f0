"""A network's deployments from the newest back: each contract names the one that it goes on from."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from audit.connections import ChainOptions, connect_to
from gateways.deployment_file import load_deployment
from protocol.deployment import Deployment, Predecessor
from protocol.errors import ConfigError
from protocol.history import History
from protocol.ports import Ledger


@dataclass(frozen=True, slots=True)
class Chapter:
    """One deployment, open."""

    deployment: Deployment
    ledger: Ledger

    @property
    def label(self) -> str:
        """How it is called in sentences."""
        return _label(self.deployment)


@dataclass(frozen=True, slots=True)
class Succession:
    """A deployment and those before it, newest first."""

    chapters: tuple[Chapter, ...]
    unopened: Predecessor | None
    """Where the links go on to and could not be followed."""

    @property
    def newest(self) -> Chapter:
        """The deployment that was asked about."""
        return self.chapters[0]

    def place_of(self, chapter: Chapter) -> str:
        """What a sentence about a deployment begins with: nothing for the one that was asked about."""
        return "" if chapter is self.newest else f"{chapter.label}: "

    def sentences(self) -> Iterator[str]:
        """The links, in words; nothing for a deployment that names no other."""
        for chapter, older in zip(self.chapters, self.chapters[1:], strict=False):
            yield f"{chapter.label} goes on from {older.label}: its events are told too"
        if self.unopened is not None:
            last, before = self.chapters[-1].label, _label(self.unopened)
            yield f"{last} goes on from {before}, which is not told: give its file with --predecessor-deployment"


def open_succession(chain: ChainOptions, older: Sequence[Path] = (), older_rpc_url: str | None = None) -> Succession:
    """Connects to a deployment and to those before it, as far as files or the chain itself tell where they are.

    Args:
        chain: The newest deployment.
        older: Deployment files of earlier ones, in any order.
        older_rpc_url: An endpoint for those that are on another chain.

    Raises:
        ConfigError: A file cannot be read, or is of no earlier deployment.
        WrongChainError: An endpoint's chain is not the deployment's.
        LedgerUnavailableError: No answer.
    """
    files = {_place(deployment): deployment for deployment in (load_deployment(path) for path in older)}
    deployment = load_deployment(chain.deployment)
    chapters = [Chapter(deployment, connect_to(deployment, chain))]
    options = chain
    while (before := chapters[-1].deployment.predecessor) is not None:
        known = files.pop(_place(before), None) or _find(options.rpc_url, chapters[-1].deployment)
        if known is None:
            break
        if known.chain_id != chapters[-1].deployment.chain_id:
            if older_rpc_url is None:
                raise ConfigError(f"{_label(known)} is on another chain", hint="give its endpoint: --predecessor-rpc")
            options = replace(options, rpc_url=older_rpc_url, compare_rpc_url=None)
        chapters.append(Chapter(known, connect_to(known, options)))
    if files:
        stranger = _label(next(iter(files.values())))
        raise ConfigError(
            f"{stranger} is no predecessor of this deployment", hint="ask the governor for the right file"
        )
    return Succession(tuple(chapters), chapters[-1].deployment.predecessor)


def seal_sentence(newer: Chapter, older: Chapter, history: History) -> str:
    """Whether the older deployment was sealed for the newer one: the link seen from its other end."""
    sealed = history.sealed
    if sealed is None:
        return f"{older.label} was not sealed: its governor may still open rounds there"
    if (sealed.successor_chain_id, sealed.successor) == _place(newer.deployment):
        return f"{older.label} was sealed for {newer.label}"
    other = _label(Predecessor(sealed.successor_chain_id, sealed.successor))
    return f"{older.label} was sealed for ANOTHER successor, {other}: ask its governor which one goes on"


def _find(rpc_url: str, deployment: Deployment) -> Deployment | None:
    from gateways.ledger.predecessors import find_predecessor  # noqa: PLC0415 - the ABI loads for half a second

    return find_predecessor(rpc_url, deployment)


def _place(of: Deployment | Predecessor) -> tuple[int, bytes]:
    return of.chain_id, of.contract_address


def _label(of: Deployment | Predecessor) -> str:
    return f"contract {of.contract_address} on chain {of.chain_id}"
