"""A bundle shows all of a chain and replays its rounds from a checkpoint alone; every change is named by its step."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import rlp

from audit.bundle.making import BundleOptions, Doing, Sources, make_bundle
from audit.bundle.manifest import CHAIN_NAMES, DEPLOYMENT_NAME, HEADERS_NAME, RECEIPTS_NAME
from audit.findings import Outcome, Piece
from audit.proofs.checkpoint import Checkpoint
from gateways.ledger.block_bytes import encode_receipts, parse_header, parse_receipts
from gateways.ledger.block_reader import BlockReader
from gateways.ledger.rpc import RPCEndpoint
from protocol.deployment import encode_deployment, parse_deployment
from protocol.errors import AuditError, ConfigError, LedgerUnavailableError
from protocol.identifiers import AccountAddress, BlockHash, RoundId, lineage_id_of
from protocol.ledger_events import LocatedEvent
from tests.audit.bundle.stage import Parts, Stage, flipped, stage_of
from tests.audit.stage import LIMITS

pytestmark = pytest.mark.chain
Change = Callable[[dict[str, bytes]], dict[str, bytes]]


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with stage_of(tmp_path_factory.mktemp("network"), rounds=3) as made:
        yield made


@pytest.fixture(scope="module")
def bundle(stage: Stage, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("bundle") / "rounds"
    stage.make(path, rounds=range(2, 4))
    return path


@pytest.fixture
def parts(bundle: Path) -> Parts:
    return Parts.of(bundle)


def test_a_bundle_is_replayed_without_a_chain_or_ipfs(stage: Stage, bundle: Path) -> None:
    found = stage.verify(bundle)
    assert [each.round_id.number for each in found.replayed.rounds] == [2, 3]
    assert [each.outcome for each in found.replayed.rounds] == [Outcome.SAME, Outcome.SAME]
    assert all(each.model_recomputed for each in found.replayed.rounds)
    assert found.replayed.same
    assert (found.lacking, found.contents) == ((), 1 + 2 * (1 + 3 + 1 + 1))
    without_a_key = stage.verify(bundle, keyless=True).replayed
    assert without_a_key.same
    assert not any(each.opened for each in without_a_key.rounds)


def test_a_bundle_tells_the_same_events_as_the_chain(stage: Stage, bundle: Path) -> None:
    ledger = stage.network.governor
    told = list(ledger.events(0, stage.checkpoint.number))
    shown = stage.verify(bundle, keyless=True).chain.events
    assert [each.event for each in shown] == [each.event for each in told]
    assert [places_of(each) for each in shown] == [places_of(each) for each in told]
    assert shared_transactions(shown) == shared_transactions(told)


def places_of(located: LocatedEvent) -> tuple[object, ...]:
    at = located.position
    return (at.block_number, at.log_index, at.block_hash, at.timestamp)


def shared_transactions(events: Sequence[LocatedEvent]) -> list[bool]:
    return [one.position.tx_hash == two.position.tx_hash for one, two in pairwise(events)]


def test_the_same_bundle_has_the_same_bytes(stage: Stage, bundle: Path, tmp_path: Path) -> None:
    steps: list[Doing] = []
    stage.make(tmp_path / "again", rounds=range(2, 4), progress=steps.append)
    assert (tmp_path / "again").read_bytes() == bundle.read_bytes()
    assert {step.what for step in steps} == {"blocks", "contents"}
    assert all(0 <= step.done <= step.total for step in steps)


def test_without_a_range_all_rounds_go_in(stage: Stage, tmp_path: Path) -> None:
    made = stage.make(tmp_path / "all", rounds=range(9))
    assert (made.manifest.first.number, made.manifest.last_round) == (1, 3)
    assert [each.outcome for each in stage.verify(tmp_path / "all").replayed.rounds] == [Outcome.SAME] * 3


def test_up_to_an_earlier_checkpoint_a_round_has_no_result_yet(stage: Stage, tmp_path: Path) -> None:
    opened = stage.network.round(3).opened_at
    early = dataclasses.replace(stage.checkpoint, number=opened.block_number, block_hash=opened.block_hash)
    stage.make(tmp_path / "early", rounds=range(3, 9), checkpoint=early)
    assert [each.outcome for each in stage.verify(tmp_path / "early", checkpoint=early).replayed.rounds] == [
        Outcome.LIVE
    ]
    with pytest.raises(AuditError, match="at the step checkpoint"):
        stage.verify(tmp_path / "early")


def test_rounds_that_are_not_there_are_the_operators_mistake(stage: Stage, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="none of these rounds"):
        stage.make(tmp_path / "one", rounds=range(4, 9))
    with pytest.raises(ConfigError, match="no such lineage"):
        stage.make(tmp_path / "two", lineage_id=lineage_id_of("nowhere"))
    before = dataclasses.replace(stage.checkpoint, number=stage.deployment.deployment_block_number - 1)
    with pytest.raises(AuditError, match="before the contract's deployment"):
        stage.make(tmp_path / "three", checkpoint=before)
    assert [path for path in tmp_path.iterdir() if path.is_file()] == []


def test_without_a_needed_piece_there_is_a_bundle_only_if_asked_for(stage: Stage, tmp_path: Path) -> None:
    store, lost = stage.network.store, stage.network.round(2).registrations[1].event.envelope_cid
    swarm = [(each, each.contents.pop(lost)) for each in store._swarm.stores if lost in each.contents]
    try:
        with pytest.raises(AuditError, match="1 of 13 pieces of content are missing, such as the update 1 of round 2"):
            stage.make(tmp_path / "whole", rounds=range(2, 9))
        assert not (tmp_path / "whole").exists()
        made = stage.make(tmp_path / "part", rounds=range(2, 9), incomplete=True)
    finally:
        for each, content in swarm:
            each.contents[lost] = content
    assert len(made.missing) == 1
    found = stage.verify(tmp_path / "part")
    assert [content.cid for content in found.lacking] == [lost]
    assert [missing.piece for missing in found.replayed.all_missing] == [Piece.ENVELOPE]
    assert [each.outcome for each in found.replayed.rounds] == [Outcome.MISSING, Outcome.SAME]


class LyingEndpoint(RPCEndpoint):
    """Changes what the chain's endpoint answers to many requests of one method."""

    def __init__(self, url: str, method: str, change: Callable[[list[Any]], list[Any]]) -> None:
        super().__init__(url, timeout_seconds=30)
        self.method, self.change = method, change

    def batch(self, method: str, params: Sequence[Sequence[Any]]) -> list[Any]:
        found = super().batch(method, params)
        return self.change(found) if method == self.method else found


