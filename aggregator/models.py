"""Parent models: fetched by the CID that the chain names, checked against the digest that the chain names."""

from __future__ import annotations

from pathlib import Path

from aggregator.fetcher import Delivery
from aggregator.parts import Parts
from protocol.errors import ContentMismatchError, MalformedError
from protocol.history import LineageView
from protocol.identifiers import CID, Digest
from protocol.ledger_events import RoundFinalized
from protocol.parameters import parameters_digest_of_stream
from protocol.tensors import MAX_HEADER_BYTES, TensorShape, parse_header

_FETCH_TIMEOUT_SECONDS = 300.0


class Models:
    """The models of an aggregator's lineages.

    Args:
        parts: The aggregator's.
    """

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    def is_here(self, cid: CID) -> bool:
        """Whether a model has arrived; asks for it when it has not. Its digest is not checked here.

        Raises:
            MalformedError: It is longer than this aggregator allows.
        """
        limit = self._parts.settings.max_model_bytes
        delivery = self._parts.fetcher.request(
            cid, self._parts.files.model(cid), max_bytes=limit, longest_timeout_seconds=_FETCH_TIMEOUT_SECONDS
        )
        if delivery is Delivery.TOO_LARGE:
            raise MalformedError(f"model {cid} is longer than {limit} bytes", hint="raise max_model_bytes")
        return delivery is Delivery.HELD

    def get(self, cid: CID, digest: Digest) -> Path | None:
        """The checked file of a model, or None while it is being fetched.

        Raises:
            MalformedError: It is longer than this aggregator allows.
            ContentMismatchError: Other bytes than the chain names; it is fetched anew.
        """
        if not self.is_here(cid):
            return None
        path = self._parts.files.model(cid)
        with path.open("rb") as stream:
            found = parameters_digest_of_stream(stream)
        if found != digest:
            self._parts.fetcher.forget(path)
            raise ContentMismatchError(cid)
        return path


def shapes_of_file(path: Path) -> tuple[TensorShape, ...]:
    """Names and shapes of a model's tensors, from its header alone.

    Raises:
        MalformedError: Not a model's encoding.
    """
    with path.open("rb") as stream:
        return parse_header(stream.read(8 + MAX_HEADER_BYTES), "F32")


def cid_of_model(lineage: LineageView, digest: Digest) -> CID:
    """The CID that the chain gave with a model's digest: genesis or a finalised round.

    Raises:
        MalformedError: The lineage never had such a head.
    """
    if lineage.created.model_digest == digest:
        return lineage.created.model_cid
    for view in lineage.rounds.values():
        if isinstance(view.outcome, RoundFinalized) and view.outcome.model_digest == digest:
            return view.outcome.model_cid
    raise MalformedError(f"the lineage never had the model {digest}")
