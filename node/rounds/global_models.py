"""Global models at a site: fetched, checked against the chain, scored on held-out words, adopted or kept back."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast

import structlog

from gateways.data_folder import DataFolder, store_error
from gateways.journal import Journal
from protocol.canonical_json import JSONValue
from protocol.errors import ConfigError, ContentMismatchError, StoreError
from protocol.identifiers import CID, Digest, LineageId
from protocol.parameters import parameters_digest, parameters_digest_of_stream, parse_parameters
from protocol.ports import BlockStore

if TYPE_CHECKING:
    from learning.backbone import Parameters

logger = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class ModelRecord:
    """A global model that this site has seen, and what it made of it."""

    round: int
    digest: Digest
    cid: CID
    adopted: bool
    correct: int
    """Held-out words read right with this model."""
    kept_correct: int
    """Held-out words read right with the model in use before, -1 when there was none."""
    total: int
    """Held-out words."""
    reason: str = ""
    """Why it could not be judged at all, such as a model of another backbone; empty when it could."""


class GlobalModels:
    """The models of one site.

    Args:
        folder: Files live in its subfolder ``models``.
        journal: Remembers records and which model a person chose.
        max_model_bytes: A longer model is not fetched.
        timeout_seconds: For one fetch.
    """

    def __init__(self, folder: DataFolder, journal: Journal, *, max_model_bytes: int, timeout_seconds: float) -> None:
        self._models = folder.subfolder("models")
        self._journal = journal
        self._max_model_bytes = max_model_bytes
        self._timeout_seconds = timeout_seconds

    def fetch(self, block_store: BlockStore, cid: CID, digest: Digest) -> Path:
        """The file of a model whose digest the chain names; fetched once, and again when it was changed or damaged.

        Raises:
            ContentMismatchError: The content is another model.
            ContentMissingError: Nobody delivered it in time.
            StoreError: The disk is full or refuses.
        """
        path = self.path_of(digest)
        if not self.is_here(digest):
            fetched = path.with_suffix(".fetched")
            block_store.fetch(cid, fetched, max_bytes=self._max_model_bytes, timeout_seconds=self._timeout_seconds)
            try:
                if _digest_of(fetched) != digest:
                    raise ContentMismatchError(cid)
                fetched.replace(path)
            except OSError as error:
                raise store_error(error, path) from error
            finally:
                fetched.unlink(missing_ok=True)
        return path

    def is_here(self, digest: Digest) -> bool:
        """Whether a model's file is there and as it was published; one that is not is removed.

        Raises:
            StoreError: The disk refuses.
        """
        path = self.path_of(digest)
        try:
            if not path.exists():
                return False
            if _digest_of(path) == digest:
                return True
            path.unlink(missing_ok=True)
        except OSError as error:
            raise store_error(error, path) from error
        logger.error("model.file_damaged", digest=str(digest))
        return False

    def parameters_of(self, record: ModelRecord) -> Parameters:
        """The parameters in a model's file, checked against its digest; a damaged file is removed.

        Raises:
            MalformedError: What was published is no model.
            StoreError: The file is not there or was damaged, or the disk refuses.
        """
        path = self.path_of(record.digest)
        try:
            data = path.read_bytes()
            if parameters_digest(data) == record.digest:
                return parse_parameters(data)
            # Missing is what the daemon looks for.
            path.unlink(missing_ok=True)
        except OSError as error:
            raise store_error(error, path) from error
        raise StoreError(
            f"the model file of round {record.round} is damaged",
            hint="start the daemon (fedrx node run): it fetches it again",
        )

    def path_of(self, digest: Digest) -> Path:
        """Where a model's file is, or will be."""
        return self._models / f"{digest.hex()}.safetensors"

    def records(self, lineage_id: LineageId) -> list[ModelRecord]:
        """All models seen, oldest first."""
        return [_parse_record(value) for value in self._journal.entries(_prefix(lineage_id)).values()]

    def record(self, lineage_id: LineageId, record: ModelRecord) -> None:
        """Remembers what became of a model; one entry, so that a crash leaves all of it or nothing."""
        self._journal.record(f"{_prefix(lineage_id)}{record.round:08d}", _record_value(record))
        logger.info("model.judged", round=record.round, adopted=record.adopted, correct=record.correct)

    def in_use(self, lineage_id: LineageId) -> ModelRecord | None:
        """The model that this site reads with: the newest adopted, unless a person chose another since."""
        records = self.records(lineage_id)
        chosen = cast("dict[str, int]", self._journal.get(_choice_key(lineage_id)) or {"round": -1, "seen": -1})
        adopted = [record for record in records if record.adopted and record.round > chosen["seen"]]
        if adopted:
            return adopted[-1]
        return next((record for record in records if record.round == chosen["round"]), None)

    def at_hand(self, lineage_id: LineageId) -> ModelRecord | None:
        """The model in use, when its file is there to be read."""
        record = self.in_use(lineage_id)
        return record if record is not None and self.path_of(record.digest).exists() else None

    def use(self, lineage_id: LineageId, round_number: int) -> ModelRecord:
        """Lets a person choose another model than the site did; it stays until a newer one is adopted.

        Raises:
            ConfigError: The site has no model of that round.
        """
        records = self.records(lineage_id)
        for record in records:
            if record.round == round_number and self.path_of(record.digest).exists():
                self._journal.record(_choice_key(lineage_id), {"round": round_number, "seen": records[-1].round})
                return record
        raise ConfigError(f"this site holds no model of round {round_number}", hint="see fedrx node model list")

    def drop_old_files(self, lineage_id: LineageId, keep_rounds: int) -> None:
        """Deletes model files of old rounds, never the one in use; their pins and records stay."""
        records = self.records(lineage_id)
        in_use = self.in_use(lineage_id)
        kept = {record.digest for record in records[-keep_rounds:]} | ({in_use.digest} if in_use else set())
        for record in records[:-keep_rounds]:
            if record.digest not in kept:
                self.path_of(record.digest).unlink(missing_ok=True)


def _digest_of(path: Path) -> Digest:
    with path.open("rb") as stream:
        return parameters_digest_of_stream(stream)


def _prefix(lineage_id: LineageId) -> str:
    return f"model/{lineage_id.hex()}/"


def _choice_key(lineage_id: LineageId) -> str:
    return f"model-chosen/{lineage_id.hex()}"


def _record_value(record: ModelRecord) -> dict[str, JSONValue]:
    return {
        "round": record.round,
        "digest": record.digest.hex(),
        "cid": str(record.cid),
        "adopted": record.adopted,
        "correct": record.correct,
        "kept_correct": record.kept_correct,
        "total": record.total,
        "reason": record.reason,
    }


def _parse_record(value: JSONValue) -> ModelRecord:
    fields = cast("dict[str, JSONValue]", value)
    return ModelRecord(
        round=cast("int", fields["round"]),
        digest=Digest.from_hex(cast("str", fields["digest"])),
        cid=CID.from_text(cast("str", fields["cid"])),
        adopted=cast("bool", fields["adopted"]),
        correct=cast("int", fields["correct"]),
        kept_correct=cast("int", fields["kept_correct"]),
        total=cast("int", fields["total"]),
        reason=cast("str", fields["reason"]),
    )
