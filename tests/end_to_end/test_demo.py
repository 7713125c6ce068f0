"""The whole network, as ``make demo`` runs it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def processes_below(folder: Path) -> list[str]:
    """Command lines that name a folder."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal() and int(entry.name) != os.getpid():
            try:
                line = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            except OSError:
                continue
            if str(folder) in line:
                found.append(line)
    return found


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_the_demo_ends_with_every_model_recomputed(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "scripts.demo", "--folder", str(tmp_path / "demo")],
        cwd=ROOT, capture_output=True, text=True, check=False, env=os.environ | {"COLUMNS": "200"},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert "3 of 3 global models recomputed, same bytes" in done.stdout
    assert "CONTEXT_MISMATCH" in done.stdout
    assert processes_below(tmp_path) == []


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_ctrl_c_leaves_no_orphan(tmp_path: Path) -> None:
    demo = subprocess.Popen(
        [sys.executable, "-m", "scripts.demo", "--folder", str(tmp_path / "demo")],
        cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        end = time.monotonic() + 200
        while not (tmp_path / "demo" / "governor" / "deployment.json").exists():
            assert demo.poll() is None, "the demo ended by itself"
            assert time.monotonic() < end
            time.sleep(0.5)
        demo.send_signal(signal.SIGINT)
        assert demo.wait(60) == 130
    finally:
        demo.kill()
    end = time.monotonic() + 15
    while processes_below(tmp_path) and time.monotonic() < end:
        time.sleep(0.5)
    assert processes_below(tmp_path) == []
