"""Verdict codes: why an update was summed or refused (docs/spec/verification.md).

The number of a code is what the contract stores, one byte per registered update, in order of registration.
Codes never change their meaning; a retired number stays retired.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum


class VerdictCode(IntEnum):
    """One byte on chain. The tens digit is the verification step."""

    ACCEPTED = 0
    REVOKED = 1
    """The site took its own update back before close."""
    NOT_FETCHED = 10
    TOO_LARGE = 11
    CID_MISMATCH = 20
    ENVELOPE_DIGEST_MISMATCH = 21
    ENVELOPE_MALFORMED = 30
    VERSION_UNKNOWN = 31
    CONTEXT_MISMATCH = 40
    NOT_OPENED = 41
    """A chunk does not open with the committed key: the same for every key holder."""
    KEY_COMMITMENT_MISMATCH = 42
    KEY_NOT_UNWRAPPED = 43
    """What was wrapped for this recipient does not open; another recipient's may."""
    COMMITMENT_MISMATCH = 50
    MANIFEST_MALFORMED = 60
    MANIFEST_MISMATCH = 61
    TENSORS_MISMATCH = 70
    VALUE_OUT_OF_RANGE = 71
    WEIGHT_RULE_BROKEN = 80
    NORM_TOO_LARGE = 90
    DUPLICATE_EXACT = 100
    DUPLICATE_NEAR = 101
    CONSENT_NOT_IN_FORCE = 110
    CONSENT_WITHDRAWN = 111
    REFUSED_BY_STRATEGY = 120


AVAILABILITY_CODES = frozenset({VerdictCode.NOT_FETCHED})
"""Codes that tell of a delivery: another fetch may see otherwise."""

RECIPIENT_CODES = frozenset({VerdictCode.KEY_COMMITMENT_MISMATCH, VerdictCode.KEY_NOT_UNWRAPPED})
"""Codes that tell of one recipient's wrapped key: a hostile site can wrap well for one and badly for another, and
only the recipient sees it. All codes in neither set follow from the bytes and the chain for every key holder."""


@dataclass(frozen=True, slots=True)
class Explanation:
    """A verdict in words for the operator of the site."""

    why: str
    what_to_do: str
    """Empty where nothing is to be done."""

    def __str__(self) -> str:
        return f"{self.why}: {self.what_to_do}" if self.what_to_do else self.why


_EXPLANATIONS: dict[VerdictCode, Explanation] = {
    VerdictCode.ACCEPTED: Explanation("the update is part of the new global model", ""),
    VerdictCode.REVOKED: Explanation("the site took its update back before close", ""),
    VerdictCode.NOT_FETCHED: Explanation(
        "the aggregator could not fetch the envelope in time",
        "check that the site's IPFS is reachable from the aggregator's peer (fedrx audit availability)",
    ),
    VerdictCode.TOO_LARGE: Explanation(
        "the envelope is larger than the round's plan allows", "check that the node runs the plan's scope"
    ),
    VerdictCode.CID_MISMATCH: Explanation(
        "the bytes delivered are not those of the registered CID", "check the site's IPFS repository for damage"
    ),
    VerdictCode.ENVELOPE_DIGEST_MISMATCH: Explanation(
        "the bytes delivered are not those of the registered envelope digest",
        "check the node's version and its local envelope folder",
    ),
    VerdictCode.ENVELOPE_MALFORMED: Explanation(
        "the envelope does not follow its specification", "update the node's software"
    ),
    VerdictCode.VERSION_UNKNOWN: Explanation(
        "the envelope has a format version that this network does not know", "install the network's version"
    ),
    VerdictCode.CONTEXT_MISMATCH: Explanation(
        "the envelope was sealed for another chain, contract, lineage, round, site, plan or set of recipients",
        "an envelope cannot be moved: let the node seal again",
    ),
    VerdictCode.NOT_OPENED: Explanation(
        "a part of the envelope does not open with its own content key", "let the node seal again"
    ),
    VerdictCode.KEY_COMMITMENT_MISMATCH: Explanation(
        "the content key is not the one that the envelope commits to", "update the node's software"
    ),
    VerdictCode.KEY_NOT_UNWRAPPED: Explanation(
        "the content key that was wrapped for a recipient does not open with that recipient's key",
        "let the node seal again for this round's recipients",
    ),
    VerdictCode.COMMITMENT_MISMATCH: Explanation(
        "the registered commitment does not open to the update's parameters", "update the node's software"
    ),
    VerdictCode.MANIFEST_MALFORMED: Explanation(
        "the update's manifest does not follow its specification", "update the node's software"
    ),
    VerdictCode.MANIFEST_MISMATCH: Explanation(
        "the manifest says something else than the registration", "update the node's software"
    ),
    VerdictCode.TENSORS_MISMATCH: Explanation(
        "the tensors' names, shapes or scales are not those of the plan", "check that the node runs the plan's scope"
    ),
    VerdictCode.VALUE_OUT_OF_RANGE: Explanation(
        "a value of the update is outside the plan's range", "look for a diverging training: lower the learning rate"
    ),
    VerdictCode.WEIGHT_RULE_BROKEN: Explanation(
        "the registered weight does not follow from num_examples by the plan's rule", "update the node's software"
    ),
    VerdictCode.NORM_TOO_LARGE: Explanation(
        "the update is longer than the plan's norm bound", "look for wrong labels or a diverging training"
    ),
    VerdictCode.DUPLICATE_EXACT: Explanation(
        "an update registered earlier has the same parameters", "train on the site's own words"
    ),
    VerdictCode.DUPLICATE_NEAR: Explanation(
        "an update registered earlier points in almost the same direction", "train on the site's own words"
    ),
    VerdictCode.CONSENT_NOT_IN_FORCE: Explanation(
        "the consent root that the update names was not in force at registration",
        "publish a consent root that is not expired (fedrx node consent list)",
    ),
    VerdictCode.CONSENT_WITHDRAWN: Explanation(
        "a patient withdrew after the registration and before close",
        "nothing to do: the node trains the next round without that patient",
    ),
    VerdictCode.REFUSED_BY_STRATEGY: Explanation(
        "the round's strategy left the update out", "see the round's plan for its filter"
    ),
}


def explain(code: VerdictCode) -> Explanation:
    """The sentence for a code: why, and what to do."""
    return _EXPLANATIONS[code]
