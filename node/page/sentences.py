"""Codes and events of the site in words that a clinician understands."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from node.data.proposal import MODELS_DISAGREE, READERS_DISAGREE
from node.sent import REVOCATION
from prescriptions.instructions import instruction_text
from prescriptions.understand import AMBIGUOUS_MEDICINE, UNKNOWN_FORM, UNKNOWN_MEDICINE, UNKNOWN_STRENGTH

if TYPE_CHECKING:
    from collections.abc import Sequence

    from node.data.proposal import Proposal
    from node.sent import SentItem

_FLAGS = {
    UNKNOWN_MEDICINE: "No medicine of the list is near to what was read.",
    AMBIGUOUS_MEDICINE: "Two medicines are about equally near.",
    UNKNOWN_STRENGTH: "The list does not know this strength of the medicine.",
    UNKNOWN_FORM: "The list does not know this form of the medicine.",
    READERS_DISAGREE: "The page reader and the model name different medicines.",
    MODELS_DISAGREE: "The models of two lineages name different medicines.",
}


@dataclass(frozen=True, slots=True)
class SentSentence:
    """One thing that left, for a clinician."""

    title: str
    holds: str
    """What is in it, and what is not."""
    reads: str
    """Who can read it."""


_SENT = {
    "sealed update": SentSentence(
        "A sealed model update",
        "Numbers: how the model changed after it practised on the reviewed words. No picture, no text, no name.",
        "Only the aggregators of its round and the auditor can open it; it stays on IPFS.",
    ),
    "update registration": SentSentence(
        "An entry that announces the update",
        "Digests and a small number, so that nobody can change the update or claim it later. Nothing of a patient.",
        "Public on the network's chain, for good.",
    ),
    "consent root": SentSentence(
        "A fingerprint over all consents in force",
        "32 bytes that lead back to nobody, and how many consents patients, guardians and committees gave. Not whose.",
        "Public on the network's chain, for good.",
    ),
    "consent withdrawal": SentSentence(
        "A note that a consent was withdrawn",
        "That updates made before are void from then on. Not whose consent it was.",
        "Public on the network's chain, for good.",
    ),
    REVOCATION: SentSentence(
        "An update was taken back",
        "That this site withdraws its update of the round. Nothing of a patient.",
        "Public on the network's chain, for good.",
    ),
    "leaving": SentSentence(
        "The site left the network", "That this site takes part no more.", "Public on the network's chain, for good."
    ),
}
_OTHER = SentSentence("", "Digests only; the details below say which.", "Public on the network's chain, for good.")

_ACTS = {
    "import": "imported a file",
    "retry": "tried a file again that was kept aside",
    "drop": "dropped a file that was kept aside",
    "accept": "accepted a word as it was read",
    "fix": "corrected a word",
    "reject": "rejected a word",
    "same": "said that two pages are one",
    "different": "said that two pages are different",
    "enrol": "gave a patient's telephone a code",
    "consent": "recorded a consent",
    "withdraw": "recorded a withdrawal",
    "erase": "erased a patient",
    "participate": "said yes to a round",
    "try": "tried the model on a page",
    "password": "changed their own password",
}


def act_sentence(kind: str) -> str:
    """What a user did, in words."""
    return _ACTS.get(kind, kind)


def hint_sentence(hint: str) -> str:
    """A hint for somebody in a browser, who has no options of commands; commands are for the operator."""
    if "fedrx " in hint:
        return f"For the operator of this site: {hint}."
    return "" if not hint or "--" in hint else f"{hint[:1].upper()}{hint[1:]}."


def flag_sentence(flag: str) -> str:
    """A flag of a proposal in words."""
    return _FLAGS.get(flag, f"{flag.replace('-', ' ').capitalize()}.")


def sent_sentence(item: SentItem) -> SentSentence:
    """What one thing was that left the site."""
    if item.bytes and item.what not in _SENT:
        return _SENT["sealed update"]
    found = _SENT.get(item.what, _OTHER)
    return found if found.title else SentSentence(item.what.capitalize(), found.holds, found.reads)


def readers_sentence(proposal: Proposal) -> str:
    """Which readers name the medicine; empty while the site has no model."""
    if proposal.model is None:
        return ""
    if proposal.readers_differ:
        return "they differ: a person is asked"
    if not proposal.others:
        return _of_two(proposal.engine_name, proposal.model.name)
    return _of_many([proposal.engine_name, proposal.model.name, *(other.medicine for other in proposal.others)])


def _of_two(engine: str | None, model: str | None) -> str:
    match engine, model:
        case None, None:
            return "neither names a medicine"
        case None, name:
            return f"only the model names {name}"
        case name, None:
            return f"only the page reader names {name}"
        case _, name:
            return f"both name {name}"


def _of_many(named: Sequence[str | None]) -> str:
    claims = [name for name in named if name is not None]
    if not claims:
        return f"none of {len(named)} names a medicine"
    count = f"all {len(named)}" if len(claims) == len(named) else f"{len(claims)} of {len(named)}"
    return f"{count} {'names' if len(claims) == 1 else 'name'} {claims[0]}"


def fields_of(proposal: Proposal) -> tuple[tuple[str, str], ...]:
    """What was read beside a medicine's name, field by field, without the empty ones."""
    line = proposal.line
    found: list[tuple[str, str | None]] = [
        ("Strength", proposal.strength),
        ("Form", proposal.form),
        ("How often", proposal.frequency),
    ]
    if line is not None:
        days = None if line.duration_days is None else f"{line.duration_days} days"
        found += [
            ("For", "1 day" if line.duration_days == 1 else days),
            ("Route", line.route),
            ("Quantity", None if line.quantity is None else str(line.quantity).removeprefix("qty ")),
            ("As needed", "yes" if line.as_needed else None),
            ("Instructions", ", ".join(instruction_text(code) for code in line.instructions)),
            ("Generic", line.generic),
        ]
    return tuple((name, value) for name, value in found if value)
