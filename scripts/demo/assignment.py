"""What the scorekeeper is told, and what it answers: two JSON files."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from learning.evaluation import Score


@dataclass(frozen=True, slots=True)
class Assignment:
    """What is compared, where, and on which words."""

    deployment: str
    rpc_url: str
    ipfs_url: str
    lineage: str
    rounds: int
    genesis: str
    """File of round 0's model."""
    sites: dict[str, str]
    """Settings file of each site that also trains alone."""
    words: str
    """Folder with ``labels.csv`` (file, label) and the crops."""
    lexicon: str
    folder: str
    """Takes features and models meanwhile."""
    answer: str
    """Takes the rows when all are there."""


def write_assignment(assignment: Assignment, path: Path) -> None:
    """Writes what ``python -m scripts.demo.scorekeeper FILE`` reads."""
    path.write_text(json.dumps(asdict(assignment)), encoding="utf-8")


def read_assignment(path: Path) -> Assignment:
    """What ``write_assignment`` wrote."""
    return Assignment(**json.loads(path.read_text(encoding="utf-8")))


def write_answer(rows: Sequence[tuple[str, Score]], path: Path) -> None:
    """Writes the rows in one step: a file that is there is whole."""
    partial = path.with_suffix(".partial")
    partial.write_text(json.dumps([(name, asdict(result)) for name, result in rows]), encoding="utf-8")
    partial.replace(path)


def read_answer(path: Path) -> list[tuple[str, Score]]:
    """The table's rows, in order."""
    return [(name, Score(**fields)) for name, fields in json.loads(path.read_text(encoding="utf-8"))]
