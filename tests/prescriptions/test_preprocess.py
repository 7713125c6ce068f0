import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from paper import typed_page

from prescriptions.preprocess import PreprocessSettings, estimate_skew, flatten_light, prepare

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
    landed = np.linalg.inv(np.vstack([prepared.to_page, [0, 0, 1]])) @ [x + 0.5, y + 0.5, 1]
    column, row = landed[:2].astype(int)
    assert prepared.grey[max(0, row - 1) : row + 2, max(0, column - 1) : column + 2].min() < 90
