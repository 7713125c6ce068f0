"""The auditor's explorer with two hundred rounds of fifty sites: first paint in a headless browser.

    nice python -m benchmarks.explorer --out benchmarks/explorer.md

The network is made up: every event is written into the index as from a chain. What is measured is the time from the
click to the browser's first contentful paint, the server's part included.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import tempfile
from pathlib import Path

from playwright.sync_api import Browser

from tests.audit.explorer.in_browser import FIRST_PAINT, Served, served_explorer
from tests.end_to_end.clinic import WIDE, chromium

SENT = "() => performance.getEntriesByType('navigation')[0].responseEnd"
LENGTH = "() => performance.getEntriesByType('navigation')[0].decodedBodySize"
ELEMENTS = "() => document.querySelectorAll('*').length"

REPORT = """\
# The auditor's explorer

    nice python -m benchmarks.explorer --rounds {rounds} --sites {sites} --repeats {repeats}

{machine}, Python {python}, {cores} cores with a load of {before:.1f} before and {after:.1f} after; headless Chromium
{browser}, {width} × {height}. {events:,} made-up events of {rounds} rounds × {sites} sites, written into the index in
{fill_seconds:.1f} s; what their transactions cost was added in {costs_seconds:.1f} s without a chain to ask. Each model
has a score, as with `--scores`.

Milliseconds from the start of the navigation, {repeats} times each after one that is not counted; the last byte's time
is the server's part.

| screen | kB | elements | last byte, median | first paint, median | longest |
|---|---|---|---|---|---|
{rows}

`overview` shows the newest 40 rounds of all sites, `overview-all` all {rounds} × {sites} cells at once. Nothing is
asked of a chain but by `tx`, whose raw logs are read when it is opened: here nobody answers, and it says so.
"""


def measured(browser: Browser, served: Served, repeats: int) -> list[str]:
    tab = browser.new_context(viewport=WIDE).new_page()
    rows = []
    for name, path in served.screens.items():
        tab.goto(served.url + path)
        paints, sent = [], []
        for _ in range(repeats):
            # Another document in between: a reload may keep what was painted.
            tab.goto("about:blank")
            tab.goto(served.url + path)
            tab.wait_for_function(FIRST_PAINT)
            paints.append(tab.evaluate(FIRST_PAINT))
            sent.append(tab.evaluate(SENT))
        length, elements = tab.evaluate(LENGTH), tab.evaluate(ELEMENTS)
        rows.append(
            f"| {name} | {length / 1000:.0f} | {elements:,} | {statistics.median(sent):.0f} "
            f"| {statistics.median(paints):.0f} | {max(paints):.0f} |"
        )
    return rows


def report(rounds: int, sites: int, repeats: int) -> str:
    before = os.getloadavg()[0]
    with (
        tempfile.TemporaryDirectory() as folder,
        served_explorer(Path(folder), rounds, sites) as served,
        chromium() as browser,
    ):
        rows = measured(browser, served, repeats)
        return REPORT.format(
            rounds=rounds,
            sites=sites,
            repeats=repeats,
            machine=platform.processor() or platform.machine(),
            python=platform.python_version(),
            cores=os.cpu_count(),
            before=before,
            after=os.getloadavg()[0],
            browser=browser.version,
            width=WIDE["width"],
            height=WIDE["height"],
            events=served.events,
            fill_seconds=served.fill_seconds,
            costs_seconds=served.costs_seconds,
            rows="\n".join(rows),
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--sites", type=int, default=50)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    text = report(options.rounds, options.sites, options.repeats)
    print(text)
    if options.out:
        options.out.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