@pytest.mark.parametrize(
    ("said", "method", "change"),
    [
        ("do not give its receipts root", "eth_getTransactionReceipt", lambda x: [*x[:3], x[4], x[3], *x[5:]]),
        ("do not give its receipts root", "eth_getTransactionReceipt",
         lambda x: [*x[:3], x[3] | {"logs": []}, *x[4:]]),
        ("do not give its receipts root", "eth_getBlockByNumber",
         lambda x: [*x[:3], x[3] | {"transactions": []}, *x[4:]]),
        ("do not give its hash", "eth_getBlockByNumber", lambda x: [*x[:3], x[3] | {"timestamp": "0x1"}, *x[4:]]),
        ("the chain reorganised", "eth_getBlockByNumber", lambda x: [*x[:3], *x[4:], x[-1]]),
        ("no such block", "eth_getBlockByNumber", lambda x: [*x[:3], None, *x[4:]]),
        ("no such receipt", "eth_getTransactionReceipt", lambda x: [*x[:3], None, *x[4:]]),
    ],
)  # fmt: skip
def test_an_endpoint_that_leaves_something_out_makes_no_bundle(
    stage: Stage, tmp_path: Path, said: str, method: str, change: Callable[[list[Any]], list[Any]]
) -> None:
    blocks = BlockReader(LyingEndpoint(stage.url, method, change))
    sources = Sources(stage.deployment, stage.checkpoint, blocks, [stage.network.store])
    (tmp_path / "work").mkdir()
    with pytest.raises(LedgerUnavailableError, match=said):
        make_bundle(tmp_path / "bundle", sources, tmp_path / "work", BundleOptions(limits=LIMITS))
    assert not (tmp_path / "bundle").exists()


# ------------------------------------------------------------------------- changes, with a manifest that fits them


def lists_of(data: bytes) -> list[bytes]:
    """The RLP lists that follow each other in a member."""
    found = []
    while data:
        length = rlp.codec.consume_length_prefix(data, 0)
        end = length[3] + length[2]
        found.append(data[:end])
        data = data[end:]
    return found


