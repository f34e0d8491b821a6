"""Tests of the MapText measures. The numbers were checked with the competition's evaluation program (2025)."""

from dataclasses import replace

import pytest

from dptools.maps.formats import geojson
from dptools.maps.ground_truth import read_ground_truth
from dptools.maps.maptext import score_detection, score_reading


def word(text: str, left: float, width: float = 50) -> dict[str, object]:
    polygon = [[left, 0], [left + width, 0], [left + width, 10], [left, 10]]
    return {"text": text, "polygon": polygon, "confidence": 1.0, "angle": 0.0}


TRUTH = read_ground_truth(geojson([word("Rolla", 0), word("Cuba", 100), word("Vichy", 200)]), "x")
WORDS = [word("Rolla", 0), word("rolls", 2, 48), word("Cuba", 100, 40), word("Vi", 200, 20)]


def test_detection_has_tightness_and_quality() -> None:
    score = score_detection(TRUTH, WORDS)
    assert (score.expected, score.given, score.found) == (3, 4, 2)
    assert score.tightness == pytest.approx(0.9)
    assert score.quality == pytest.approx(0.9 * 4 / 7)
    assert score.hmean == pytest.approx(3 / (3 / 2 + 2 + 1 / 0.9))


def test_reading_has_character_accuracy() -> None:
    score = score_reading(TRUTH, WORDS[1:])
    assert (score.expected, score.given, score.found) == (3, 3, 2)
    assert score.characters == pytest.approx((3 / 5 + 1) / 2)
    assert score.tightness == pytest.approx((0.96 + 0.8) / 2)
    assert score.character_quality == pytest.approx(0.8 * 0.88 * 2 / 3)


def test_the_text_decides_between_two_outlines() -> None:
    words = [word("Rot", 0), word("Rolla", 0, 40)]
    assert score_detection(TRUTH, words).tightness == pytest.approx(1)
    assert score_reading(TRUTH, words).tightness == pytest.approx(0.8)


def test_ignored_words_and_their_matches_do_not_count() -> None:
    truth = [replace(TRUTH[0], ignored=True), *TRUTH[1:]]
    score = score_reading(truth, [word("Rolla", 0), word("Cuba", 100)])
    assert (score.expected, score.given, score.found) == (2, 1, 1)


def test_illegible_and_truncated_words_are_ignored() -> None:
    for name in ("illegible", "truncated"):
        (one,) = read_ground_truth(geojson([word("Rolla", 0)], **{name: True}), "x")
        assert one.ignored


def test_without_words_all_measures_are_zero() -> None:
    score = score_reading(TRUTH, [])
    assert (score.hmean, score.quality, score.character_quality) == (0, 0, 0)
    assert score_detection([], []).hmean == 0
