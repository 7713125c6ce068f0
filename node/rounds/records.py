"""What the node remembers of each round it saw: a stage in the journal, a plan and a sealed envelope in a folder."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, cast

from gateways.data_folder import store_error
from learning.evaluation import Score, score_of
from node.rounds.sealing import SealedUpdate
from protocol.identifiers import RoundId

if TYPE_CHECKING:
    from gateways.data_folder import DataFolder
    from gateways.journal import Journal
    from protocol.canonical_json import JSONValue
    from protocol.history import LineageView
    from protocol.identifiers import LineageId, SiteId

FOLDER = "envelopes"


class Stage(StrEnum):
    """How far a round went at this site. What was registered is the chain's word, not the journal's."""

    NEW = "new"
    SAT_OUT = "sat-out"
    """Nothing was sealed, for a reason that may pass."""
    SEALED = "sealed"
    """A complete envelope lies in the folder."""
    MISSED = "missed"
    """Sealed, but not on the chain when the round closed; it may still turn out to be there."""
    PINNED = "pinned"
    """Registered and given to IPFS."""
    WITHHELD = "withheld"
    """Registered or on its way, and never given to IPFS: somebody withdrew, or the round was aborted."""
    LOST = "lost"
    """Registered, but the sealed file is gone."""


UNDELIVERED = frozenset({Stage.SEALED, Stage.MISSED})
"""An envelope of these is given to IPFS when its registration is seen."""


@dataclass(frozen=True, slots=True)
class RoundRecord:
    """One round."""

    round_id: RoundId
    stage: Stage = Stage.NEW
    reason: str = ""
    """Why it did not go on, for a person."""
    sealed: SealedUpdate | None = None
    own_score: Score | None = None
    """Of the parent model and this site's update alone, on its held-out words; it never leaves the site."""


class RoundRecords:
    """All rounds of a site.

    Args:
        folder: The node's data folder.
        journal: Its journal.
    """

    def __init__(self, folder: DataFolder, journal: Journal) -> None:
        self._folder = folder.subfolder(FOLDER)
        self._journal = journal

    def get(self, round_id: RoundId) -> RoundRecord:
        """A round's record, new when there is none."""
        return record_of(self._journal, round_id)

    def of(self, lineage_id: LineageId) -> list[RoundRecord]:
        """All records of a lineage, oldest first."""
        return records_of(self._journal, lineage_id)

    def put(self, record: RoundRecord) -> None:
        """Replaces a round's record; durable on return."""
        own = record.own_score
        value: JSONValue = {
            "stage": str(record.stage),
            "reason": record.reason,
            "sealed": None if record.sealed is None else record.sealed.to_value(),
            "own_score": None if own is None else [own.correct, own.total],
        }
        self._journal.record(_key(record.round_id), value)

    def move(self, record: RoundRecord, stage: Stage, reason: str = "") -> None:
        """Sets a record's stage and keeps what was sealed and scored."""
        self.put(replace(record, stage=stage, reason=reason))

    def forget(self, round_id: RoundId) -> None:
        """The round starts afresh at this site: the envelope goes first, then what the journal says of it."""
        self.envelope(round_id).unlink(missing_ok=True)
        self._journal.forget(_key(round_id))

    def envelope(self, round_id: RoundId) -> Path:
        """Where a round's sealed envelope is, or will be."""
        return self._folder / f"{_stem(round_id)}.envelope"

    def plan(self, round_id: RoundId) -> Path:
        """Where a round's plan is, or will be."""
        return self._folder / f"{_stem(round_id)}.plan"

    def drop_old_files(self, lineage: LineageView, site_id: SiteId, keep_rounds: int) -> None:
        """Deletes plans and envelopes of rounds that ended long ago; an envelope that waits for IPFS stays.

        Raises:
            StoreError: The folder cannot be written.
        """
        lineage_id = lineage.created.lineage_id
        prefix = f"{lineage_id.hex()[:16]}-"
        for path in sorted(self._folder.glob(f"{prefix}*")):
            number = int(path.name.removeprefix(prefix)[:8])
            view = lineage.rounds.get(number)
            if number > lineage.last_round - keep_rounds or view is None or view.outcome is None:
                continue
            registered = view.registration_of(site_id) is not None
            if registered and self.get(RoundId(lineage_id, number)).stage in UNDELIVERED:
                continue
            try:
                path.unlink(missing_ok=True)
            except OSError as error:
                raise store_error(error, path) from error


def approve(journal: Journal, round_id: RoundId) -> None:
    """Says yes to one round when the site asks before it takes part."""
    journal.record(_approval_key(round_id), value=True)


def is_approved(journal: Journal, round_id: RoundId) -> bool:
    """Whether a person said yes to a round."""
    return bool(journal.get(_approval_key(round_id)))


def record_of(journal: Journal, round_id: RoundId) -> RoundRecord:
    """What the journal says of a round."""
    return _parse(round_id, journal.get(_key(round_id)))


def records_of(journal: Journal, lineage_id: LineageId) -> list[RoundRecord]:
    """What the journal says of a lineage's rounds, oldest first."""
    entries = journal.entries(f"round/{lineage_id.hex()}/")
    return [_parse(RoundId(lineage_id, int(key[-8:])), value) for key, value in entries.items()]


def _parse(round_id: RoundId, value: JSONValue) -> RoundRecord:
    if value is None:
        return RoundRecord(round_id)
    fields = cast("dict[str, JSONValue]", value)
    sealed = cast("dict[str, JSONValue] | None", fields["sealed"])
    own = cast("list[int] | None", fields["own_score"])
    return RoundRecord(
        round_id=round_id,
        stage=Stage(cast("str", fields["stage"])),
        reason=cast("str", fields["reason"]),
        sealed=None if sealed is None else SealedUpdate.from_value(sealed),
        own_score=None if own is None else score_of(*own),
    )


def _key(round_id: RoundId) -> str:
    return f"round/{_name(round_id)}"


def _approval_key(round_id: RoundId) -> str:
    return f"approved/{_name(round_id)}"


def _name(round_id: RoundId) -> str:
    return f"{round_id.lineage_id.hex()}/{round_id.number:08d}"


def _stem(round_id: RoundId) -> str:
    return f"{round_id.lineage_id.hex()[:16]}-{round_id.number:08d}"
