import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from paper import typed_page

from prescriptions.page_outline import find_page
from prescriptions.preprocess import DONE, OFF, STAGES, PreprocessSettings, prepare
from prescriptions.stages import binarise, estimate_skew, flatten_light

PAGE = np.asarray(typed_page().convert("L"))


def turned(page, degrees):
    height, width = page.shape
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), degrees, 1)
    return cv2.warpAffine(page, matrix, (width, height), borderValue=245)


@pytest.mark.parametrize("degrees", [-7.0, -2.5, 0.0, 1.3, 6.0])
def test_the_skew_of_a_page_is_found(degrees):
    assert estimate_skew(turned(PAGE, degrees)) == pytest.approx(degrees, abs=0.3)


def test_an_empty_page_has_no_skew_and_stays_empty():
    prepared = prepare(np.full((300, 200), 180, np.uint8))
    assert prepared.skew_degrees == 0
    assert prepared.grey.min() > 230


def test_uneven_light_is_evened():
    shade = np.linspace(1.0, 0.45, PAGE.shape[1])[None, :]
    flat = flatten_light((PAGE * shade).astype(np.uint8))
    paper = flat[PAGE > 240].reshape(-1)
    assert np.percentile(paper, 99) - np.percentile(paper, 1) < 25


@pytest.mark.parametrize(
    ("shape", "longest"), [((2600, 2000), 1600), ((1300, 1000), 1300), ((500, 400), 1000), ((60, 50), 240)]
)
def test_any_resolution_comes_to_the_working_size(shape, longest):
    assert max(prepare(np.full(shape, 250, np.uint8)).grey.shape) == longest


@settings(max_examples=12, deadline=None)
@given(st.integers(0, 3), st.integers(40, 560), st.integers(40, 760), st.floats(-4, 4))
def test_a_point_of_the_prepared_page_maps_back_to_where_it_was(turns, x, y, skew):
    page = turned(PAGE, skew)
    page[y - 14 : y + 14, x - 14 : x + 14] = 250
    cv2.circle(page, (x, y), 5, 0, -1)
    prepared = prepare(page, PreprocessSettings(denoise=False), quarter_turns=turns)
    landed = np.linalg.inv(prepared.to_page) @ [x + 0.5, y + 0.5, 1]
    landed /= landed[2]
    column, row = landed[:2].astype(int)
    assert prepared.grey[max(0, row - 1) : row + 2, max(0, column - 1) : column + 2].min() < 90


CORNERS = np.array([(150, 110), (680, 80), (720, 930), (90, 960)], np.float64)


def photographed(page=PAGE, corners=CORNERS, size=(800, 1040), seed=1):
    """The page as it lies on a dark, rough table, seen from aside."""
    width, height = size
    rough = np.random.default_rng(seed).integers(20, 110, (height // 8, width // 8), dtype=np.uint8)
    table = cv2.resize(rough, size, interpolation=cv2.INTER_LINEAR)
    own = np.array([(0, 0), (page.shape[1], 0), (page.shape[1], page.shape[0]), (0, page.shape[0])], np.float32)
    matrix = cv2.getPerspectiveTransform(own, corners.astype(np.float32))
    return cv2.warpPerspective(page, matrix, size, table, borderMode=cv2.BORDER_TRANSPARENT), matrix


def test_a_page_on_a_table_is_found_to_the_pixel_or_two():
    photo, _ = photographed()
    assert np.abs(find_page(photo) - CORNERS).max() < 6


@settings(max_examples=8, deadline=None)
@given(st.integers(60, 560), st.integers(60, 740), st.integers(-40, 40), st.integers(-40, 40))
def test_a_point_is_found_again_through_the_perspective(x, y, dx, dy):
    page = PAGE.copy()
    page[y - 16 : y + 16, x - 16 : x + 16] = 245
    cv2.circle(page, (x, y), 6, 0, -1)
    photo, matrix = photographed(page, CORNERS + np.array([(dx, 0), (0, dy), (0, 0), (dx, dy)]) / 2)
    prepared = prepare(photo, PreprocessSettings(denoise=False))
    on_photo = matrix @ [x + 0.5, y + 0.5, 1]
    landed = np.linalg.inv(prepared.to_page) @ (on_photo / on_photo[2])
    column, row = (landed[:2] / landed[2]).astype(int)
    assert prepared.grey[row - 2 : row + 3, column - 2 : column + 3].min() < 90
    assert find_page(photo) is not None


def banded(page):
    """A flat scan with a coloured letterhead."""
    scan = page.copy()
    scan[:120] = 60
    return scan


def framed(page):
    scan = page.copy()
    cv2.rectangle(scan, (15, 15), (625, 805), 20, 3)
    return scan


@pytest.mark.parametrize(
    "scan",
    [PAGE, banded(PAGE), framed(PAGE), np.full((400, 300), 250, np.uint8), np.zeros((400, 300), np.uint8),
     photographed()[0][100:], photographed()[0][:, 200:], np.full((20, 500), 240, np.uint8)],
    ids=["flat", "letterhead", "frame", "blank", "black", "cut above", "cut at the left", "strip"],
)  # fmt: skip
def test_nothing_is_cut_where_the_outline_is_not_sure(scan):
    assert find_page(scan) is None


def test_no_ink_of_a_noisy_picture_is_ever_cut_away():
    for seed in range(20):
        noise = np.random.default_rng(seed).integers(0, 256, (60, 45), dtype=np.uint8)
        assert find_page(cv2.resize(noise, (450, 600))) is None


@pytest.mark.parametrize("name", [stage.name for stage in STAGES if stage.name != "size"])
def test_every_stage_can_be_switched_off_and_shows_its_picture(name):
    views = {view.name: view for view in prepare(PAGE, PreprocessSettings(**{name: False}), keep_views=True).views}
    assert list(views) == ["turn", *[stage.name for stage in STAGES]]
    assert views[name].state == OFF
    before = views[["turn", *[stage.name for stage in STAGES]][list(views).index(name) - 1]]
    assert np.array_equal(views[name].grey, before.grey)
    assert prepare(PAGE, PreprocessSettings(binarise=True), keep_views=True).views[-1].state == DONE
    assert prepare(PAGE).views == ()


def test_binarising_leaves_two_levels_and_keeps_the_ink_under_a_shadow():
    shade = np.linspace(1.0, 0.5, PAGE.shape[1])[None, :]
    found = binarise((PAGE * shade).astype(np.uint8))
    assert set(np.unique(found)) == {0, 255}
    ink = PAGE < 90
    assert (found[ink] == 0).mean() > 0.9
    assert (found[PAGE > 240] == 255).mean() > 0.97
