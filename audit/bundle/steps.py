"""The steps in which a bundle is checked, and how a failure names its own."""

from __future__ import annotations

from enum import StrEnum

from protocol.errors import AuditError


class Step(StrEnum):
    """Each is reached only when the one before held."""

    CONTAINER = "container"
    """The file is a bundle, whole, with nothing in it that its manifest does not list."""
    MEMBERS = "members"
    """Every member has the bytes that the manifest names."""
    CHECKPOINT = "checkpoint"
    """The bundle is about the reader's chain, contract and block."""
    HEADERS = "headers"
    """One unbroken line of blocks from the deployment to the checkpoint."""
    RECEIPTS = "receipts"
    """All receipts of each of these blocks, none left out."""
    EVENTS = "events"
    """The contract's logs are its events, from its first one on."""
    CONTENTS = "contents"
    """Content is what its CID names, and nothing but what the rounds need."""


class StepFailedError(AuditError):
    """A step did not hold.

    Attributes:
        why: Without the words about a bundle.
    """

    def __init__(self, step: Step, why: str) -> None:
        super().__init__(
            f"the bundle fails at the step {step}: {why}", hint="it shows nothing; ask for the bundle again"
        )
        self.why = why


def failed(step: Step, why: str) -> StepFailedError:
    """The failure of a step."""
    return StepFailedError(step, why)
