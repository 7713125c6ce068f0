"""Mutations of what all aggregators publish together: a model that is not the sum."""

from __future__ import annotations

import numpy as np

from protocol import ledger_events as ev
from protocol.identifiers import CID, digest_of
from protocol.parameters import encode_parameters
from tests.protocol.values import SMALL_TENSORS, random_parameters
from tests.tamper.catalogue import AGGREGATORS, REPLAY, chapter
from tests.tamper.recording import LAST, SECOND, Recording

mutation = chapter("Models that the aggregators publish", REPLAY)
MODEL, ROUND = "different (model)", f"tests round {LAST}"


def _values(model: bytes) -> tuple[bytes, np.ndarray]:
    """A model's header, and its values."""
    count = sum(tensor.shape.count for tensor in SMALL_TENSORS)
    return model[: -4 * count], np.frombuffer(model[-4 * count :], "<f4").copy()


def _encoded(head: bytes, values: np.ndarray) -> bytes:
    return head + values.astype("<f4").tobytes()


@mutation(AGGREGATORS, MODEL, "model digest:", where=ROUND, public=False)
def one_bit(it: Recording) -> None:
    """One bit of the sum is flipped"""
    model = it.model()
    it.publish_model(model[:-1] + bytes([model[-1] ^ 1]))


@mutation(AGGREGATORS, MODEL, "model digest:", where=ROUND, public=False)
def scaled(it: Recording) -> None:
    """The sum is scaled"""
    head, values = _values(it.model())
    it.publish_model(_encoded(head, values * 2))


@mutation(AGGREGATORS, MODEL, "model digest:", where=ROUND, public=False)
def not_a_number(it: Recording) -> None:
    """A value of the model is not a number"""
    head, values = _values(it.model())
    values[3] = np.nan
    it.publish_model(_encoded(head, values))


@mutation(AGGREGATORS, MODEL, "model digest:", where=ROUND, public=False)
def two_values_swapped(it: Recording) -> None:
    """Two values of the model change their places"""
    head, values = _values(it.model())
    values[[0, 1]] = values[[1, 0]]
    it.publish_model(_encoded(head, values))


@mutation(AGGREGATORS, MODEL, "model digest:", where=ROUND, public=False)
def truncated(it: Recording) -> None:
    """The model's last value is cut off"""
    it.publish_model(it.model()[:-4])


@mutation(AGGREGATORS, MODEL, "model digest:", where=ROUND, public=False)
def appended(it: Recording) -> None:
    """Bytes are appended to the model"""
    it.publish_model(it.model() + b"\0")


@mutation(AGGREGATORS, MODEL, "model digest:", where=ROUND, public=False)
def the_parent_again(it: Recording) -> None:
    """The parent is published again, as if nobody had taken part"""
    it.publish_model(it.model(2))


@mutation(AGGREGATORS, MODEL, "model digest:", where=ROUND, public=False)
def an_older_model(it: Recording) -> None:
    """An older model is published again: a rollback"""
    it.publish_model(it.model(1))


@mutation(AGGREGATORS, MODEL, "model digest:", where=ROUND, public=False)
def another_lineages_model(it: Recording) -> None:
    """Another lineage's model is published"""
    it.publish_model(it.contents[it.event(ev.LineageCreated, lineage=SECOND).model_cid])


@mutation(AGGREGATORS, MODEL, "model digest:", where=ROUND, public=False)
def a_model_of_ones_own(it: Recording) -> None:
    """A model that was trained elsewhere is published"""
    it.publish_model(encode_parameters(random_parameters(SMALL_TENSORS, seed=99)))


@mutation(AGGREGATORS, MODEL, "model digest:", where=ROUND, public=False)
def one_left_out(it: Recording) -> None:
    """An accepted update is left out of the sum"""
    it.publish_verdicts({4: it.code(4)}, summed={0, 1, 2, 3})


@mutation(AGGREGATORS, MODEL, "model cid:", where=ROUND)
def another_models_cid(it: Recording) -> None:
    """The right digest stands beside the CID of another model"""
    it.attest(model_cid=it.event(ev.RoundFinalized, round=2).model_cid)


@mutation(AGGREGATORS, "missing", "the global model", where=ROUND)
def a_cid_of_nothing(it: Recording) -> None:
    """The right digest stands beside a CID that nobody has"""
    it.attest(model_cid=CID(bytes(digest_of("test-nothing"))))


@mutation(AGGREGATORS, MODEL, "are not the global model whose digest is on chain", where=ROUND)
def another_models_digest(it: Recording) -> None:
    """The right CID stands beside the digest of another model"""
    it.attest(model_digest=it.event(ev.RoundFinalized, round=2).model_digest)


@mutation(AGGREGATORS, "different (state)", "names a server state", where=ROUND)
def a_server_state(it: Recording) -> None:
    """The result names a state that the strategy does not keep"""
    it.attest(state_digest=digest_of("server-state", b"momentum"))
