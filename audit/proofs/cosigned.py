"""What sites signed, checked against the list of their accounts: enough of them, and all of them the same.

Fails closed, and names the step that failed (docs/spec/checkpoint.md, section 5).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from audit.proofs.cosigners import Cosigners
from protocol.checkpoint import Checkpoint
from protocol.cosigning import CosignedCheckpoint, proven_cosignatures
from protocol.errors import AuditError, MalformedError
from protocol.identifiers import BlockHash, SiteId, site_id_of
from protocol.signed_note import NoteSignature

ACCOUNTS, SIGNATURE, COSIGNERS = "accounts", "signature", "cosigners"


@dataclass(frozen=True, slots=True)
class Statement:
    """A site's proven word that a block was final."""

    checkpoint: Checkpoint
    signature: NoteSignature

    @property
    def site(self) -> str:
        """The slug under which it signed; the list of accounts has its digest."""
        return self.signature.name


def statements_of(note: CosignedCheckpoint, cosigners: Cosigners) -> tuple[Statement, ...]:
    """What known sites say in a note; the signatures of others are left alone.

    Raises:
        AuditError: At the step ``accounts`` the list is another network's; at the step ``signature`` a line in the name
            of a known account is not its signature.
    """
    at, known = note.checkpoint, cosigners.read_at
    if (at.chain_id, at.contract_address) != (known.chain_id, known.contract_address):
        raise _failed(ACCOUNTS, "the list of accounts is another network's")
    try:
        lines = proven_cosignatures(note, cosigners.at(at.number))
    except MalformedError as error:
        raise _failed(SIGNATURE, error.what) from error
    return tuple(Statement(at, line) for line in lines)


def require_cosigned(
    note: CosignedCheckpoint, cosigners: Cosigners, required: int, only: Collection[SiteId] = ()
) -> tuple[str, ...]:
    """Slugs of the sites that signed a checkpoint.

    Args:
        note: From anybody.
        cosigners: Trusted.
        required: How many sites must have signed, one at least.
        only: Whose signatures count; every listed site's when empty.

    Raises:
        AuditError: As ``statements_of``; or at the step ``cosigners`` too few of them signed.
    """
    sites = tuple(
        statement.site for statement in statements_of(note, cosigners) if not only or site_id_of(statement.site) in only
    )
    if len(sites) < required:
        others = sorted({line.name for line in note.signatures} - set(sites))
        unknown = f"; not counted: {', '.join(others)}" if others else ""
        raise _failed(COSIGNERS, f"{len(sites)} of {required} sites signed ({', '.join(sites) or 'none'}{unknown})")
    return sites


def by_block(statements: Iterable[Statement]) -> dict[int, dict[BlockHash, tuple[str, ...]]]:
    """For each block number, the hashes that were signed and by whom."""
    found: dict[int, dict[BlockHash, set[str]]] = defaultdict(lambda: defaultdict(set))
    for statement in statements:
        found[statement.checkpoint.number][statement.checkpoint.block_hash].add(statement.site)
    return {
        number: {block_hash: tuple(sorted(sites)) for block_hash, sites in sorted(found[number].items())}
        for number in sorted(found)
    }


def disagreement(
    number: int, signed: Mapping[BlockHash, tuple[str, ...]], on_chain: BlockHash | None, *, asked: bool
) -> list[str]:
    """In sentences, what is wrong with the signatures for one block; empty when nothing is.

    Args:
        number: The block's.
        signed: Hashes and who signed each.
        on_chain: What the chain holds there now; None where it was not asked or has no such block.
        asked: Whether it was asked.
    """
    gone = sorted({site for block_hash, sites in signed.items() if block_hash != on_chain for site in sites})
    if len(signed) < 2 and not (asked and gone):
        return []
    lines = [f"block {number}: {block_hash} is signed by {', '.join(sites)}" for block_hash, sites in signed.items()]
    twice = [site for site in gone if sum(site in sites for sites in signed.values()) > 1]
    lines += [f"block {number}: {site} signed both: it tells two stories, or went on after a rewrite" for site in twice]
    if not asked:
        return [*lines, f"block {number}: the chain was rewritten, or somebody lies; with --rpc the chain is asked"]
    held = f"holds {on_chain}" if on_chain else "has no such block, or the endpoint lags behind"
    return [
        *lines,
        f"block {number}: the chain {held}: what {', '.join(gone)} signed was rewritten, or was never there",
    ]


def merged(statements: Iterable[Statement], block: int | None) -> CosignedCheckpoint:
    """One note with every site's signature under one block.

    Args:
        statements: Of which no two contradict each other.
        block: Its number; when None the newest of those that most sites signed.

    Raises:
        AuditError: No known site signed it.
    """
    signed: dict[Checkpoint, dict[str, NoteSignature]] = defaultdict(dict)
    for statement in statements:
        if block in {None, statement.checkpoint.number}:
            signed[statement.checkpoint].setdefault(statement.site, statement.signature)
    if not signed:
        raise _failed(COSIGNERS, "no site of the list signed it" if block is None else f"nobody signed block {block}")
    chosen = max(signed, key=lambda checkpoint: (len(signed[checkpoint]), checkpoint.number))
    return CosignedCheckpoint(chosen, tuple(signed[chosen][site] for site in sorted(signed[chosen])))


def _failed(step: str, why: str) -> AuditError:
    return AuditError(
        f"the checkpoint fails at the step {step}: {why}", hint="it shows nothing; ask the sites for theirs again"
    )
