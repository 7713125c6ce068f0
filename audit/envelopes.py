"""The envelopes of one round as an auditor gets them: fetched ahead, opened as files, gone after the round."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from types import TracebackType
from typing import BinaryIO, Self

from audit.findings import Missing, Piece, WhyMissing
from audit.pieces import NotFetched, Pieces
from audit.public_checks import PUBLIC_CODES
from protocol.errors import VerificationError
from protocol.history import Registration
from protocol.ledger_events import RoundFailed, RoundFinalized
from protocol.recipient_keys import RecipientPrivateKey
from protocol.verdicts import AVAILABILITY_CODES, RECIPIENT_CODES, VerdictCode
from protocol.verification import RoundContext, verify_update


class RoundEnvelopes:
    """Fetches a round's envelopes in the background and hands them to a judgement.

    A context manager: on leaving, streams are closed and files removed.

    Args:
        pieces: Where envelopes come from.
        context: The round.
        outcome: Its result on chain.
        key: The auditor's key for this round, or None.
        take_up: Told of each update before it is handed out.
    """

    def __init__(
        self,
        pieces: Pieces,
        context: RoundContext,
        outcome: RoundFinalized | RoundFailed,
        key: RecipientPrivateKey | None,
        take_up: Callable[[], None] = lambda: None,
    ) -> None:
        self._pieces = pieces
        self._take_up = take_up
        self._key = key
        self._context = context
        self._outcome = outcome
        self._stack = ExitStack()
        self._streams: dict[int, BinaryIO] = {}
        self.missing: dict[int, Missing] = {}
        """By index: what was not delivered, or not openable with the auditor's key."""
        self.notes: list[str] = []

    def __enter__(self) -> Self:
        wanted = self._wanted()
        # One CID may be named twice: what one update can do without, another may need.
        needed = {r.event.envelope_cid for r in wanted if self.said(r.event.index) not in AVAILABILITY_CODES}
        for registration in wanted:
            cid = registration.event.envelope_cid
            self._pieces.begin(cid, max_bytes=self._bound(registration), doubtful=cid not in needed)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()
        for registration in self._wanted():
            self._pieces.let_go(registration.event.envelope_cid)

    def said(self, index: int) -> VerdictCode | None:
        """The code on chain, or None when it is absent or unknown."""
        codes = self._outcome.codes
        try:
            return VerdictCode(codes[index]) if index < len(codes) else None
        except ValueError:
            return None

    def stream(self, registration: Registration) -> BinaryIO | None:
        """The fetched envelope, or None when it was not delivered (and then ``missing`` says why)."""
        index = registration.event.index
        if index in self._streams:
            return self._streams[index]
        got = self._pieces.get(registration.event.envelope_cid, max_bytes=self._bound(registration))
        if isinstance(got, NotFetched):
            self.missing[index] = got.as_missing(Piece.ENVELOPE, index)
            return None
        self._streams[index] = self._stack.enter_context(got.path.open("rb"))
        return self._streams[index]

    def fetched(self, registration: Registration) -> BinaryIO:
        """As ``protocol.judgement.judge_round`` asks for it: with the availability codes of the chain.

        An update that the aggregators could not fetch stays out here too, so that the sum can be compared.

        Raises:
            VerificationError: A code of the chain that cannot be checked here, ``TOO_LARGE``, or ``NOT_FETCHED`` for
                what is missing here.
        """
        self._take_up()
        index = registration.event.index
        said = self.said(index)
        if said in AVAILABILITY_CODES:
            self._note_availability(index, there_now=self.stream(registration) is not None)
            raise VerificationError(said, "the aggregators did not fetch it")
        stream = self.stream(registration)
        if stream is not None:
            if said in RECIPIENT_CODES and self._key is not None:
                self._take_recipients_word(registration, stream, said, self._key)
            return stream
        lost = self.missing.get(index)
        if lost is not None and lost.why is WhyMissing.TOO_LARGE and self._bound(registration) >= self._plan_bound():
            del self.missing[index]
            raise VerificationError(VerdictCode.TOO_LARGE, "the envelope is longer than the plan allows")
        raise VerificationError(VerdictCode.NOT_FETCHED, "the envelope was not delivered to the auditor")

    def _note_availability(self, index: int, *, there_now: bool) -> None:
        """Files what an availability code on chain looks like today; it is never a difference."""
        if there_now:
            self.notes.append(f"update {index} was not fetched by the aggregators and is there now: not provably wrong")
        else:
            self.notes.append(f"update {index} was not fetched by the aggregators and is not there now either")
            self.missing.pop(index, None)

    def file_unopened(self, registration: Registration) -> None:
        """Files an envelope as missing its content key, because it holds none for the auditor.

        A site can wrap a good key for the aggregators and a bad one for the auditor; nobody but the auditor can see
        that, so it is no fault of the aggregators' verdict.
        """
        cid, index = registration.event.envelope_cid, registration.event.index
        self.missing[index] = Missing(Piece.CONTENT_KEY, cid, WhyMissing.NOT_FOR_THIS_KEY, index)

    def _take_recipients_word(
        self, registration: Registration, stream: BinaryIO, said: VerdictCode, key: RecipientPrivateKey
    ) -> None:
        """Stands by a code that only the aggregators could see, unless a public step refuses the update before."""
        index = registration.event.index
        opens = "the auditor's key opens it"
        try:
            verify_update(stream, registration, self._context, key)
        except VerificationError as refusal:
            if refusal.code in PUBLIC_CODES:
                raise
            if refusal.code in RECIPIENT_CODES:
                opens = "the auditor's key does not open it either"
        self.notes.append(f"update {index} did not open with the aggregators' keys, and {opens}: not provably wrong")
        raise VerificationError(said, "the aggregators could not unwrap the content key")

    def _wanted(self) -> list[Registration]:
        view = self._context.view
        return [r for r in view.registrations if r.event.index not in view.revoked]

    def _plan_bound(self) -> int:
        return self._context.plan.max_envelope_bytes

    def _bound(self, registration: Registration) -> int:
        """Bytes to fetch at most: one more than the plan's bound is enough to agree that an envelope is too long."""
        if self.said(registration.event.index) is VerdictCode.TOO_LARGE:
            return max(1, self._plan_bound())
        return self._pieces.limits.max_bytes
