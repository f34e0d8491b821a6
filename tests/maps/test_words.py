"""Tests of rectified lines, word splitting and the merging of readings."""

import numpy as np
import pytest

from dptools.maps.letters import Letters
from dptools.maps.merging import merge_readings, normalised
from dptools.maps.outlines import box_polygon
from dptools.maps.textline import TextLine, reading_directions, rectify
from dptools.maps.words import Character, Word, extract_words, split_words


def text_lines(centres: list[tuple[float, float]], size: float = 20) -> list[TextLine]:
    x, y = np.array(centres, float).T
    sizes = np.full(len(x), size)
    return list(reading_directions(Letters(x, y, sizes, sizes), tuple(range(len(x)))))


def test_a_line_is_read_from_left_to_right_and_a_steep_line_in_both_directions() -> None:
    assert [line.angle for line in text_lines([(0, 0), (30, 0), (60, 0)])] == pytest.approx([0])
    assert [line.angle for line in text_lines([(60, 0), (30, 0), (0, 0)])] == pytest.approx([0])
    assert sorted(line.angle for line in text_lines([(0, 0), (0, 30)])) == pytest.approx([-np.pi / 2, np.pi / 2])


def test_a_rectified_line_knows_its_place_on_the_map() -> None:
    grey = np.add.outer(np.arange(200) * 0, np.arange(200)).astype(np.uint8)
    (line,) = text_lines([(50, 60), (80, 60), (110, 60)])
    rectified = rectify(grey, grey < 0, line, half_height=1, margin=1, rows=40)
    assert rectified.grey.shape == rectified.foreground.shape == rectified.x.shape == rectified.y.shape
    assert rectified.grey.shape[0] == 40
    assert np.allclose(rectified.grey, rectified.x, atol=1)
    assert rectified.map_point(20, 0) == pytest.approx((30, 60), abs=1)


def test_a_slanted_line_is_rectified_to_a_horizontal_line() -> None:
    rows, columns = np.mgrid[:300, :300]
    stroke = abs((rows - 150) + (columns - 150)) < 4  # rises to the right at 45 degrees
    grey = np.where(stroke, 0, 255).astype(np.uint8)
    (line,) = text_lines([(100, 200), (150, 150), (200, 100)])
    rectified = rectify(grey, stroke, line, half_height=1, margin=0, rows=40)
    assert rectified.grey[18:22].mean() < 60
    assert rectified.grey[[2, -3]].mean() > 200
    assert rectified.foreground[20].all()


def test_gaps_between_widely_spaced_letters_are_removed() -> None:
    grey = np.full((60, 700), 255, np.uint8)
    (line,) = text_lines([(100 * index + 50, 30) for index in range(6)])
    assert rectify(grey, grey < 0, line, half_height=1, margin=1, rows=40).grey.shape[1] < 250


def test_words_are_split_at_spaces_and_at_wide_gaps() -> None:
    foreground = np.zeros((48, 400), bool)
    starts = (10, 30, 50, 120, 140, 160)
    for start in starts:
        foreground[10:38, start : start + 16] = True
    characters = [Character(char, 0.9, start + 8.0) for char, start in zip("FtElli", starts, strict=True)]
    words = ["".join(char.text for char in word) for word in split_words(foreground, characters)]
    assert words == ["FtE", "lli"]
    spaced = [Character("a", 1, 18), Character("b", 1, 38, starts_word=True), Character("c", 1, 58)]
    assert [len(word) for word in split_words(foreground, spaced)] == [1, 2]
    assert split_words(foreground, []) == []


def test_the_outline_of_a_word_fits_its_foreground() -> None:
    grey = np.full((200, 300), 255, np.uint8)
    for start in (100, 124, 148):
        grey[90:110, start : start + 16] = 0
    (line,) = text_lines([(108, 100), (132, 100), (156, 100)])
    rectified = rectify(grey, grey < 128, line, half_height=1, margin=2, rows=48)
    columns = [int(np.abs(rectified.x[24] - x).argmin()) for x in (108, 132, 156)]
    characters = [Character(char, 0.9, column) for char, column in zip("abc", columns, strict=True)]
    (word,) = extract_words(rectified, characters)
    x, y = np.array(word.polygon).T
    assert (x.min(), x.max()) == pytest.approx((100, 164), abs=2)
    assert (y.min(), y.max()) == pytest.approx((90, 110), abs=2)
    assert word.angle == pytest.approx(0, abs=2)
    assert (word.text, word.confidence) == ("abc", pytest.approx(0.9))
    assert word.joint_confidence == pytest.approx(0.9**3)


def reading(text: str, left: float, confidence: float = 0.9, top: float = 0) -> Word:
    return Word(text, confidence, box_polygon(left, top, 12 * len(text), 20), 0, confidence)


def test_of_overlapping_readings_the_one_with_the_largest_weight_is_kept() -> None:
    words = merge_readings([reading("Dixo", 0, 0.99), *[reading("Dixon", 0, 0.8)] * 3, reading("Rolla", 200)], passes=4)
    assert [word.text for word in words] == ["Dixon", "Rolla"]


def test_readings_that_agree_vote_for_each_other() -> None:
    single = [reading("Steeper", 0, 0.9), reading("Sleeper", 0, 0.6)]
    assert [word.text for word in merge_readings(single, 2)] == ["Steeper"]
    assert [word.text for word in merge_readings([*single, reading("sleeper.", 2, 0.6)], 2)] == ["Sleeper"]


def test_short_readings_with_one_vote_are_dropped() -> None:
    assert merge_readings([reading("1", 0, 0.99), reading("--", 100, 0.99), reading("...", 200)], passes=10) == []


def test_words_are_sorted_by_row_and_column() -> None:
    readings = [reading("low", 0, top=300), reading("right", 300, top=4), reading("left", 0)]
    assert [word.text for word in merge_readings(readings, 1)] == ["left", "right", "low"]


@pytest.mark.parametrize(
    ("text", "expected"), [("St.", "st"), ("(Ft.Benton)", "ft.benton"), ("–", ""), ("D'Oro", "d'oro")]
)
def test_texts_are_compared_without_case_and_outer_punctuation(text: str, expected: str) -> None:
    assert normalised(text) == expected
