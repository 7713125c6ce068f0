"""``fedrx audit``: the auditor's own commands, and those that need a backbone."""

from __future__ import annotations

from audit.commands import app
from fedrx.score_command import score_command
from fedrx.without_command import without_command

__all__ = ["app"]

app.command("score")(score_command)
app.command("without")(without_command)
