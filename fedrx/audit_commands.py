"""``fedrx audit``: the auditor's own commands, and the one that needs a backbone."""

from __future__ import annotations

from audit.commands import app
from fedrx.without_command import without_command

__all__ = ["app"]

app.command("without")(without_command)
