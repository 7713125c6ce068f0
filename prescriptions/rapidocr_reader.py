"""RapidOCR (PP-OCRv6 on onnxruntime): the default reader; its models come in the package and nothing is downloaded."""

from __future__ import annotations

import importlib.metadata
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from prescriptions.box import Box
from prescriptions.word_split import ReadLine, ink_of, words_of
from protocol.errors import PrescriptionError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from prescriptions.reading import ReadWord


class RapidOCRReader:
    """A ``PageReader``. The engine is built at the first page (about 0.6 s, 250 MB).

    Args:
        threads: For one operator of the network. One is right where several processes share the cores.
        min_confidence: Lines below this are no text but rules, stains and signatures; 0 to 1.
        detection_side: Pixels; the long side at which lines are looked for.
    """

    def __init__(self, *, threads: int = 1, min_confidence: float = 0.35, detection_side: int = 960) -> None:
        self._threads = threads
        self._min_confidence = min_confidence
        self._detection_side = detection_side
        self._engine: Any = None

    @property
    def name(self) -> str:
        """Engine and version."""
        return f"rapidocr {importlib.metadata.version('rapidocr')}"

    @property
    def turned_below(self) -> float:
        """As ``PageReader.turned_below``; measured on drawn pages."""
        return 0.75

    def read(self, image: NDArray[np.uint8]) -> tuple[ReadWord, ...]:
        """As ``PageReader.read``."""
        engine = self._started()
        try:
            result = engine(cv2.cvtColor(image, cv2.COLOR_GRAY2BGR))
        except (RuntimeError, ValueError, cv2.error) as error:
            raise PrescriptionError(
                f"rapidocr failed on a page ({type(error).__name__})", hint="read it with easyocr"
            ) from error
        if result.txts is None:
            return ()
        characters = result.word_results if len(result.word_results) == len(result.txts) else [()] * len(result.txts)
        lines = [
            _line(quad, text, score, cells, image.shape)
            for quad, text, score, cells in zip(result.boxes, result.txts, result.scores, characters, strict=True)
            if score >= self._min_confidence
        ]
        return words_of(lines, ink_of(image))

    def _started(self) -> Any:
        if self._engine is None:
            from rapidocr import RapidOCR  # noqa: PLC0415 - onnxruntime is loaded when the first page is read

            self._engine = RapidOCR(
                params={
                    "Global.use_cls": False,  # the pipeline turns pages; a classifier per line costs time
                    "Global.log_level": "error",
                    "Global.text_score": 0.0,  # filtered here, where lines and characters stay aligned
                    "Global.return_word_box": True,
                    "Global.return_single_char_box": True,
                    "EngineConfig.onnxruntime.intra_op_num_threads": self._threads,
                    "EngineConfig.onnxruntime.inter_op_num_threads": 1,
                    "EngineConfig.onnxruntime.enable_cpu_mem_arena": True,
                    "Det.limit_type": "max",
                    "Det.limit_side_len": self._detection_side,
                    "Rec.rec_batch_num": 1,  # a batch is padded to its longest line: one by one is less work
                }
            )
        return self._engine


def _line(quad: NDArray[np.float32], text: str, score: float, cells: Any, shape: tuple[int, ...]) -> ReadLine:
    height, width = shape
    left, top = np.clip(np.floor(quad.min(axis=0)), 0, [width - 1, height - 1]).astype(int).tolist()
    right, bottom = np.clip(np.ceil(quad.max(axis=0)), [left + 1, top + 1], [width, height]).astype(int).tolist()
    centres = tuple(float(np.mean([x for x, _ in cell])) for _, _, cell in cells)
    # RapidOCR rounds its confidences and gives one for each character.
    return ReadLine(text, Box(left, top, right, bottom), centres, tuple(float(c) for _, c, _ in cells) or (score,))
