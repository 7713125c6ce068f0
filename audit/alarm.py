"""Says behind an answer that the event logs it was made from cannot be true."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import typer

from audit.broken_rules import first_few
from protocol.errors import AuditError


@contextmanager
def alarm_after(broken: Sequence[str]) -> Iterator[None]:
    """Gives the answer first, and then ends the command when rules are broken.

    Args:
        broken: As ``broken_rules`` tells them; may grow while the block lasts. They are said after a failure too.

    Raises:
        AuditError: There is one.
    """
    try:
        yield
    finally:
        for line in first_few(broken):
            typer.echo(line, err=True)
    if broken:
        raise AuditError(
            "the event logs break the contract's rules: events were left out, changed or made up",
            hint="fedrx audit replay says more",
        )
