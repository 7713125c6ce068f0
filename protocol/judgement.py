"""All verdicts of a closed round (docs/spec/verification.md): what aggregators attest and auditors recompute."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import BinaryIO

from protocol.duplicates import find_duplicates
from protocol.errors import KeyRingError, VerificationError
from protocol.history import Registration
from protocol.recipient_keys import RecipientPrivateKey
from protocol.result import Verdict, make_verdicts
from protocol.verdicts import VerdictCode
from protocol.verification import RoundContext, VerifiedUpdate, verify_update


@dataclass(frozen=True, slots=True)
class Judgement:
    """A verdict for every registration, and the updates that may be summed."""

    verdicts: tuple[Verdict, ...]
    accepted: tuple[VerifiedUpdate, ...]
    """In order of registration; empty when fewer than the plan's ``min_accepted`` passed."""
    details: tuple[tuple[int, str], ...]
    """(index, what was found) for each refusal, for the aggregator's own log."""

    @property
    def enough(self) -> bool:
        """Whether a new model may be published."""
        return bool(self.accepted)


def judge_round(
    context: RoundContext, key: RecipientPrivateKey, fetched: Callable[[Registration], BinaryIO]
) -> Judgement:
    """Runs steps 1 to 12 over all registrations of a closed round.

    Args:
        context: The round; its history reaches at least to the round's close.
        key: The private key of one of the plan's recipients.
        fetched: Gives the fetched envelope of a registration, or raises ``VerificationError`` with an availability
            code or ``TOO_LARGE``. The streams stay open as long as the judgement is used.

    Raises:
        KeyRingError: The key is no recipient's: to refuse every site for it would be a false verdict.
    """
    own = key.public_key()
    if all(recipient.public_key != own for recipient in context.plan.recipients):
        raise KeyRingError("the private key is not one of the round's recipients", hint="take the key of this round")
    codes: dict[int, VerdictCode] = {}
    details: list[tuple[int, str]] = []
    verified: list[VerifiedUpdate] = []
    for registration in context.view.registrations:
        index = registration.event.index
        try:
            if index in context.view.revoked:
                raise VerificationError(VerdictCode.REVOKED, "the site took its update back")
            verified.append(verify_update(fetched(registration), registration, context, key))
        except VerificationError as refusal:
            codes[index] = refusal.code
            details.append((index, str(refusal)))
    for index, code in find_duplicates(verified, context.plan).items():
        codes[index] = code
        details.append((index, "repeats an earlier update"))
    accepted = tuple(update for update in verified if update.index not in codes)
    enough = len(accepted) >= context.plan.min_accepted
    verdicts = make_verdicts(context.view.registrations, codes)
    return Judgement(verdicts, accepted if enough else (), tuple(sorted(details)))
