"""What a long run has worked out, a line each: a run that was stopped goes on where it was."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any


class KeptWork:
    """Results by page number. They are of one seed and one state of the code: another wants another folder.

    Args:
        folder: Where they are kept; None keeps nothing.
    """

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder

    def results(
        self, stage: str, numbers: Iterable[int], run: Callable[[list[int]], Iterable[Any]]
    ) -> Iterator[tuple[int, Any]]:
        """Number and result of every page, those that are kept first.

        Args:
            stage: What is worked out; the name of its file.
            numbers: The pages.
            run: Works out the pages that are not kept, in their order; the results are JSON values.
        """
        wanted = list(numbers)
        kept = dict(self._read(stage))
        missing = [number for number in wanted if number not in kept]
        yield from ((number, kept[number]) for number in wanted if number in kept)
        for number, result in zip(missing, run(missing), strict=True):
            self._append(stage, number, result)
            yield number, result

    def _read(self, stage: str) -> Iterator[tuple[int, Any]]:
        file = self._folder / f"{stage}.jsonl" if self._folder else None
        if file is None or not file.exists():
            return
        for line in file.read_text(encoding="utf-8").splitlines(keepends=True):
            if line.endswith("\n"):  # the last one may have been cut off
                number, result = json.loads(line)
                yield number, result

    def _append(self, stage: str, number: int, result: Any) -> None:
        if self._folder is not None:
            self._folder.mkdir(parents=True, exist_ok=True)
            with (self._folder / f"{stage}.jsonl").open("a", encoding="utf-8") as file:
                file.write(json.dumps([number, result]) + "\n")
