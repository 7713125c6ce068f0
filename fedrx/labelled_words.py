"""A folder of word crops whose names are known, to score models with."""

from __future__ import annotations

import csv
import hashlib
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from protocol.errors import ConfigError, PrescriptionError
from protocol.identifiers import Digest

if TYPE_CHECKING:
    from learning.backbone import GreyCrop

LABELS = "labels.csv"
HEADER = ("file", "label")
_MAX_CROP_BYTES = 32 << 20
"""A crop of the largest sides, stored without compression, has half of it."""


@dataclass(frozen=True, slots=True)
class LabelledWords:
    """Crops and what is written on them, in the order of ``labels.csv``."""

    crops: tuple[GreyCrop, ...]
    labels: tuple[str, ...]
    files: tuple[Digest, ...]
    """SHA-256 of each crop's file."""


def read_words(folder: Path) -> LabelledWords:
    """Reads ``labels.csv`` (``file,label``) of a folder, and the crops that it lists.

    Raises:
        ConfigError: There is no such list, a line of it is wrong, or a file is no PNG of one word.
    """
    from prescriptions.words import decode_png  # noqa: PLC0415 - OpenCV is loaded by whoever scores

    rows = _rows(folder / LABELS)
    crops, files = [], []
    for name, _ in rows:
        path = folder / name
        try:
            data = _file_bytes(path)
            crops.append(decode_png(data))
        except OSError as error:
            raise ConfigError(f"{path} cannot be read ({error.strerror})", hint=f"see {folder / LABELS}") from error
        except PrescriptionError as error:
            raise ConfigError(f"{path} is no word crop", hint="crops are PNG files of one word each") from error
        files.append(Digest(hashlib.sha256(data).digest()))
    return LabelledWords(tuple(crops), tuple(label for _, label in rows), tuple(files))


def _file_bytes(path: Path) -> bytes:
    # The list may be a stranger's: a pipe would never end, and a device never be read whole.
    state = path.stat()
    if not stat.S_ISREG(state.st_mode) or state.st_size > _MAX_CROP_BYTES:
        raise ConfigError(f"{path} is no word crop", hint="crops are PNG files of one word each")
    return path.read_bytes()


def _rows(path: Path) -> list[tuple[str, str]]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            lines = list(csv.reader(stream, strict=True))
    except OSError as error:
        raise ConfigError(
            f"the list of words {path} cannot be read ({error.strerror})", hint="write file,label lines into it"
        ) from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise ConfigError(f"{path} is no CSV in UTF-8", hint="write file,label lines into it") from error
    if not lines or tuple(lines[0]) != HEADER:
        raise ConfigError(f"{path} does not begin with {','.join(HEADER)!r}", hint="write this header first")
    for number, cells in enumerate(lines[1:], start=2):
        if len(cells) != len(HEADER) or not all(cells) or "\0" in cells[0]:
            raise ConfigError(f"{path} line {number} is not a file and a label", hint="give both on every line")
    if len(lines) == 1:
        raise ConfigError(f"{path} lists no word", hint="add a line for every crop")
    return [(name, label) for name, label in lines[1:]]
