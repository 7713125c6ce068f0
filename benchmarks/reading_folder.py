"""The import of a folder of typed pages by the command that a site runs, into a store of its own."""

from __future__ import annotations

import csv
import json
import os
import resource
import subprocess
import sys
import time
from pathlib import Path

BAR_PAGES_PER_HOUR = 1200
_SETTINGS = """
site = "benchmark"
data_folder = "data"
deployment = "deployment.json"
passphrase_file = "passphrase"
lineages = ["english-g2"]
[chain]
rpc_url = "http://127.0.0.1:1"
[reading]
engine = "{engine}"
"""
_HEADER = "| engine | pages an hour | seconds a page | of processor time | bar |\n|---|---|---|---|---|"


def import_folder(folder: Path, pages: Path, engines: tuple[str, ...]) -> None:
    """Imports the pages into a fresh site below ``folder`` for each engine and prints what it took."""
    print(f"\n{_HEADER}")
    for engine in engines:
        (folder / engine).mkdir()
        print(_row(folder / engine, pages, engine))
    print(f"load of the machine at the end: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")


def _row(folder: Path, pages: Path, engine: str) -> str:
    (folder / "node.toml").write_text(_SETTINGS.format(engine=engine), encoding="utf-8")
    passphrase = folder / "passphrase"
    passphrase.touch(mode=0o600)
    passphrase.write_text("benchmark benchmark", encoding="utf-8")
    _fedrx("init", "--data", str(folder / "data"), "--witness", "nobody", "--passphrase-file", str(passphrase))
    files = sorted(path for path in pages.iterdir() if path.suffix in {".png", ".jpg"})
    manifest = pages / "manifest.csv"
    with manifest.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows(
            [("file", "patient"), *((path.name, f"P{n // 3:03}") for n, path in enumerate(files))]
        )
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    answer = _fedrx("import", "--manifest", str(manifest), "--config", str(folder / "node.toml"), "--json")
    seconds = time.perf_counter() - started
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    taken = sum(report["pages"] for report in json.loads(answer))
    name = f"{engine}, {taken} of {len(files)} pages"
    rate = f"{3600 * taken / seconds:.0f} | {seconds / taken:.2f} | {used / taken:.2f}"
    return f"| {name} | {rate} | {BAR_PAGES_PER_HOUR} an hour |"


def _fedrx(*arguments: str) -> bytes:
    command = [str(Path(sys.executable).parent / "fedrx"), "node", *arguments]
    return subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout
