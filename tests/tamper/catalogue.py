"""The catalogue: every mutation with its name, its culprit, and the finding that must name it.

The tests run it, and ``python -m tests.tamper.catalogue`` writes its tables into docs/tamper-catalogue.md.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

DOCUMENT = Path(__file__).parents[2] / "docs" / "tamper-catalogue.md"
BEGIN, END = "<!-- written by tests.tamper.catalogue -->", "<!-- end of the tables -->"
CHAPTERS = ("round_events", "member_events", "history_events", "results", "verdicts", "updates", "plans", "contents",
            "plans_at_a_site", "endpoints", "left_out", "copies", "proofs", "seals", "bundles", "checkpoints",
            "index_rows")  # fmt: skip

REPLAY = "fedrx audit replay"
VERIFY_PROOF = "fedrx audit verify PROOF --checkpoint FILE"
VERIFY_SEALS = "fedrx audit verify … --validators FILE"
VERIFY_BUNDLE = "fedrx audit verify BUNDLE --checkpoint FILE"
VERIFY_NOTE = "fedrx audit verify … --checkpoint NOTE --require 3"
CONNECT = "every command and daemon, when it opens the chain"
NODE = "a site's node, before it trains"
DIFF = "fedrx audit diff --other-rpc"
COMPARED = "every command and daemon with a second endpoint (--compare-rpc), and fedrx audit check-index --checkpoint"
RULES = "fedrx audit show, trail, export, watch, explorer and check-index, and whoever names those of the next table"
INDEX = "fedrx audit check-index"

AGGREGATORS = "aggregators who agree"
AGGREGATOR = "one aggregator"
CHAIN = "RPC endpoint or chain operator"
GOVERNOR = "governor, on a chain that lets it"
IPFS = "IPFS endpoint"
SITE = "site, with the aggregators"
ANYONE = "whoever hands the file over"
INDEX_WRITER = "whoever can write the file"


@dataclass(frozen=True, slots=True)
class Mutation:
    """One thing that somebody could change."""

    chapter: str
    command: str
    name: str
    who: str
    change: Callable[[Any], Any]
    kind: str
    """Of finding, as the command writes it."""
    words: str
    """In the finding's sentence."""
    where: str
    """The part of the network that the finding is about, such as ``tests round 3``; empty where there is but one."""
    public: bool
    """Whether a replay without the auditor's key names it too."""


MUTATIONS: list[Mutation] = []


def chapter(title: str, command: str) -> Callable[..., Callable[[Callable[[Any], Any]], Callable[[Any], Any]]]:
    """A decorator for the mutations of a chapter; a mutation's docstring is its name."""

    def mutation(
        who: str, kind: str, words: str, *, where: str = "", public: bool = True
    ) -> Callable[[Callable[[Any], Any]], Callable[[Any], Any]]:
        def register(change: Callable[[Any], Any]) -> Callable[[Any], Any]:
            name = (change.__doc__ or "").strip().rstrip(".")
            assert name, change
            assert all(known.name != name for known in MUTATIONS), name
            MUTATIONS.append(Mutation(title, command, name, who, change, kind, words, where, public))
            return change

        return register

    return mutation


def mutations(command: str) -> list[Mutation]:
    """The mutations that a command must name."""
    load()
    return [mutation for mutation in MUTATIONS if mutation.command == command]


def load() -> None:
    """Fills the catalogue, in the order of the document's chapters."""
    for name in CHAPTERS:
        importlib.import_module(f"tests.tamper.{name}")


def tables() -> str:
    """The document's tables."""
    load()
    return "\n".join(_lines())


def _lines() -> Iterator[str]:
    yield f"{len(MUTATIONS)} mutations."
    for title in dict.fromkeys(mutation.chapter for mutation in MUTATIONS):
        mine = [mutation for mutation in MUTATIONS if mutation.chapter == title]
        replayed = mine[0].command == REPLAY
        yield from ("", f"### {title}", "", f"Named by: {mine[0].command}.", "")
        yield f"| what is changed | who could | finding |{' without a key |' if replayed else ''}"
        yield f"|---|---|---|{'---|' if replayed else ''}"
        for one in mine:
            place = f" ({one.where})" if one.where else ""
            words = f": … {one.words} …" if one.words else ""
            last = f" {'yes' if one.public else 'no'} |" if replayed else ""
            yield f"| {one.name} | {one.who} | {one.kind}{place}{words} |{last}"
    yield ""


def document() -> str:
    """The whole page: its text as it stands, with the tables of now."""
    text = DOCUMENT.read_text(encoding="utf-8")
    return f"{text[: text.index(BEGIN)]}{BEGIN}\n\n{tables()}\n{text[text.index(END) :]}"


if __name__ == "__main__":
    # Run as a module this file would be there twice, once empty.
    DOCUMENT.write_text(importlib.import_module("tests.tamper.catalogue").document(), encoding="utf-8")
