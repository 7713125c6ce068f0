"""An intake over a data folder, and pages that are drawn for it."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from node.data.intake import ImportItem, ImportReport, IntakeParts, import_files
from node.store.local_store import LocalStore
from node.store.sealed_files import SealedFiles
from node.store.tables import WordStatus
from node.store.words import StoredWord, words_with
from prescriptions.box import Box
from prescriptions.lexicon import Lexicon, bundled_lexicon
from prescriptions.load import LoadLimits
from prescriptions.reading import ReadWord
from tests.node.data_builders import NOW, STORE_KEY

LINE = ("Tab.", "Amoxil", "500", "mg", "1+0+1")
PRIVATE = ("Phone:", "01711-000000")


class PenReader:
    """Reads the same two lines on every page that is not blank: one with a medicine, one with a telephone number."""

    name = "pen 1"
    turned_below = 0.0

    def __init__(self) -> None:
        self.pages = 0

    def read(self, image: NDArray[np.uint8]) -> tuple[ReadWord, ...]:
        self.pages += 1
        if int(image.max()) - int(image.min()) < 40:
            return ()
        return tuple(
            ReadWord(text, 0.9, Box(20 + 60 * i, 20 + 40 * line, 70 + 60 * i, 40 + 40 * line), line)
            for line, texts in enumerate((PRIVATE, LINE))
            for i, text in enumerate(texts)
        )


class Hospital:
    """An intake over a data folder."""

    def __init__(
        self, folder: Path, *, keep_originals: bool = False, limits: LoadLimits | None = None, reader: Any = None
    ) -> None:
        folder.mkdir(exist_ok=True)
        self.folder = folder
        self.reader = reader or PenReader()
        self.parts = IntakeParts(
            store=LocalStore(folder / "store.sqlite", STORE_KEY),
            reader=self.reader,
            lexicon=LEXICON(),
            limits=limits or LoadLimits(),
            originals=SealedFiles(folder / "originals"),
            quarantine=SealedFiles(folder / "quarantine"),
            keep_originals=keep_originals,
        )

    def take(self, *paths: Path, patient: str = "P001") -> ImportReport:
        return import_files(self.parts, [ImportItem(path, patient) for path in paths], NOW)

    def words(self) -> tuple[StoredWord, ...]:
        with self.parts.store.read() as transaction:
            return words_with(transaction, *WordStatus)

    def counts(self) -> dict[str, int]:
        """Rows of each table and files of each folder; files without a key would show as a difference."""
        connection = sqlite3.connect(self.folder / "store.sqlite")
        tables = ("patients", "originals", "pages", "words", "quarantine")
        found = {t: int(connection.execute(f"SELECT COUNT(*) FROM {t}").fetchone()[0]) for t in tables}
        connection.close()
        files = {f"{name} files": len(list((self.folder / name).iterdir())) for name in ("originals", "quarantine")}
        return found | files


_loaded: list[Lexicon] = []


def LEXICON() -> Lexicon:  # noqa: N802 - a constant that is read on first use
    if not _loaded:
        _loaded.append(bundled_lexicon("drugsfda"))
    return _loaded[0]


def page_image(seed: int) -> Image.Image:
    pixels = np.full((200, 400), 235, np.uint8)
    ink = np.random.default_rng(seed).integers(0, 2, (140, 340), dtype=np.uint8)
    pixels[20:160, 20:360] = np.where(ink == 1, 235, 30)
    return Image.fromarray(pixels)


def page_file(path: Path, *seeds: int) -> Path:
    first, *others = [page_image(seed) for seed in seeds]
    first.save(path, save_all=bool(others), append_images=others) if path.suffix == ".pdf" else first.save(path)
    return path
