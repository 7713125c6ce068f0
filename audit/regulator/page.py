"""The report as one HTML file: no script, nothing loaded from elsewhere, made for the screen and for paper."""

from __future__ import annotations

from jinja2 import Environment, PackageLoader, select_autoescape

from audit.regulator.parts import Report


def report_html(report: Report) -> bytes:
    """The file's bytes: the same report gives the same bytes."""
    environment = Environment(
        loader=PackageLoader("audit.regulator", "templates"),
        autoescape=select_autoescape(default=True),
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("report.html").render(report=report).encode("utf-8")
