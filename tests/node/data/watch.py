"""What a scanner does to a watched folder, step by step."""

from __future__ import annotations

from pathlib import Path

from node.data.watched_folder import WatchedFolder
from tests.node.data.hospital import Hospital, page_file
from tests.node.data_builders import NOW


class Watch:
    """A watched folder whose clock the test moves."""

    def __init__(self, hospital: Hospital, folder: Path, budget_seconds: float = 1e9) -> None:
        folder.mkdir(exist_ok=True)
        self.hospital = hospital
        self.folder = folder
        self.seconds = 0.0
        self.watched = WatchedFolder(
            folder, hospital.parts, settle_seconds=5, budget_seconds=budget_seconds, clock=lambda: self.seconds
        )

    def step(self, seconds: float = 10) -> bool:
        took = self.watched.step(NOW)
        self.seconds += seconds
        return took

    def settle(self) -> bool:
        """Looks twice, with enough time between."""
        self.step()
        return self.step()

    def page(self, name: str, seed: int = 1) -> Path:
        path = self.folder / name
        path.parent.mkdir(exist_ok=True)
        return page_file(path, seed)

    def names(self) -> list[str]:
        return sorted(str(path.relative_to(self.folder)) for path in self.folder.rglob("*") if path.is_file())

    def patients(self) -> set[str]:
        return {word.patient for word in self.hospital.words()}
