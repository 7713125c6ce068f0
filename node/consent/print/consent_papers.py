"""The printed consent receipt and the withdrawal slip (docs/spec/consent-print.md). Pure: values in, PDF out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, tzinfo
from typing import TYPE_CHECKING

from node.consent.print.paper import Paper
from node.consent.print.receipt_code import receipt_code
from protocol.consent_factor import PatientCode, SecondFactor, StaffCodeAndForm
from protocol.consent_receipt import ByGuardian, ByWaiver, ConsentReceipt
from protocol.joining import fingerprint

if TYPE_CHECKING:
    from node.consent.print.catalogue import Catalogue
    from node.consent.traces import Trace
    from protocol.identifiers import LineageId

_MODEL_DIGITS = 10


@dataclass(frozen=True, slots=True)
class Occasion:
    """Where and when a paper is printed."""

    site: str
    """Slug of the site."""
    now: int
    """Seconds since 1970."""
    zone: tzinfo | None = UTC
    """In whose days dates are written; None is the machine's own."""

    def day(self, timestamp: int) -> date:
        """The day of a time, where the paper is printed."""
        return datetime.fromtimestamp(timestamp, UTC).astimezone(self.zone).date()


@dataclass(frozen=True, slots=True)
class Printed:
    """A paper."""

    pdf: bytes
    missing: str
    """Characters that the font has no sign for: boxes stand in their places."""


def print_receipts(receipts: Sequence[tuple[ConsentReceipt, str]], words: Catalogue, occasion: Occasion) -> Printed:
    """A page for each consent receipt.

    Args:
        receipts: Each with the name of its witness, for a receipt names an account.
        words: The patient's language.
        occasion: Where and when.
    """
    paper = _paper(words, occasion)
    for receipt, witness in receipts:
        paper.page(words.waiver_title if receipt.given_by == "waiver" else words.receipt_title)
        paper.paragraph(_agreed(receipt, words), size=12)
        paper.paragraph(words.stays_here)
        paper.rows(_receipt_rows(receipt, witness, words, occasion))
        paper.box(words.change_title, words.change)
        paper.code(receipt_code(receipt.digest()), words.check_title, words.check, _identity_rows(receipt, words))
    return Printed(paper.to_bytes(), paper.missing)


def print_withdrawal(
    receipts: Sequence[tuple[ConsentReceipt, int]],
    traces: Sequence[Trace] | None,
    slugs: dict[LineageId, str],
    words: Catalogue,
    occasion: Occasion,
) -> Printed:
    """A slip that says what a withdrawal means.

    Args:
        receipts: The withdrawn receipts, each with when it was withdrawn (seconds since 1970); at least one.
        traces: Where the patient's samples went; None when the chain did not say.
        slugs: Names of lineages.
        words: The patient's language.
        occasion: Where and when.
    """
    paper = _paper(words, occasion)
    paper.page(words.withdrawal_title)
    withdrawn_at = max(at for _, at in receipts)
    paper.paragraph(words.withdrawn.format(date=words.day(occasion.day(withdrawn_at))), size=12)
    paper.rows([(words.patient_head, receipts[0][0].patient)])
    paper.heading(words.from_now_title)
    paper.bullets(words.from_now)
    paper.heading(words.before_title)
    if traces:
        paper.paragraph(words.before)
        heads = (words.model_head, words.round_head, words.samples_head, words.outcome_head, words.later_head)
        paper.table(heads, [_trace_cells(trace, slugs, words) for trace in traces], (24, 14, 14, 32, 16))
    else:
        paper.paragraph(words.before_unknown if traces is None else words.before_none)
    for receipt, _ in receipts:
        given = words.day(occasion.day(receipt.granted_at))
        title = f"{words.receipts_head}: {given}"
        paper.code(receipt_code(receipt.digest()), title, words.check, _identity_rows(receipt, words))
    return Printed(paper.to_bytes(), paper.missing)


def _paper(words: Catalogue, occasion: Occasion) -> Paper:
    return Paper(words, occasion.site, words.printed.format(date=words.day(occasion.day(occasion.now))))


def _agreed(receipt: ConsentReceipt, words: Catalogue) -> str:
    return {
        "patient": words.agreed_patient,
        "guardian": words.agreed_guardian,
        "waiver": words.agreed_waiver,
    }[receipt.given_by]


def _receipt_rows(receipt: ConsentReceipt, witness: str, words: Catalogue, occasion: Occasion) -> list[tuple[str, str]]:
    notice = words.notice.format(version=words.number(receipt.notice_version), language=receipt.language)
    return [
        (words.patient_head, receipt.patient),
        (words.purposes_head, "\n".join(words.purposes[code] for code in receipt.purposes)),
        (words.given_by_head, _given_by(receipt, words)),
        (words.granted_head, words.day(occasion.day(receipt.granted_at))),
        (words.expires_head, words.ends_by_itself.format(date=words.day(occasion.day(receipt.expires_at)))),
        (words.asked_by_head, receipt.asked_by),
        (words.witness_head, witness),
        (words.method_head, words.methods[receipt.method]),
        (words.factor_head, _factor(receipt.second_factor, words)),
        (words.notice_head, notice),
    ]


def _given_by(receipt: ConsentReceipt, words: Catalogue) -> str:
    match receipt.giver:
        case ByGuardian(relation):
            return words.given_by_guardian.format(relation=words.relations[relation])
        case ByWaiver(_, decided_on):
            return words.given_by_waiver.format(date=words.day(decided_on))
        case _:
            return words.given_by_patient


def _factor(factor: SecondFactor, words: Catalogue) -> str:
    match factor:
        case PatientCode():
            return words.factors["patient-totp"]
        case StaffCodeAndForm(staff):
            return words.factors["staff-totp-and-form"].format(staff=staff)
        case _:
            return words.factors["none"]


def _identity_rows(receipt: ConsentReceipt, words: Catalogue) -> list[tuple[str, str]]:
    digits = receipt.receipt_id.hex()
    grouped = " ".join(digits[start : start + 8] for start in range(0, len(digits), 8))
    return [(words.fingerprint_head, fingerprint(receipt.digest())), (words.receipt_id_head, grouped)]


def _trace_cells(trace: Trace, slugs: dict[LineageId, str], words: Catalogue) -> tuple[str, ...]:
    model = trace.model_digest
    outcome = words.in_no_model if model is None else words.in_model.format(model=model.hex()[:_MODEL_DIGITS])
    return (
        slugs.get(trace.lineage_id, trace.lineage_id.hex()[:_MODEL_DIGITS]),
        words.number(trace.round),
        words.number(trace.samples),
        outcome,
        words.number(trace.later_models),
    )
