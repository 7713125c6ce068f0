"""HTML from templates, and how numbers and times are written in it."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.responses import HTMLResponse, RedirectResponse

from node.store.users import Role

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from node.page.access import Visitor

_BEGINNING = re.compile(r"(?:^|[.:!?] )[a-z]")
_LONG_LINE = 80
"""Characters."""
_NEW_LINE = "\n"
_NAVIGATION: tuple[tuple[str, str, frozenset[Role]], ...] = (
    ("/import", "Import", frozenset({Role.OPERATOR, Role.REVIEWER})),
    ("/pages", "Review", frozenset({Role.REVIEWER})),
    ("/duplicates", "Duplicates", frozenset({Role.REVIEWER})),
    ("/consent", "Consent", frozenset({Role.CONSENT_OFFICER})),
    ("/data", "Our data", frozenset({Role.OPERATOR, Role.REVIEWER})),
    ("/rounds", "Rounds", frozenset(Role)),
    ("/sent", "What left", frozenset(Role)),
    ("/try", "Try the model", frozenset({Role.REVIEWER})),
    ("/log", "Log", frozenset({Role.OPERATOR})),
)


def make_templates(site: str) -> Environment:
    """The templates of the page.

    Args:
        site: The site's slug, shown on every screen.
    """
    environment = Environment(
        loader=PackageLoader("node.page"), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
        lstrip_blocks=True,
    )  # fmt: skip
    environment.filters |= {
        "day": day, "moment": moment, "size": size, "percent": percent, "count": count, "hex": bytes.hex,
        "sentences": sentences, "flowing": flowing,
    }  # fmt: skip
    environment.globals["site"] = site
    return environment


def show(visitor: Visitor, template: str, *, status: int = 200, **context: object) -> HTMLResponse:
    """A screen for a logged-in user."""
    path = visitor.request.url.path
    navigation = [(url, name, path.startswith(url)) for url, name, roles in _NAVIGATION if visitor.has(*roles)]
    text = visitor.office.templates.get_template(template).render(
        user=visitor.user, csrf=visitor.session.csrf, navigation=navigation, **context
    )
    return HTMLResponse(text, status_code=status)


def show_outside(templates: Environment, template: str, *, status: int = 200, **context: object) -> HTMLResponse:
    """A screen for somebody who is not logged in."""
    text = templates.get_template(template).render(user=None, csrf="", navigation=[], **context)
    return HTMLResponse(text, status_code=status)


def go_to(path: str) -> Response:
    """After a form: the browser asks for a screen."""
    return RedirectResponse(path, status_code=303)


def wants_fragment(request: Request) -> bool:
    """Whether page.js asks, which takes a part of a screen."""
    return request.headers.get("x-fedrx-part") == "1"


def day(timestamp: int) -> str:
    """A day as people write it, where the page's machine is."""
    return f"{_local(timestamp):%d %b %Y}"


def iso_day(timestamp: int) -> str:
    """A day as a browser's date field takes it, where the page's machine is."""
    return f"{_local(timestamp):%Y-%m-%d}"


def moment(timestamp: int) -> str:
    """A day and a time, where the page's machine is."""
    return f"{_local(timestamp):%d %b %Y, %H:%M}"


def size(count_bytes: int) -> str:
    """Bytes for a person."""
    if count_bytes < 1000:
        return f"{count_bytes} bytes"
    return f"{count_bytes / 1000:.0f} kB" if count_bytes < 1_000_000 else f"{count_bytes / 1_000_000:.1f} MB"


def percent(share: float) -> str:
    """A share of one."""
    return f"{share:.0%}"


def count(number: int, one: str, many: str = "") -> str:
    """A number with its noun."""
    return f"{number} {one}" if number == 1 else f"{number} {many or one + 's'}"


def sentences(text: str) -> str:
    """What a machine wrote as clauses, with capitals and a full stop."""
    found = _BEGINNING.sub(lambda match: match[0].upper(), text.strip())
    return found if not found or found.endswith((".", "!", "?")) else f"{found}."


def flowing(text: str) -> str:
    """A text that was broken at a line's length, without those breaks: a screen has its own.

    Only a long line runs on, and never into a list's next item: titles stay alone.
    """
    lines = text.split("\n")
    runs_on = [len(line) > _LONG_LINE and below and not below.startswith("- ")
               for line, below in zip(lines, [*lines[1:], ""], strict=True)]  # fmt: skip
    return "".join(f"{line.strip()}{' ' if on else _NEW_LINE}" for line, on in zip(lines, runs_on, strict=True)).strip()


def _local(timestamp: int) -> datetime:
    return datetime.fromtimestamp(timestamp, UTC).astimezone()
