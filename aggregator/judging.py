"""A closed round's result: verdicts and sum from ciphertext on disk (docs/spec/verification.md, aggregation.md).

Plaintext lives in memory only, chunk by chunk; the new model streams to disk and is complete or not there.
"""

from __future__ import annotations

from contextlib import ExitStack
from typing import BinaryIO, cast

import structlog

from aggregator.collecting import Collection
from aggregator.parts import Parts
from gateways.data_folder import write_atomically
from protocol.aggregation import NO_SERVER_STATE, aggregate
from protocol.canonical_json import JSONValue
from protocol.errors import ContentMismatchError, VerificationError
from protocol.history import Registration, RoundView
from protocol.identifiers import CID, Digest, digest_of
from protocol.judgement import Judgement, judge_round
from protocol.recipient_keys import RecipientPrivateKey
from protocol.result import RoundResult, Verdict, encode_verdicts, failed_result, make_verdicts
from protocol.verdicts import VerdictCode
from protocol.verification import RoundContext

logger = structlog.get_logger(__name__)


class Judge:
    """Computes results and remembers them.

    Args:
        parts: The aggregator's.
    """

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    def remembered(self, slug: str, view: RoundView) -> RoundResult | None:
        """The result that was computed and pinned before, or None."""
        fields = cast("dict[str, str] | None", self._parts.journal.get(_key(slug, view)))
        # A chain that reorganised may have given the round other registrations.
        if fields is None or fields["registrations"] != _registrations_digest(view).hex():
            return None
        codes = {index: VerdictCode(code) for index, code in enumerate(bytes.fromhex(fields["codes"]))}
        return RoundResult(
            round_id=view.round_id,
            model_digest=Digest.from_hex(fields["model_digest"]),
            model_cid=CID.from_hex(fields["model_cid"]),
            state_digest=Digest.from_hex(fields["state_digest"]),
            verdicts=make_verdicts(view.registrations, codes),
            verdicts_cid=CID.from_hex(fields["verdicts_cid"]),
        )

    def judge(
        self, slug: str, context: RoundContext, key: RecipientPrivateKey, collection: Collection, parent: BinaryIO
    ) -> RoundResult:
        """Judges all registrations, sums the accepted, pins model and verdict list, then journals the result.

        Args:
            slug: The lineage.
            context: The closed round.
            key: This aggregator's for the round.
            collection: What was fetched; what is missing gets ``NOT_FETCHED``.
            parent: The parent model's encoding.

        Raises:
            VerificationError: A fetched file changed while it was read; judging again is safe.
            MalformedError: The parent is not the plan's, or the new model would not be finite.
        """
        with ExitStack() as streams:

            def fetched(registration: Registration) -> BinaryIO:
                event = registration.event
                if event.index in collection.too_large:
                    raise VerificationError(VerdictCode.TOO_LARGE, "the envelope is longer than the plan allows")
                if event.index not in collection.held:
                    raise VerificationError(VerdictCode.NOT_FETCHED, "the envelope was not delivered in time")
                path = self._parts.files.envelope(slug, event.round, event.index)
                return streams.enter_context(path.open("rb"))

            judgement = judge_round(context, key, fetched)
            self._log(slug, context.view, judgement)
            result = self._result(slug, context, judgement, parent)
        self._parts.journal.record(_key(slug, context.view), _value(context.view, result))
        return result

    def _result(self, slug: str, context: RoundContext, judgement: Judgement, parent: BinaryIO) -> RoundResult:
        round_id = context.view.round_id
        verdicts_cid = self._pin_verdicts(slug, context.view, judgement.verdicts)
        if not judgement.enough:
            return failed_result(round_id, judgement.verdicts, verdicts_cid)
        pieces = aggregate(parent, judgement.accepted, context.plan)
        model = self._parts.files.write_model(slug, round_id.number, pieces)
        if self._parts.block_store.add(model.path) != model.cid:
            raise ContentMismatchError(model.cid)
        logger.info("model.pinned", lineage=slug, round=round_id.number, cid=str(model.cid), digest=str(model.digest))
        return RoundResult(round_id, model.digest, model.cid, NO_SERVER_STATE, judgement.verdicts, verdicts_cid)

    def _pin_verdicts(self, slug: str, view: RoundView, verdicts: tuple[Verdict, ...]) -> CID:
        path = self._parts.files.verdicts(slug, view.opened.round)
        write_atomically(path, encode_verdicts(view.round_id, verdicts))
        return self._parts.block_store.add(path)

    def _log(self, slug: str, view: RoundView, judgement: Judgement) -> None:
        details = dict(judgement.details)
        for verdict in judgement.verdicts:
            said = {"lineage": slug, "round": view.opened.round, "site": str(verdict.site_id), "index": verdict.index}
            if verdict.code is VerdictCode.ACCEPTED:
                logger.info("update.accepted", **said)
            else:
                logger.warning("update.refused", code=verdict.code.name, detail=details.get(verdict.index, ""), **said)


def _key(slug: str, view: RoundView) -> str:
    return f"result/{slug}/{view.opened.round}"


def _registrations_digest(view: RoundView) -> Digest:
    return digest_of("registrations", *(registration.event.envelope_digest for registration in view.registrations))


def _value(view: RoundView, result: RoundResult) -> dict[str, JSONValue]:
    return {
        "registrations": _registrations_digest(view).hex(),
        "model_digest": result.model_digest.hex(),
        "model_cid": result.model_cid.hex(),
        "state_digest": result.state_digest.hex(),
        "verdicts_cid": result.verdicts_cid.hex(),
        "codes": result.codes.hex(),
    }
