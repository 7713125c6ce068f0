"""How well and how fast pages are read: each engine on the same drawn pages, and the import of a folder.

    nice python benchmarks/reading.py --fonts fonts/node_modules --split held-out --pages 20 --folder 60

Prints the tables of reading.md. ``--split development`` (with ``--misses``, and one engine) is for looking at while the
reading is improved; the held-out pages have other fonts, names, people and another seed. Every engine runs in a process
of its own, on one thread.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "scripts"))
sys.path.insert(0, str(Path(__file__).parent))
from reading_content import FIELDS, SPLITS
from reading_folder import import_folder
from reading_pages import LEXICON, LOOKS, draw_all
from reading_score import Tally, score_page

from prescriptions.lexicon import bundled_lexicon
from prescriptions.load import load_pages
from prescriptions.pipeline import examine_page
from prescriptions.readers import READERS, make_reader
from protocol.errors import QuarantinedError

ROOT = Path(__file__).parents[1]
FAST_ENGINES = ("rapidocr", "tesseract")
"""Of which the fastest must keep the bar of an import."""


def measure(engine: str, folder: Path, *, misses: bool) -> dict:
    """Reads every page of a folder with one engine; counts and costs by look."""
    reader, lexicon = make_reader(engine), bundled_lexicon(LEXICON)
    tallies: dict[str, Tally] = defaultdict(Tally)
    seconds: dict[str, list[float]] = defaultdict(list)
    used: dict[str, float] = defaultdict(float)
    for number, truth in enumerate(json.loads((folder / "truth.json").read_text(encoding="utf-8"))):
        if number == 0:  # the engine starts at its first page, which is read once more
            examine_page(load_pages(folder / truth["file"])[0], reader, lexicon)
        started, before = time.perf_counter(), _processor_seconds()
        tally = Tally()
        try:
            (page,) = load_pages(folder / truth["file"])
            tally = score_page(examine_page(page, reader, lexicon), truth)
        except QuarantinedError:
            for line in truth["lines"]:
                tally.written.update(line["truth"].keys())
            tally.characters = tally.character_errors = sum(len(row["text"].replace(" ", "")) for row in truth["rows"])
        seconds[truth["look"]].append(time.perf_counter() - started)
        used[truth["look"]] += _processor_seconds() - before
        tallies[truth["look"]].add(tally)
        if misses:
            for miss in tally.misses:
                print(truth["file"], truth["style"], truth["font"], *map(repr, miss), sep="  ", file=sys.stderr)
    return {
        "engine": reader.name,
        "peak_mib": _peak_mib(),
        "looks": {look: _values(tally, seconds[look], used[look]) for look, tally in tallies.items()},
    }


def _values(tally: Tally, seconds: list[float], used: float) -> dict:
    return {
        "pages": len(seconds),
        "medicines": tally.written["medicine"],
        "values": sum(tally.written.values()),
        "character_error_rate": tally.character_error_rate,
        "precision": tally.share(tally.read, "medicine"),
        "recall": tally.share(tally.written, "medicine"),
        "f1": {name: tally.f1(name) for name in FIELDS},
        "all_f1": tally.f1(*FIELDS),
        "seconds": sum(seconds) / len(seconds),
        "processor_seconds": used / len(seconds),
    }


def _processor_seconds() -> float:
    parts = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(part.ru_utime + part.ru_stime for part in parts)


def _peak_mib() -> float:
    """Of this process and of its largest child, the decoder or an engine's program."""
    return sum(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)) / 1024


def measured_apart(engine: str, folder: Path, *, misses: bool) -> dict:
    command = [sys.executable, str(Path(__file__)), "--measure", engine, "--of", str(folder)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    done = subprocess.run([*command, *(["--misses"] if misses else [])], stdout=subprocess.PIPE, env=environment,
                          check=True)  # fmt: skip
    return json.loads(done.stdout.splitlines()[-1])


def print_tables(results: list[dict]) -> None:
    print("\n| engine | page | character errors | medicine precision | recall | F1 | all fields, strict F1 |")
    print("|---|---|---|---|---|---|---|")
    for result in results:
        for look, values in result["looks"].items():
            numbers = (values["character_error_rate"], values["precision"], values["recall"], values["f1"]["medicine"],
                       values["all_f1"])  # fmt: skip
            print(f"| {result['engine']} | {look} | " + " | ".join(f"{number:.3f}" for number in numbers) + " |")
    print("\n| engine | page | " + " | ".join(FIELDS) + " |\n|" + "---|" * (2 + len(FIELDS)))
    for result in results:
        for look, values in result["looks"].items():
            cells = " | ".join(f"{values['f1'][name]:.3f}" for name in FIELDS)
            print(f"| {result['engine']} | {look} | {cells} |")
    print("\n| engine | seconds a page | of processor time | peak memory |\n|---|---|---|---|")
    for result in results:
        looks = result["looks"].values()
        pages = sum(values["pages"] for values in looks)
        means = [sum(v[key] * v["pages"] for v in looks) / pages for key in ("seconds", "processor_seconds")]
        print(f"| {result['engine']} | {means[0]:.2f} | {means[1]:.2f} | {result['peak_mib']:.0f} MiB |")


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--fonts", type=Path, default=ROOT / "fonts" / "node_modules")
    parser.add_argument("--split", choices=tuple(SPLITS), default="held-out")
    parser.add_argument("--pages", type=int, default=20, help="of each look")
    parser.add_argument("--looks", nargs="+", choices=LOOKS, default=LOOKS)
    parser.add_argument("--engines", nargs="*", choices=READERS, default=READERS)
    parser.add_argument("--folder", type=int, default=60, help="typed pages in the imported folder; 0 for none")
    parser.add_argument("--misses", action="store_true", help="every wrong value to stderr")
    parser.add_argument("--measure", help=argparse.SUPPRESS)
    parser.add_argument("--of", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.measure:
        print(json.dumps(measure(options.measure, options.of, misses=options.misses)))
        return 0
    split = SPLITS[options.split]
    print(f"{split.name} pages, seed {split.seed}, {options.pages} of each look, lexicon {LEXICON}")
    print(f"load of the machine: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    with tempfile.TemporaryDirectory(prefix="fedrx-reading-") as name:
        folder = Path(name)
        if options.engines:
            draw_all(folder / "pages", options.fonts, split, tuple(options.looks), options.pages)
            apart = [measured_apart(e, folder / "pages", misses=options.misses) for e in options.engines]
            for look, values in apart[0]["looks"].items():
                print(f"{look}: {values['medicines']} medicines, {values['values']} values")
            print_tables(apart)
        if options.folder:
            draw_all(folder / "typed", options.fonts, split, LOOKS[:2], -(-options.folder // 2))
            import_folder(folder, folder / "typed", FAST_ENGINES)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
