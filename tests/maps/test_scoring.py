"""Figures of maps against hand-made ones."""

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dptools.errors import UsageError
from dptools.maps.formats import geojson
from dptools.maps.scoring import InkScore, WordScore, edit_distance, score_ink, score_words
from dptools.maps.truth import Truth, read_truth


def box(left: float, top: float, width: float, height: float) -> list[list[float]]:
    return [[left, top], [left + width, top], [left + width, top + height], [left, top + height]]


def word(text: str, polygon: list[list[float]]) -> dict[str, object]:
    return {"text": text, "polygon": polygon, "confidence": 1.0, "angle": 0.0}


def truth(*words: dict[str, object]) -> list[Truth]:
    return read_truth(geojson(words), "made.geojson")


def test_what_is_written_as_geojson_is_read_as_truth() -> None:
    (found,) = truth(word("Rolla", box(10, 20, 50, 12)))
    assert found.text == "Rolla"
    assert found.outline.bounds == (10, 20, 60, 32)


def test_every_word_is_matched_once_with_the_best() -> None:
    known = truth(
        word("Rolla", box(0, 0, 50, 10)), word("Cuba", box(100, 0, 40, 10)), word("Vichy", box(0, 100, 50, 10))
    )
    given_words = [
        word("rolla.", box(0, 0, 50, 10)),
        word("Roll", box(0, 0, 40, 10)),
        word("Cube", box(102, 0, 40, 10)),
        word("Vichy", box(40, 100, 50, 10)),
    ]
    score = score_words(known, given_words)
    assert (score.expected, score.given, score.found, score.read) == (3, 4, 2, 1)
    assert (score.precision, score.recall, score.f) == (0.5, pytest.approx(2 / 3), pytest.approx(4 / 7))
    assert score.characters == pytest.approx((1 + 0.75) / 2)


def test_a_box_is_compared_with_the_box_of_a_slanted_word() -> None:
    slanted = [[0, 40], [40, 0], [48, 8], [8, 48]]
    assert score_words(truth(word("Ozark", box(0, 0, 48, 48))), [word("Ozark", slanted)]).read == 1
    assert score_words(truth(word("Ozark", slanted)), [word("Ozark", slanted)]).read == 1
    assert score_words(truth(word("Ozark", slanted)), [word("Ozark", box(0, 0, 48, 48))]).found == 0


def test_nothing_found_and_nothing_known() -> None:
    known = truth(word("Rolla", box(0, 0, 50, 10)))
    assert (score_words(known, []).precision, score_words(known, []).recall) == (None, 0)
    assert (WordScore().f, WordScore().characters) == (None, None)


@pytest.mark.parametrize("name", ["Label", "text", "TEXT", "label", "Text", "name"])
def test_the_text_is_found_under_its_usual_names(name: str) -> None:
    features = [{"properties": {name: "Rolla"}, "geometry": {"type": "Polygon", "coordinates": [box(0, -10, 5, 10)]}}]
    (found,) = read_truth(json.dumps({"features": features}), "x")
    assert found.text == "Rolla"


def test_what_has_no_area_is_no_word() -> None:
    point = {"type": "Point", "coordinates": [1, 2]}
    small, large = [[*box(0, 0, 5, 5), [0, 0]]], [[*box(20, 20, 50, 50), [20, 20]]]
    several = {"type": "MultiPolygon", "coordinates": [small, large]}
    shapes = [None, point, {"type": "Polygon", "coordinates": []}, several]
    features = [{"properties": None, "geometry": shape} for shape in shapes]
    (found,) = read_truth(json.dumps({"features": features}), "x")
    assert (found.text, found.outline.bounds) == ("", (20, -70, 70, -20))


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"features": [1]}', '{"features": [{"properties": {}}]}'])
def test_what_is_no_ground_truth_is_said(text: str) -> None:
    with pytest.raises(UsageError, match=r"x\.geojson: not GeoJSON with polygons"):
        read_truth(text, "x.geojson")


@pytest.mark.parametrize("number", ["1e999", "-1e300", "2e9"])
def test_what_lies_on_no_map_is_said(number: str) -> None:
    ring = json.dumps([*box(0, 0, 5, 5), ["?", 0]]).replace('"?"', number)
    text = f'{{"features": [{{"properties": {{}}, "geometry": {{"type": "Polygon", "coordinates": [{ring}]}}}}]}}'
    with pytest.raises(UsageError, match=r"x\.geojson: a point of it lies more than 1,000,000,000 pixels away"):
        read_truth(text, "x.geojson")


NUMBERS = st.one_of(st.integers(-(10**400), 10**400), st.floats(), st.integers(-9, 9), st.text(max_size=1), st.none())
NESTED = st.recursive(NUMBERS, lambda inner: st.lists(inner, max_size=5), max_leaves=30)
RINGS = st.lists(st.lists(st.tuples(st.integers(-9, 9), st.integers(-9, 9)), min_size=3, max_size=7), max_size=2)
KINDS = st.sampled_from(["Point", "LineString", "Polygon", "MultiPolygon", "GeometryCollection", "x"])


@given(st.fixed_dictionaries({"type": KINDS, "coordinates": RINGS | NESTED}, optional={"geometries": NESTED}), NESTED)
def test_whatever_geometry_there_is_it_is_polygons_or_a_usage_error(geometry: dict[str, Any], text: Any) -> None:
    file = json.dumps({"features": [{"properties": {"text": text}, "geometry": geometry}]})
    try:
        words = read_truth(file, "x.geojson")
    except UsageError:
        return
    assert all(each.outline.area > 0 and each.outline.geom_type == "Polygon" for each in words)


def test_words_that_reach_beyond_any_map_are_cut(recwarn: pytest.WarningsRecorder) -> None:
    """And take part as they are where a map could be."""
    far = [[-1e308, -1e308], [10**308, -1e308], [10**308, 10**308], [-1e308, 1e308]]
    score = score_words(truth(word("a", box(0, 0, 50, 10))), [word("a", far), word("a", box(0, 0, 50, 10))])
    assert (score.given, score.found) == (2, 1)
    assert not recwarn


def test_ink_counts_inside_the_outlines() -> None:
    grey = np.full((40, 80), 220, np.uint8)
    grey[10:20, 10:30] = 30
    grey[30:35, 50:70] = 30  # ink elsewhere
    mask = np.zeros(grey.shape, bool)
    mask[10:20, 10:20] = mask[30:35, 50:70] = True
    score = score_ink(truth(word("I", box(5, 5, 30, 20))), grey, mask)
    assert score == InkScore(expected=200, given=200, found=100)
    assert (score.precision, score.recall, score.f) == (0.5, 0.5, 0.5)


@given(st.text("abc", max_size=6), st.text("abc", max_size=6), st.text("abc", max_size=6))
def test_the_edit_distance_is_a_metric(one: str, other: str, third: str) -> None:
    assert edit_distance(one, other) == edit_distance(other, one)
    assert (edit_distance(one, other) == 0) == (one == other)
    assert edit_distance(one, third) <= edit_distance(one, other) + edit_distance(other, third)
    assert abs(len(one) - len(other)) <= edit_distance(one, other) <= max(len(one), len(other))


def test_edit_distances_that_are_known() -> None:
    assert edit_distance("kitten", "sitting") == 3
    assert edit_distance("", "abc") == 3
