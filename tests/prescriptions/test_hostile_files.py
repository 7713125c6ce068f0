"""Whatever a file holds, it becomes pages or a refusal with a reason; the process that asked survives it unharmed."""

import time
from pathlib import Path

import numpy as np
import pytest
from hostile_files import HONEST, sample

from prescriptions import quarantine
from prescriptions.load import LoadLimits, load_bytes
from protocol.errors import QuarantinedError

SEED = 20_261
LIMITS = LoadLimits(timeout_seconds=8)
PATIENT = LoadLimits()
"""For files that must come through on a busy machine too."""
FAST = 40
_GRACE_SECONDS = 10
_LEAK_BYTES = 96 * 2**20


def outcome(content, limits=LIMITS):
    """The reason of a refusal, or how many pages came out."""
    started = time.monotonic()
    pages, reason = (), None
    try:
        pages = load_bytes(content, limits)
    except QuarantinedError as refusal:
        reason = refusal.reason
    assert time.monotonic() - started < limits.timeout_seconds + _GRACE_SECONDS
    assert (1 <= len(pages) <= limits.max_pages) or reason in quarantine.REASONS
    assert all(page.pixels.dtype == np.uint8 and max(page.pixels.shape) <= limits.max_side for page in pages)
    return reason or len(pages)


def resident_bytes():
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


def check(files):
    seen = set()
    before = resident_bytes()
    for name, content in files:
        try:
            seen.add(outcome(content))
        except Exception as error:
            raise AssertionError(name) from error
    assert resident_bytes() - before < _LEAK_BYTES
    return seen


@pytest.mark.parametrize("name", HONEST)
def test_the_files_that_are_damaged_here_are_honest_pages_before(name):
    assert outcome(HONEST[name], PATIENT) in {1, 2}


def test_hostile_files_become_pages_or_are_quarantined_with_a_reason():
    seen = check(sample(SEED, 0, FAST))
    assert {quarantine.CORRUPT, quarantine.UNSUPPORTED_TYPE, quarantine.EMPTY_FILE, quarantine.TOO_MANY_PIXELS} <= seen


def test_a_script_and_a_file_inside_a_pdf_change_nothing_on_its_page():
    scripts = [content for name, content in sample(SEED, 0, 60) if name.startswith("pdf_with_a_")]
    assert scripts
    assert all(outcome(content, PATIENT) in {1, quarantine.CORRUPT} for content in scripts)