def of_lists(name: str, change: Callable[[list[bytes]], list[bytes]]) -> Change:
    return lambda contents: contents | {name: b"".join(change(lists_of(contents[name])))}


def of_deployment(**fields: object) -> Change:
    def change(contents: dict[str, bytes]) -> dict[str, bytes]:
        changed = dataclasses.replace(parse_deployment(contents[DEPLOYMENT_NAME]), **fields)
        return contents | {DEPLOYMENT_NAME: encode_deployment(changed)}

    return change


def of_content(change: Callable[[list[tuple[str, bytes]]], list[tuple[str, bytes]]]) -> Change:
    def changed(contents: dict[str, bytes]) -> dict[str, bytes]:
        chain = {name: contents[name] for name in CHAIN_NAMES}
        return chain | dict(change([(name, contents[name]) for name in contents if name not in CHAIN_NAMES]))

    return changed


def added_receipt(data: bytes) -> bytes:
    return encode_receipts([*parse_receipts(data), parse_receipts(data)[0]])


CHANGES: dict[str, tuple[str, Change]] = {
    "a deployment of another chain": ("checkpoint", of_deployment(chain_id=5)),
    "a deployment that is none": ("checkpoint", lambda c: c | {DEPLOYMENT_NAME: b"{}"}),
    "another block of deployment": ("headers", of_deployment(deployment_block_number=7)),
    "another governor at deployment": ("events", of_deployment(governor=AccountAddress(b"\x07" * 20))),
    "the first header dropped": ("headers", of_lists(HEADERS_NAME, lambda x: x[1:])),
    "the last header dropped": ("headers", of_lists(HEADERS_NAME, lambda x: x[:-1])),
    "a header dropped": ("headers", of_lists(HEADERS_NAME, lambda x: x[:5] + x[6:])),
    "a header added": ("headers", of_lists(HEADERS_NAME, lambda x: [*x, x[-1]])),
    "two headers swapped": ("headers", of_lists(HEADERS_NAME, lambda x: [*x[:4], x[5], x[4], *x[6:]])),
    "a header truncated": ("headers", lambda c: c | {HEADERS_NAME: c[HEADERS_NAME][:-1]}),
    "a bit of a header": ("headers", of_lists(HEADERS_NAME, lambda x: [*x[:4], flipped(x[4], 200), *x[5:]])),
    "no headers": ("headers", of_lists(HEADERS_NAME, lambda _: [])),
    "a block's receipts dropped": ("receipts", of_lists(RECEIPTS_NAME, lambda x: x[:5] + x[6:])),
    "the last receipts dropped": ("receipts", of_lists(RECEIPTS_NAME, lambda x: x[:-1])),
    "receipts of a block added": ("receipts", of_lists(RECEIPTS_NAME, lambda x: [*x, x[-1]])),
    "a receipt added to a block": ("receipts", of_lists(RECEIPTS_NAME, lambda x: [added_receipt(x[0]), *x[1:]])),
    "two blocks' receipts swapped": ("receipts", of_lists(RECEIPTS_NAME, lambda x: [*x[:4], x[5], x[4], *x[6:]])),
    "receipts truncated": ("receipts", lambda c: c | {RECEIPTS_NAME: c[RECEIPTS_NAME][:-1]}),
    "a bit of a receipt": ("receipts", of_lists(RECEIPTS_NAME, lambda x: [*x[:4], flipped(x[4], 350), *x[5:]])),
    "an empty list of receipts": ("receipts", of_lists(RECEIPTS_NAME, lambda x: [*x[:4], b"\xc0", *x[5:]])),
    "a bit of a content": ("contents", of_content(lambda x: [*x[:2], (x[2][0], flipped(x[2][1], 9)), *x[3:]])),
    "a content truncated": ("contents", of_content(lambda x: [*x[:2], (x[2][0], x[2][1][:-1]), *x[3:]])),
    "two contents swapped": ("contents", of_content(lambda x: [*x[:2], x[3], x[2], *x[4:]])),
    "two contents under each other's names": (
        "contents", of_content(lambda x: [*x[:2], (x[2][0], x[3][1]), (x[3][0], x[2][1]), *x[4:]])
    ),
    "a content that nothing needs": (
        "contents", of_content(lambda x: [*x, ("content/QmbFMke1KXqnYyBBWxB74N4c5SBnJMVAiMNRcGu6x1AwQH", b"")])
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CHANGES)
def test_what_was_changed_is_named_by_its_step(stage: Stage, parts: Parts, tmp_path: Path, name: str) -> None:
    step, change = CHANGES[name]
    before = dict(parts.contents)
    parts.contents = change(parts.contents)
    assert list(parts.contents.items()) != list(before.items())
    with pytest.raises(AuditError, match=f"at the step {step}"):
        stage.verify(parts.put(tmp_path / "changed"))


@pytest.mark.parametrize(
    ("step", "fields"),
    [
        ("checkpoint", lambda m: {"checkpoint": dataclasses.replace(m.checkpoint, number=m.checkpoint.number - 1)}),
        ("checkpoint", lambda m: {"checkpoint": dataclasses.replace(m.checkpoint, chain_id=1)}),
        ("contents", lambda m: {"first": RoundId(lineage_id_of("nowhere"), 2)}),
        ("contents", lambda m: {"last_round": 4}),
        ("contents", lambda m: {"last_round": 2}),
        ("contents", lambda m: {"first": RoundId(m.first.lineage_id, 4), "last_round": 4}),
        ("container", lambda m: {"members": (*m.members[:-1], m.members[-2])}),
    ],
)
def test_a_false_manifest_is_named_by_its_step(stage: Stage, parts: Parts, tmp_path: Path, step: str, fields) -> None:
    with pytest.raises(AuditError, match=f"at the step {step}"):
        stage.verify(parts.put(tmp_path / "changed", **fields(parts.manifest)))


def test_rounds_that_a_manifest_only_promises_are_missing(stage: Stage, parts: Parts, tmp_path: Path) -> None:
    first = RoundId(parts.manifest.first.lineage_id, 1)
    found = stage.verify(parts.put(tmp_path / "changed", first=first))
    assert [each.outcome for each in found.replayed.rounds] == [Outcome.MISSING, Outcome.SAME, Outcome.SAME]


def test_a_dropped_content_is_missing_and_not_same(stage: Stage, parts: Parts, tmp_path: Path) -> None:
    parts.contents = of_content(lambda x: x[:-1])(parts.contents)
    found = stage.verify(parts.put(tmp_path / "changed"))
    assert [content.what for content in found.lacking] == ["model of round 3"]
    assert [missing.piece for missing in found.replayed.all_missing] == [Piece.GLOBAL_MODEL]


def test_a_member_that_is_not_the_manifests_is_named(stage: Stage, bundle: Path, parts: Parts, tmp_path: Path) -> None:
    content = parts.contents[HEADERS_NAME]
    data = bundle.read_bytes()
    (tmp_path / "changed").write_bytes(data.replace(content, flipped(content, 100), 1))
    with pytest.raises(AuditError, match="at the step members: headers"):
        stage.verify(tmp_path / "changed")


def test_another_history_of_the_same_chain_is_no_checkpoint(stage: Stage, bundle: Path) -> None:
    other = dataclasses.replace(stage.checkpoint, block_hash=BlockHash(b"\x01" * 32))
    with pytest.raises(AuditError, match="at the step checkpoint"):
        stage.verify(bundle, checkpoint=other)


def test_a_history_that_begins_behind_the_deployment_is_refused(stage: Stage, parts: Parts, tmp_path: Path) -> None:
    """Later blocks hang together too: what the contract said first must be in the first of them."""
    headers = lists_of(parts.contents[HEADERS_NAME])
    second = parse_header(headers[1])
    parts.contents = of_deployment(deployment_block_number=second.number, deployment_block_hash=second.block_hash)(
        parts.contents
    )
    parts.contents[HEADERS_NAME] = b"".join(headers[1:])
    parts.contents[RECEIPTS_NAME] = b"".join(lists_of(parts.contents[RECEIPTS_NAME])[1:])
    with pytest.raises(AuditError, match="at the step events"):
        stage.verify(parts.put(tmp_path / "changed"))


def test_a_checkpoint_of_another_contract_is_refused(stage: Stage, bundle: Path) -> None:
    mark = stage.checkpoint
    other = Checkpoint(mark.chain_id, AccountAddress(b"\x09" * 20), mark.number, mark.block_hash)
    with pytest.raises(AuditError, match="at the step checkpoint"):
        stage.verify(bundle, checkpoint=other)
