"""What anyone can check of a verdict without a key: the steps before opening, and consent (docs/spec/verification.md).

Without a key a verdict cannot be recomputed, but most wrong ones can be excluded: each update has a set of codes that
are possible in view of its public bytes and of the chain, and the code on chain must be one of them.
"""

from __future__ import annotations

from typing import BinaryIO

from protocol.errors import VerificationError
from protocol.history import Registration
from protocol.plan import RoundPlan
from protocol.recipient_keys import RecipientPrivateKey
from protocol.verdicts import AVAILABILITY_CODES, VerdictCode
from protocol.verification import RoundContext, verify_update

PUBLIC_CODES = frozenset(
    {
        VerdictCode.TOO_LARGE,
        VerdictCode.CID_MISMATCH,
        VerdictCode.ENVELOPE_DIGEST_MISMATCH,
        VerdictCode.ENVELOPE_MALFORMED,
        VerdictCode.VERSION_UNKNOWN,
        VerdictCode.CONTEXT_MISMATCH,
    }
)
"""What everyone who has the bytes can find, before any key is used."""
_NEEDS_A_KEY = frozenset(
    {
        VerdictCode.KEY_NOT_UNWRAPPED,
        VerdictCode.NOT_OPENED,
        VerdictCode.KEY_COMMITMENT_MISMATCH,
        VerdictCode.COMMITMENT_MISMATCH,
        VerdictCode.MANIFEST_MALFORMED,
        VerdictCode.MANIFEST_MISMATCH,
        VerdictCode.TENSORS_MISMATCH,
        VerdictCode.VALUE_OUT_OF_RANGE,
        VerdictCode.WEIGHT_RULE_BROKEN,
        VerdictCode.NORM_TOO_LARGE,
    }
)
"""Steps 4 to 9: what they find shows only after opening, and they come before consent."""
_OF_DUPLICATES = frozenset({VerdictCode.DUPLICATE_EXACT, VerdictCode.DUPLICATE_NEAR})


def possible_codes(
    registration: Registration, context: RoundContext, stream: BinaryIO | None
) -> frozenset[VerdictCode]:
    """The codes that an update may have, as far as its public bytes and the chain tell.

    Args:
        registration: What the chain says of the update.
        context: The round.
        stream: The fetched envelope, seekable; None when it was not delivered, and then only the chain decides.
    """
    if registration.event.index in context.view.revoked:
        return frozenset({VerdictCode.REVOKED})
    if stream is not None:
        # A stranger's key passes every step that needs no key and stops at the first that does.
        try:
            verify_update(stream, registration, context, RecipientPrivateKey.generate())
        except VerificationError as refusal:
            if refusal.code in PUBLIC_CODES:
                return frozenset({refusal.code}) | AVAILABILITY_CODES
    possible = _NEEDS_A_KEY | AVAILABILITY_CODES
    if stream is None:
        possible |= PUBLIC_CODES
    if not _weight_may_be(registration.event.weight, context.plan):
        # No number of examples gives this weight: step 8 refuses what came so far.
        return possible - {VerdictCode.NORM_TOO_LARGE}
    try:
        context.history.check_consent(registration, context.view)
    except VerificationError as refusal:
        return possible | {refusal.code}
    # The strategy of this version leaves nothing out, so its code is never possible.
    possible |= {VerdictCode.ACCEPTED}
    return possible | _OF_DUPLICATES if _has_earlier(registration, context) else possible


def _weight_may_be(weight: int, plan: RoundPlan) -> bool:
    return weight == 1 if plan.weighting == "equal" else 1 <= weight <= plan.max_weight


def _has_earlier(registration: Registration, context: RoundContext) -> bool:
    """Whether there is an update that this one can repeat."""
    return any(index not in context.view.revoked for index in range(registration.event.index))
