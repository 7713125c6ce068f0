"""Review in a spreadsheet: a CSV goes out, the clinician fills in two columns, it comes back."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping
from pathlib import Path

from node.data.review import ACTIONS, Decision
from node.store.tables import WordStatus
from node.store.words import StoredWord
from prescriptions.export.inert import inert
from protocol.errors import ConfigError

OUT_COLUMNS = (
    "word", "action", "label", "picture", "read", "proposal", "candidates", "model_read", "model_candidates",
    "other_models", "certainty", "strength", "form", "frequency", "flags", "file", "page", "box",
)  # fmt: skip
IN_COLUMNS = ("word", "action", "label")
MAX_SHEET_BYTES = 32 << 20
_ACTION_OF = {WordStatus.ACCEPTED: "accept", WordStatus.FIXED: "fix", WordStatus.REJECTED: "reject"}


def sheet_of(words: Iterable[StoredWord], pictures: Mapping[bytes, str]) -> str:
    """The CSV of words; ``action`` is empty for words that nobody has looked at.

    Args:
        words: In the order of the rows.
        pictures: File names of crops by word id, as far as they were written.
    """
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(OUT_COLUMNS)
    for word in words:
        proposal = word.proposal
        candidates = "|".join(f"{c.name} {c.score:.0%}" for c in proposal.candidates)
        model = proposal.model
        model_read = "" if model is None else model.text
        model_candidates = "" if model is None else "|".join(f"{c.name} {c.score:.0%}" for c in model.candidates)
        row = (
            word.word_id.hex(), _ACTION_OF.get(word.status, ""), word.label, pictures.get(word.word_id, ""),
            proposal.text, proposal.label, candidates, model_read, model_candidates,
            "|".join(map(str, proposal.others)), f"{proposal.certainty:.2f}", proposal.strength, proposal.form,
            proposal.frequency, "|".join(proposal.flags), proposal.where.file, str(proposal.where.page),
            " ".join(map(str, proposal.where.box)),
        )  # fmt: skip
        writer.writerow([row[0], row[1], row[2], *map(inert, row[3:])])
    return stream.getvalue()


def load_sheet(path: Path) -> tuple[Decision, ...]:
    """The decisions of a CSV file; rows without an action are left out.

    The columns ``word``, ``action`` and ``label`` are read, in any order; others are ignored. For ``reject`` the
    label column holds the reason.

    Raises:
        ConfigError: It cannot be read, or a row is wrong; names the line.
    """
    try:
        if path.stat().st_size > MAX_SHEET_BYTES:
            raise ConfigError(f"{path} is over {MAX_SHEET_BYTES} bytes", hint="review fewer words at once")
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise ConfigError(f"the sheet {path} cannot be read ({error.strerror})", hint="check the path") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"the sheet {path} is not UTF-8 text", hint="save it as CSV, UTF-8") from error
    return parse_sheet(text, path.name)


def parse_sheet(text: str, source: str) -> tuple[Decision, ...]:
    """The decisions of a sheet's text.

    Args:
        text: CSV with a header line.
        source: What to call the file in messages.

    Raises:
        ConfigError: A row is wrong; names the line.
    """
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    decisions: list[Decision] = []
    lines: dict[str, int] = {}
    try:
        header = [cell.strip().lower() for cell in next(reader, [])]
        if missing := [column for column in IN_COLUMNS if column not in header]:
            raise ConfigError(f"{source} line 1: there is no column {missing[0]!r}", hint="keep the header line")
        columns = [header.index(column) for column in IN_COLUMNS]
        for row in reader:
            where = f"{source} line {reader.line_num}"
            decision = _decision_of(row, columns, where)
            if decision is None:
                continue
            if decision.word in lines:
                raise ConfigError(f"{where}: the word of line {lines[decision.word]} comes again", hint="keep one line")
            lines[decision.word] = reader.line_num
            decisions.append(decision)
    except csv.Error as error:
        raise ConfigError(
            f"{source} line {reader.line_num} is no CSV: {error}", hint="close every quotation mark"
        ) from error
    return tuple(decisions)


def _decision_of(row: list[str], columns: list[int], where: str) -> Decision | None:
    if not any(cell.strip() for cell in row):
        return None
    if len(row) <= max(columns):
        raise ConfigError(f"{where}: {len(row)} columns are too few", hint="keep every column of the sheet")
    word, action, label = (row[column].strip() for column in columns)
    action = action.lower()
    if not action:
        return None
    if action not in ACTIONS:
        raise ConfigError(f"{where}: {action!r} is no action", hint=f"use {', '.join(ACTIONS)}, or leave it empty")
    if action == "fix" and not label:
        raise ConfigError(f"{where}: fix needs a label", hint="write what is written in the column label")
    if not word:
        raise ConfigError(f"{where}: there is no word id", hint="keep the column word as it was exported")
    return Decision(word.lower(), action, "" if action == "accept" else label, where)
