"""docs/spec: every page is listed, cited by code and by tests, and every citation leads somewhere."""

from __future__ import annotations

import re

from protocol import canonical_json, envelope, fixed_point, merkle, plan, recipient_keys, tensors, update
from tests.architecture.tree import PRODUCT, ROOT, TESTS, name_of

FOLDER = ROOT / "docs" / "spec"
PAGES = tuple(sorted(path for path in FOLDER.glob("*.md") if path.name != "README.md"))
SOURCES = (*PRODUCT, *sorted((ROOT / "contracts").rglob("*.sol")))


def citations(paths) -> dict[str, str]:
    """Page → a file that cites it."""
    found = {}
    for path in paths:
        for page in re.findall(r"docs/spec/([a-z-]+\.md)", path.read_text(encoding="utf-8")):
            found[page] = name_of(path)
    return found


def test_every_page_is_listed():
    listed = set(re.findall(r"\]\(([a-z-]+\.md)\)", (FOLDER / "README.md").read_text(encoding="utf-8")))
    assert listed == {path.name for path in PAGES}


def test_every_page_is_cited_by_code_and_by_a_test():
    assert {path.name for path in PAGES} <= citations(SOURCES).keys()
    # What is not of the protocol or the contract is tested in its own room.
    readme = (FOLDER / "README.md").read_text(encoding="utf-8")
    rooms = dict(re.findall(r"\]\(([a-z-]+\.md)\)[^`]*`([a-z]+)/", readme))
    assert rooms.keys() == {path.name for path in PAGES}
    assert {page for page, room in rooms.items() if room in {"protocol", "contracts"}} <= citations(TESTS).keys()


def test_every_citation_names_a_page():
    names = {path.name for path in FOLDER.glob("*.md")}
    cited = citations((*SOURCES, *TESTS))
    assert {page: where for page, where in cited.items() if page not in names} == {}


def test_every_cited_section_exists():
    for path in (*SOURCES, *TESTS):
        text = path.read_text(encoding="utf-8")
        for page, section in re.findall(r"docs/spec/([a-z-]+\.md), section (\d+)", text):
            headings = re.findall(r"^## (\d+)\. ", (FOLDER / page).read_text(encoding="utf-8"), re.MULTILINE)
            assert section in headings, f"{name_of(path)}: {page}, section {section}"


def test_links_between_pages_lead_to_pages():
    for path in (*PAGES, FOLDER / "README.md"):
        for target in re.findall(r"\]\(([^)#:]+)\)", path.read_text(encoding="utf-8")):
            assert (path.parent / target).exists(), f"{path.name}: {target}"


def test_every_number_that_a_page_and_the_code_share_is_one():
    """The limits that an implementer copies from the pages."""
    text = {path.stem: path.read_text(encoding="utf-8") for path in PAGES}
    assert canonical_json.MAX_DEPTH == 32
    assert "32 brackets" in text["canonical-json"]
    assert tensors.MAX_TENSORS == 4096
    assert "4,096 tensors" in text["parameters"]
    assert tensors.MAX_HEADER_BYTES == envelope.MAX_HEADER_BYTES == envelope.CHUNK_BYTES == 2**20
    assert "at most 2^20" in text["parameters"]
    assert "at most 2^20" in text["envelope"]
    assert update.MANIFEST_AREA_BYTES - 4 == 8188
    assert "8,188" in text["update"]
    assert fixed_point.MAX_SCALE_BITS == 30
    assert recipient_keys.WRAPPED_KEY_BYTES == 1168
    assert "1,168 bytes" in text["envelope"]
    assert plan.MAX_PLAN_BYTES == 4 * 2**20
    assert (plan.MAX_SITES, plan.MAX_TOTAL_WEIGHT, plan.MAX_VALUES) == (256, 2**28, 2**31)
    assert merkle.MAX_LEAVES == 2**32
