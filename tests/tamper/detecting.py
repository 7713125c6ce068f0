"""What the auditor's commands find in a recording, as values that can be compared with the catalogue."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from sqlalchemy import Engine

from audit.findings import Difference, Missing, ReplayFinding
from audit.index.checking import check_index
from audit.names import Names
from audit.parting import parting_sentences, where_they_part
from audit.replay import ReplayOptions, replay
from gateways.ledger.web3_ledger import Web3Ledger
from node.rounds.plan_check import check_plan
from node.settings import TrainingLimits
from protocol.errors import AuditError, ConfigError, LedgerUnavailableError, MalformedError, WrongChainError
from protocol.history import History
from protocol.identifiers import BlockHash
from protocol.ledger_events import LocatedEvent
from protocol.ports import BlockHeader, ChainIdentity
from tests.audit.stage import LIMITS
from tests.fakes.block_store import FakeBlockStore
from tests.fakes.ledger import FakeLedger
from tests.fakes.ledger_world import FakeWorld
from tests.gateways.json_rpc_server import DEPLOYMENT, JSONRPCServer
from tests.protocol.builders import Network
from tests.tamper.catalogue import Mutation
from tests.tamper.recording import FIRST, SECOND, Recording

NAMES = Names([*(f"site-{number}" for number in range(7)), "aggregator-0", "aggregator-1", FIRST, SECOND, "copy"])
NETWORK = "network"
"""Where a finding stands that is about no lineage."""


@dataclass(frozen=True, slots=True)
class Found:
    """One line of a command's output."""

    where: str
    kind: str
    sentence: str


def name_of(mutation: Mutation) -> str:
    """For a test's id."""
    return mutation.name


def is_named(found: Iterable[Found], mutation: Mutation) -> bool:
    """Whether a finding is the mutation's."""
    return any(one.kind == mutation.kind and mutation.words in one.sentence for one in found)


def replayed(recording: Recording, *, keyless: bool = False, where: str = "") -> list[Found]:
    """What ``fedrx audit replay`` finds; with ``--round`` when only one round is asked for.

    Args:
        recording: What the chain and IPFS hold.
        keyless: Without the auditor's key.
        where: Of the finding that is looked for; a round's is looked for in that round.
    """
    number = int(where.rpartition(" ")[2]) if " round " in where else None
    store = FakeBlockStore()
    store.contents = recording.contents
    keys = () if keyless else (recording.auditor_key,)
    rounds = None if number is None else range(number, number + 1)
    options = ReplayOptions(keys=keys, rounds=rounds, limits=LIMITS, names=NAMES)
    try:
        return list(lines_of(replay(recording.identity, recording.events, [store], options)))
    except MalformedError as error:
        return [Found(NETWORK, "refused", str(error))]


def lines_of(finding: ReplayFinding) -> Iterator[Found]:
    """The lines of a replay's output, but for its notes."""
    yield from _found(NETWORK, finding.differences, ())
    for lineage in finding.lineages:
        label = NAMES.label(lineage.lineage_id)
        yield from _found(label, lineage.differences, lineage.missing)
        for round_ in lineage.rounds:
            yield from _found(f"{label} round {round_.round_id.number}", round_.differences, round_.missing)


def _found(where: str, differences: Iterable[Difference], missing: Iterable[Missing]) -> Iterator[Found]:
    for difference in differences:
        yield Found(where, f"different ({difference.topic.value})", difference.sentence)
    for lost in missing:
        yield Found(where, "missing", lost.sentence)


class Teller(FakeLedger):
    """An endpoint that tells the events of a recording, and an honest chain of blocks."""

    def __init__(self, recording: Recording, newest: BlockHeader) -> None:
        super().__init__(FakeWorld().chain, None)
        self.told = recording
        self.newest = newest

    @property
    def identity(self) -> ChainIdentity:
        return self.told.identity

    def head(self) -> BlockHeader:
        return self.newest

    def block_hash(self, number: int) -> BlockHash | None:
        return BlockHash(number.to_bytes(32, "big"))

    def events(self, from_block: int, to_block: int) -> Iterator[LocatedEvent]:
        return (e for e in self.told.events if from_block <= e.position.block_number <= to_block)


def newest_of(recording: Recording) -> BlockHeader:
    """The recorded chain's head."""
    last = recording.events[-1].position
    return BlockHeader(last.block_number, last.block_hash, last.timestamp)


def parted(honest: Recording, changed: Recording) -> list[Found]:
    """What ``fedrx audit diff`` finds between an endpoint that lies and an honest one."""
    newest = newest_of(honest)
    parting = where_they_part(Teller(changed, newest), Teller(honest, newest))
    return [] if parting.same else [Found("", "the endpoints part", " ".join(parting_sentences(parting, NAMES)))]


def refused_by_a_node(network: Network) -> list[Found]:
    """Why a site's node sits a round out."""
    assert network.plan is not None
    try:
        check_plan(
            network.plan,
            network.view,
            History(network.events),
            backbone_digest=network.backbone_digest,
            scope=[(tensor.shape.name, tensor.shape.shape) for tensor in network.tensors],
            limits=TrainingLimits(),
        )
    except ConfigError as error:
        return [Found("", "sits out", str(error))]
    return []


def refused_to_connect(server: JSONRPCServer, other: JSONRPCServer) -> list[Found]:
    """Why a process does not believe an endpoint; a second one is compared with it."""
    try:
        Web3Ledger.connect(server.url, DEPLOYMENT, compare_rpc_url=other.url)
    except WrongChainError as error:
        return [Found("", "another chain", str(error))]
    except LedgerUnavailableError as error:
        return [Found("", "no answer to trust", str(error))]
    return []


def changed_index(index: Engine, ledger: Teller) -> list[Found]:
    """What ``fedrx audit check-index`` finds."""
    words = {"changed an event": "changed", "leaves out an event": "left out", "holds an event": "invented"}
    words |= {"another hash of block": "changed", "no hash of block": "changed", "how far it has read": "changed"}
    try:
        check_index(index, ledger, NAMES)
    except AuditError as error:
        return [Found("", kind, str(error)) for said, kind in words.items() if said in str(error)]
    return []
