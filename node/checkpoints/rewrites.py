"""Whether the chain still holds what the site signed, and the note that stays once it did not."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from protocol.canonical_json import expect_object, expect_str
from protocol.errors import LedgerUnavailableError, WrongChainError

if TYPE_CHECKING:
    from gateways.journal import Journal
    from node.checkpoints.kept import KeptCheckpoint
    from protocol.identifiers import BlockHash
    from protocol.ports import Ledger

WHAT_TO_DO: Final = "nothing is sent any more: give the other sites what fedrx node checkpoints --export FILE writes"
_NOTE: Final = "history-rewritten"


@dataclass(frozen=True, slots=True)
class Rewrite:
    """A signed block that is another one now."""

    kept: KeptCheckpoint
    found: BlockHash

    def __str__(self) -> str:
        signed = self.kept.checkpoint
        return (
            f"history was rewritten: block {signed.number}, which this site signed for {self.kept.occasion} as "
            f"{signed.block_hash}, is {self.found} now"
        )


def rewrites(kept: Iterable[KeptCheckpoint], ledger: Ledger) -> Iterator[Rewrite]:
    """The checkpoints, in their order, in whose place the chain holds another block.

    Raises:
        WrongChainError: All of the chain is another.
        LedgerUnavailableError: No answer; or, after those that were found, the chain is too short for one of them.
    """
    missing: KeptCheckpoint | None = None
    checked = False
    for one in kept:
        found = ledger.block_hash(one.checkpoint.number)
        if found == one.checkpoint.block_hash:
            continue
        if not checked:
            # A local chain that began anew has other blocks too, and no history of this network to rewrite.
            ledger.check_chain()
            checked = True
        if found is None:
            missing = missing or one
        else:
            yield Rewrite(one, found)
    if missing is not None:
        raise LedgerUnavailableError(
            f"the chain has no block {missing.checkpoint.number}, which this site signed for {missing.occasion}",
            hint="the RPC endpoint lags behind, or its chain was cut off: compare it with another endpoint",
        )


def note_rewrite(journal: Journal, rewrite: Rewrite) -> None:
    """Keeps a rewrite, so that nothing is sent from now on, whatever the chain shows later."""
    journal.record(_NOTE, {"what": str(rewrite)})


def noted_rewrite(journal: Journal) -> str | None:
    """What was found, until an operator has decided."""
    noted = journal.get(_NOTE)
    return None if noted is None else expect_str(expect_object(noted, frozenset({"what"}))["what"])


def refuse_rewritten(journal: Journal) -> None:
    """Refuses to go on.

    Raises:
        WrongChainError: A rewrite was found, and no operator has decided.
    """
    noted = noted_rewrite(journal)
    if noted is not None:
        raise WrongChainError(noted, hint=WHAT_TO_DO)


def forget_rewrite(journal: Journal) -> None:
    """An operator has decided."""
    journal.forget(_NOTE)
