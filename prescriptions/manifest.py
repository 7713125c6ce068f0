"""The import manifest: which file belongs to which patient. CSV, UTF-8, header ``file,patient``."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from protocol.errors import ConfigError

HEADER = ("file", "patient")
MAX_PATIENT_CHARACTERS = 64
MAX_MANIFEST_BYTES = 32 << 20


@dataclass(frozen=True, slots=True)
class ManifestEntry:
    """One line of a manifest."""

    file: PurePosixPath
    """Relative to the manifest's folder, and below it."""
    patient: str
    """The site's own id of the patient, 1 to 64 printable characters."""
    line: int
    """1-based, in the manifest."""


def load_manifest(path: Path) -> tuple[ManifestEntry, ...]:
    """The entries of a manifest file.

    Raises:
        ConfigError: It cannot be read, is over 32 MiB, or says something wrong; names the line.
    """
    try:
        if path.stat().st_size > MAX_MANIFEST_BYTES:
            raise ConfigError(f"the manifest {path} is over {MAX_MANIFEST_BYTES} bytes", hint="import fewer at once")
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"the manifest {path} cannot be read ({error.strerror})", hint="check the path") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"the manifest {path} is not UTF-8 text", hint="save it as CSV, UTF-8") from error
    return parse_manifest(text, source=path.name)


def parse_manifest(text: str, *, source: str = "manifest.csv") -> tuple[ManifestEntry, ...]:
    """The entries of a manifest, in its order; empty lines are passed over.

    Args:
        text: The CSV text, with or without a byte order mark.
        source: What to call the manifest in messages.

    Raises:
        ConfigError: A wrong header, column count, path or patient, a file listed twice, or no entry; with its line.
    """
    reader = csv.reader(io.StringIO(text.removeprefix("\ufeff")), strict=True)
    entries: dict[PurePosixPath, ManifestEntry] = {}
    try:
        if tuple(cell.strip() for cell in next(reader, [])) != HEADER:
            raise ConfigError(
                f"{source} line 1 is not {','.join(HEADER)!r}", hint="write this header first, with a comma"
            )
        for row in reader:
            if not any(cell.strip() for cell in row):
                continue
            entry = _entry_of(row, f"{source} line {reader.line_num}", reader.line_num)
            first = entries.setdefault(entry.file, entry)
            if first is not entry:
                raise ConfigError(
                    f"{source} line {entry.line}: the file of line {first.line} is listed again",
                    hint="list every file once",
                )
    except csv.Error as error:
        raise ConfigError(
            f"{source} line {reader.line_num} is not CSV: {error}", hint="close every quotation mark"
        ) from error
    if not entries:
        raise ConfigError(f"{source} lists no file", hint="add a line for every page file")
    return tuple(entries.values())


def _entry_of(row: list[str], where: str, line: int) -> ManifestEntry:
    if len(row) != len(HEADER):
        raise ConfigError(f"{where}: expected file and patient, found {len(row)} columns", hint="quote commas")
    file, patient = (cell.strip() for cell in row)
    path = PurePosixPath(file)
    if not file or not file.isprintable() or path.is_absolute() or ".." in path.parts or "\\" in file:
        raise ConfigError(f"{where}: the file must be a path below the manifest's folder", hint="use forward slashes")
    if not 0 < len(patient) <= MAX_PATIENT_CHARACTERS or not patient.isprintable():
        raise ConfigError(
            f"{where}: the patient must be 1 to {MAX_PATIENT_CHARACTERS} printable characters",
            hint="write the site's own identifier",
        )
    return ManifestEntry(path, patient, line)
