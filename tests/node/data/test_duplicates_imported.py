"""What came before is known again when files go through ``fedrx node import``."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
import structlog

from node.data.samples import trainable
from node.site import open_site
from tests.node.data.test_data_commands import GRANT, Shell, typed_page

MEDICINES = (
    "Tab. Amoxil 500 mg 1+0+1",
    "Cap. Prilosec 20 mg 1+0+0",
    "Tab. Lasix 40 mg 0+0+1",
    "Tab. Abilify 10 mg 1+0+0",
)


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[Shell]:
    # The command line sends the log to stderr; unconfigured, it would mix with results on stdout.
    with structlog.testing.capture_logs():
        yield Shell(tmp_path)


def photographed(page: Path, copy: Path) -> Path:
    """The page once more: seen at an angle, in uneven light, a little smaller, as a JPEG file."""
    sheet = np.asarray(cv2.imread(str(page), cv2.IMREAD_GRAYSCALE))
    height, width = sheet.shape
    corners = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    seen = corners + np.array([[10, 8], [-14, 12], [-8, -9], [12, -6]], np.float32)
    turned = cv2.warpPerspective(
        sheet, cv2.getPerspectiveTransform(corners, seen), (width, height), borderMode=cv2.BORDER_REPLICATE
    )
    shaded = turned * np.linspace(1, 0.7, width)[None, :] + np.random.default_rng(1).normal(0, 4, turned.shape)
    smaller = cv2.resize(np.clip(shaded, 0, 255).astype(np.uint8), None, fx=0.85, fy=0.85, interpolation=cv2.INTER_AREA)
    cv2.imwrite(str(copy), smaller, [cv2.IMWRITE_JPEG_QUALITY, 70])
    return copy


def import_page(shell: Shell, path: Path, patient: str = "P001") -> None:
    (report,) = shell.listed("import", str(path), "--patient", patient)
    assert (report["outcome"], report["words"]) == ("imported", len(MEDICINES))


def training_pages(shell: Shell) -> set[str]:
    """The pages of the words that may train now."""
    page_of = {str(word["word"]): str(word["page"]) for word in shell.listed("review", "list", "--all")}
    with open_site(shell.folder / "node.toml") as site:
        return {page_of[sample.sample_id.hex()] for sample in trainable(site.store, int(time.time()), 0).train}


def test_a_page_photographed_again_trains_only_once_a_person_says_that_it_is_another(
    shell: Shell, tmp_path: Path
) -> None:
    first = typed_page(tmp_path / "first.png", *MEDICINES)
    import_page(shell, first)
    assert shell.listed("duplicates", "list") == []
    import_page(shell, photographed(first, tmp_path / "again.jpg"))
    (pair,) = shell.listed("duplicates", "list")
    assert (pair["kind"], pair["status"], pair["earlier"]["file"], pair["later"]["file"]) == (
        "near", "waiting", "first.png", "again.jpg",
    )  # fmt: skip
    earlier, later = (pair[side]["page"] for side in ("earlier", "later"))
    ids = [str(word["word"])[:8] for word in shell.listed("review", "list")]
    shell.run("review", "accept", *ids, "--reviewer", "dr-khan")
    shell.run(*GRANT)
    assert training_pages(shell) == {earlier}
    shell.run("duplicates", "different", str(pair["pair"])[:8], "--reviewer", "dr-khan")
    assert training_pages(shell) == {earlier, later}
    shell.run("duplicates", "same", str(pair["pair"])[:8], "--reviewer", "dr-khan")
    assert training_pages(shell) == {earlier}
    assert shell.listed("duplicates", "list") == []


def test_a_prescription_written_again_is_proposed_and_its_monthly_repeat_is_not(shell: Shell, tmp_path: Path) -> None:
    import_page(shell, typed_page(tmp_path / "first.png", "Date: 12/3/2024", *MEDICINES))
    import_page(shell, typed_page(tmp_path / "repeat.png", *MEDICINES[2:], *MEDICINES[:2], "Date: 12/4/2024"))
    assert shell.listed("duplicates", "list") == []
    import_page(shell, typed_page(tmp_path / "again.png", *MEDICINES[::-1], "Date: 12/3/2024"))
    (pair,) = shell.listed("duplicates", "list")
    assert (pair["kind"], pair["earlier"]["file"], pair["why"]) == (
        "reissued", "first.png", "one day, the same medicines",
    )  # fmt: skip
