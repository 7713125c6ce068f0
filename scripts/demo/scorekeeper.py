"""Compares readers on the test words while the network works, in processor time that the network leaves over.

A process of its own: it watches the chain, trains each site's local-only model round by round with the plan that the
round was opened with, and scores the last global model as soon as it is final. No daemon waits for it.
"""

from __future__ import annotations

import argparse
import csv
import multiprocessing
import os
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from gateways.block_store import KuboBlockStore
from gateways.chain_follower import ChainFollower
from gateways.ledger.web3_ledger import Web3Ledger
from learning.evaluation import Score
from protocol.deployment import parse_deployment
from protocol.errors import FederationError
from protocol.history import RoundView
from protocol.identifiers import lineage_id_of
from protocol.ledger_events import RoundFinalized
from protocol.plan import RoundPlan, parse_plan
from scripts.demo.assignment import Assignment, read_assignment, write_answer
from scripts.demo.processes import die_with
from scripts.demo.readers import Exam, score, step_aside, train_alone, write_features

_PROCESSES = 2
_POLL_SECONDS = 1.0
_FETCH_SECONDS = 20.0
_MAX_PLAN_BYTES = 4 << 20
_MAX_MODEL_BYTES = 64 << 20


def main() -> None:
    """``python -m scripts.demo.scorekeeper ASSIGNMENT``."""
    parser = argparse.ArgumentParser()
    parser.add_argument("assignment", type=Path)
    assignment = read_assignment(parser.parse_args().assignment)
    Path(assignment.folder).mkdir()
    step_aside()
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(_PROCESSES, context, initializer=die_with, initargs=(os.getpid(),)) as pool:
        rows = compare(assignment, pool)
    write_answer(rows, Path(assignment.answer))


def compare(assignment: Assignment, pool: ProcessPoolExecutor) -> list[tuple[str, Score]]:
    """Trains and scores all readers; ends after the last round's outcome."""
    folder, genesis = Path(assignment.folder), Path(assignment.genesis)
    exam = _prepare_exam(assignment, pool)
    zero_shot, round_zero = pool.submit(score, exam, None), pool.submit(score, exam, genesis)
    watch = _Watch(assignment)
    alone = dict.fromkeys(assignment.sites, genesis)
    for number in range(1, assignment.rounds + 1):
        plan, now = watch.wait_for_plan(number), int(time.time())
        trained = {
            slug: pool.submit(train_alone, Path(config), alone[slug], plan, now, folder / f"{slug}-{number}.model")
            for slug, config in assignment.sites.items()
        }
        alone = {slug: future.result() for slug, future in trained.items()}
    local_only = {slug: pool.submit(score, exam, model) for slug, model in alone.items()}
    head_round, head = watch.wait_for_head(assignment.rounds, folder / "global.model")
    together = pool.submit(score, exam, head)
    return [
        ("zero-shot english_g2", zero_shot.result()),
        ("round 0 (rendered names)", round_zero.result()),
        *((f"local only: {slug}", future.result()) for slug, future in local_only.items()),
        (f"global model, round {head_round}", together.result()),
    ]


def _prepare_exam(assignment: Assignment, pool: ProcessPoolExecutor) -> Exam:
    words = Path(assignment.words)
    with (words / "labels.csv").open(encoding="utf-8", newline="") as stream:
        rows = [(words / row["file"], row["label"]) for row in csv.DictReader(stream)]
    crops = [crop for crop, _ in rows]
    middle = len(crops) // 2
    parts = [
        pool.submit(write_features, part, Path(assignment.folder) / f"features-{number}.npy")
        for number, part in enumerate((crops[:middle], crops[middle:]))
    ]
    return Exam(tuple(part.result() for part in parts), tuple(label for _, label in rows), Path(assignment.lexicon))


class _Watch:
    """The chain and IPFS, as anybody can read them."""

    def __init__(self, assignment: Assignment) -> None:
        deployment = parse_deployment(Path(assignment.deployment).read_bytes())
        self._follower = ChainFollower(Web3Ledger.connect(assignment.rpc_url, deployment))
        self._store = KuboBlockStore(assignment.ipfs_url)
        self._lineage = lineage_id_of(assignment.lineage)
        self._folder = Path(assignment.folder)

    def wait_for_plan(self, number: int) -> RoundPlan:
        """The plan of a round, once it is opened."""
        view = next(view for rounds in self._rounds() for view in rounds if view.opened.round == number)
        path = self._folder / f"plan-{number}.json"
        self._store.fetch(view.opened.plan_cid, path, max_bytes=_MAX_PLAN_BYTES, timeout_seconds=_FETCH_SECONDS)
        return parse_plan(path.read_bytes())

    def wait_for_head(self, last_round: int, destination: Path) -> tuple[int, Path]:
        """The newest global model, once the last round has an outcome."""
        for rounds in self._rounds():
            if any(view.opened.round == last_round and view.outcome is not None for view in rounds):
                break
        final = [view.outcome for view in rounds if isinstance(view.outcome, RoundFinalized)]
        newest = max(final, key=lambda outcome: outcome.round, default=None)
        if newest is None:
            raise FederationError("no round made a global model", hint="look at the aggregator's log")
        self._store.fetch(newest.model_cid, destination, max_bytes=_MAX_MODEL_BYTES, timeout_seconds=_FETCH_SECONDS)
        return newest.round, destination

    def _rounds(self) -> Iterator[Iterable[RoundView]]:
        while True:
            yield tuple(self._follower.sync().lineages[self._lineage].rounds.values())
            time.sleep(_POLL_SECONDS)


if __name__ == "__main__":
    main()
