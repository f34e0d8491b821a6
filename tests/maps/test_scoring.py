"""Tests of the scores against values computed by hand."""

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dptools.errors import UsageError
from dptools.maps.formats import geojson
from dptools.maps.ground_truth import TrueWord, read_ground_truth
from dptools.maps.scoring import MaskScore, WordScore, edit_distance, score_mask, score_words


def box(left: float, top: float, width: float, height: float) -> list[list[float]]:
    return [[left, top], [left + width, top], [left + width, top + height], [left, top + height]]


def word(text: str, polygon: list[list[float]]) -> dict[str, object]:
    return {"text": text, "polygon": polygon, "confidence": 1.0, "angle": 0.0}


def truth(*words: dict[str, object]) -> list[TrueWord]:
    return read_ground_truth(geojson(words), "made.geojson")


def test_geojson_output_can_be_read_as_ground_truth() -> None:
    (true_word,) = truth(word("Rolla", box(10, 20, 50, 12)))
    assert true_word.text == "Rolla"
    assert true_word.outline.bounds == (10, 20, 60, 32)


def test_each_word_is_matched_once_with_the_best_candidate() -> None:
    expected = truth(
        word("Rolla", box(0, 0, 50, 10)), word("Cuba", box(100, 0, 40, 10)), word("Vichy", box(0, 100, 50, 10))
    )
    detected = [
        word("rolla.", box(0, 0, 50, 10)),
        word("Roll", box(0, 0, 40, 10)),
        word("Cube", box(102, 0, 40, 10)),
        word("Vichy", box(40, 100, 50, 10)),
    ]
    score = score_words(expected, detected)
    assert (score.expected, score.given, score.found, score.read) == (3, 4, 2, 1)
    assert (score.precision, score.recall, score.f) == (0.5, pytest.approx(2 / 3), pytest.approx(4 / 7))
    assert score.characters == pytest.approx((1 + 0.75) / 2)


def test_an_upright_true_box_is_compared_with_the_bounding_box() -> None:
    slanted = [[0, 40], [40, 0], [48, 8], [8, 48]]
    assert score_words(truth(word("Ozark", box(0, 0, 48, 48))), [word("Ozark", slanted)]).read == 1
    assert score_words(truth(word("Ozark", slanted)), [word("Ozark", slanted)]).read == 1
    assert score_words(truth(word("Ozark", slanted)), [word("Ozark", box(0, 0, 48, 48))]).found == 0


def test_scores_without_words_are_undefined() -> None:
    expected = truth(word("Rolla", box(0, 0, 50, 10)))
    assert (score_words(expected, []).precision, score_words(expected, []).recall) == (None, 0)
    assert (WordScore().f, WordScore().characters) == (None, None)


@pytest.mark.parametrize("name", ["Label", "text", "TEXT", "label", "Text", "name"])
def test_common_property_names_hold_the_text(name: str) -> None:
    features = [{"properties": {name: "Rolla"}, "geometry": {"type": "Polygon", "coordinates": [box(0, -10, 5, 10)]}}]
    (true_word,) = read_ground_truth(json.dumps({"features": features}), "x")
    assert true_word.text == "Rolla"


def test_geometries_without_an_area_are_left_out() -> None:
    point = {"type": "Point", "coordinates": [1, 2]}
    small, large = [[*box(0, 0, 5, 5), [0, 0]]], [[*box(20, 20, 50, 50), [20, 20]]]
    multiple = {"type": "MultiPolygon", "coordinates": [small, large]}
    shapes = [None, point, {"type": "Polygon", "coordinates": []}, multiple]
    features = [{"properties": None, "geometry": shape} for shape in shapes]
    (true_word,) = read_ground_truth(json.dumps({"features": features}), "x")
    assert (true_word.text, true_word.outline.bounds) == ("", (20, -70, 70, -20))


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"features": [1]}', '{"features": [{"properties": {}}]}'])
def test_a_file_that_is_not_ground_truth_is_a_usage_error(text: str) -> None:
    with pytest.raises(UsageError, match=r"x\.geojson: not GeoJSON with polygons"):
        read_ground_truth(text, "x.geojson")


@pytest.mark.parametrize("number", ["1e999", "-1e300", "2e9"])
def test_a_point_out_of_bounds_is_a_usage_error(number: str) -> None:
    ring = json.dumps([*box(0, 0, 5, 5), ["?", 0]]).replace('"?"', number)
    text = f'{{"features": [{{"properties": {{}}, "geometry": {{"type": "Polygon", "coordinates": [{ring}]}}}}]}}'
    with pytest.raises(UsageError, match=r"x\.geojson: a point is more than 1,000,000,000 pixels away"):
        read_ground_truth(text, "x.geojson")


NUMBERS = st.one_of(st.integers(-(10**400), 10**400), st.floats(), st.integers(-9, 9), st.text(max_size=1), st.none())
NESTED = st.recursive(NUMBERS, lambda inner: st.lists(inner, max_size=5), max_leaves=30)
RINGS = st.lists(st.lists(st.tuples(st.integers(-9, 9), st.integers(-9, 9)), min_size=3, max_size=7), max_size=2)
KINDS = st.sampled_from(["Point", "LineString", "Polygon", "MultiPolygon", "GeometryCollection", "x"])


@given(st.fixed_dictionaries({"type": KINDS, "coordinates": RINGS | NESTED}, optional={"geometries": NESTED}), NESTED)
def test_any_geometry_gives_polygons_or_a_usage_error(geometry: dict[str, Any], text: Any) -> None:
    file = json.dumps({"features": [{"properties": {"text": text}, "geometry": geometry}]})
    try:
        words = read_ground_truth(file, "x.geojson")
    except UsageError:
        return
    assert all(word.outline.area > 0 and word.outline.geom_type == "Polygon" for word in words)


def test_outlines_are_clipped_to_the_bounds_of_a_map(recwarn: pytest.WarningsRecorder) -> None:
    far = [[-1e308, -1e308], [10**308, -1e308], [10**308, 10**308], [-1e308, 1e308]]
    score = score_words(truth(word("a", box(0, 0, 50, 10))), [word("a", far), word("a", box(0, 0, 50, 10))])
    assert (score.given, score.found) == (2, 1)
    assert not recwarn


def test_the_mask_is_scored_inside_the_outlines() -> None:
    grey = np.full((40, 80), 220, np.uint8)
    grey[10:20, 10:30] = 30
    grey[30:35, 50:70] = 30  # dark pixels outside the outline
    mask = np.zeros(grey.shape, bool)
    mask[10:20, 10:20] = mask[30:35, 50:70] = True
    score = score_mask(truth(word("I", box(5, 5, 30, 20))), grey, mask)
    assert score == MaskScore(expected=200, given=200, found=100)
    assert (score.precision, score.recall, score.f) == (0.5, 0.5, 0.5)


@given(st.text("abc", max_size=6), st.text("abc", max_size=6), st.text("abc", max_size=6))
def test_the_edit_distance_is_a_metric(a: str, b: str, c: str) -> None:
    assert edit_distance(a, b) == edit_distance(b, a)
    assert (edit_distance(a, b) == 0) == (a == b)
    assert edit_distance(a, c) <= edit_distance(a, b) + edit_distance(b, c)
    assert abs(len(a) - len(b)) <= edit_distance(a, b) <= max(len(a), len(b))


def test_edit_distances_of_known_examples() -> None:
    assert edit_distance("kitten", "sitting") == 3
    assert edit_distance("", "abc") == 3
