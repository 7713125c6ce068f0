"""``fedrx audit`` with all of its commands, as tests call it."""

from __future__ import annotations

from fedrx.audit_commands import COMMANDS, audit_app

app = audit_app(COMMANDS)
