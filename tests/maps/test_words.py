"""Tests of rectified lines, word splitting and the merging of readings."""

import numpy as np
import pytest

from dptools.maps.letters import Letters
from dptools.maps.merging import Reading, merge_readings, normalised
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


def test_wide_gaps_between_all_letters_are_reduced_in_proportion() -> None:
    grey = np.full((60, 500), 255, np.uint8)
    for start in (20, 70, 120, 250, 300, 350):
        grey[20:40, start : start + 20] = 0
    (line,) = text_lines([(x, 30) for x in range(30, 361, 22)])
    rectified = rectify(grey, grey < 128, line, half_height=1, margin=1, rows=40)
    condensed = rectified.condensed()
    edges = np.flatnonzero(np.diff(condensed.foreground[20].astype(int)))
    assert (edges[2::2] - edges[1:-1:2]).tolist() == pytest.approx([8, 8, 29, 8, 8], abs=2)
    assert condensed.condensed() is condensed


def test_a_line_that_crosses_a_word_does_not_enlarge_its_outline() -> None:
    grey = np.full((200, 300), 255, np.uint8)
    for start in range(100, 196, 24):
        grey[90:110, start : start + 16] = 0
    grey[:, 140:143] = 0
    (line,) = text_lines([(108, 100), (132, 100), (156, 100), (180, 100)])
    rectified = rectify(grey, grey < 128, line, half_height=1.2, margin=2, rows=48)
    columns = [int(np.abs(rectified.x[24] - x).argmin()) for x in (108, 132, 156, 180)]
    characters = [Character(char, 0.9, column) for char, column in zip("abcd", columns, strict=True)]
    (word,) = extract_words(rectified, characters)
    rows = [row for _, row in word.polygon]
    assert (min(rows), max(rows)) == pytest.approx((90, 110), abs=2)


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


def reading(
    text: str, left: float, confidence: float = 0.9, top: float = 0, *, line: int = 0, share: float = 1, image: int = 0
) -> Reading:
    word = Word(text, confidence, box_polygon(left, top, 12 * len(text), 20), 0, confidence)
    return Reading(word, line, image, share)


def texts(*readings: Reading, min_confidence: float = 0) -> list[str]:
    return [word.text for word in merge_readings(readings, min_confidence)]


def test_of_overlapping_readings_the_one_with_the_largest_weight_is_kept() -> None:
    often = [reading("Dixon", 0, 0.8, line=line) for line in range(3)]
    assert texts(reading("Dixo", 0, 0.99, line=9), *often, reading("Rolla", 200)) == ["Dixon", "Rolla"]


def test_readings_that_agree_vote_for_each_other() -> None:
    single = [reading("Steeper", 0, 0.9, line=1), reading("Sleeper", 0, 0.6, line=2)]
    assert texts(*single) == ["Steeper"]
    assert texts(*single, reading("sleeper.", 2, 0.8, line=3)) == ["Sleeper"]


def test_the_readings_of_one_line_have_one_vote() -> None:
    repeated = [reading("Steeper", 0, 0.9, line=1)] * 5
    assert texts(*repeated, *[reading("Sleeper", 0, 0.8, line=line) for line in (2, 3)]) == ["Sleeper"]


def test_single_letters_and_uncertain_words_need_several_lines() -> None:
    assert texts(reading("1", 0, 0.99), reading("--", 100, 0.99), reading("...", 200), reading("Cuba", 300, 0.2)) == []
    assert texts(*[reading("A", 0, 0.99, line=line) for line in range(5)]) == ["A"]


def test_words_below_the_minimum_confidence_are_dropped() -> None:
    assert texts(reading("Rolla", 0, 0.7), reading("Cuba", 200, 0.9), min_confidence=0.8) == ["Cuba"]


def test_a_word_that_more_images_show_as_two_words_is_split() -> None:
    joined = reading("FtEllis", 0, 0.9, line=1, image=1)
    parts = [word for image in (2, 3) for word in (reading("Ft", 0, image=image), reading("Ellis", 24, image=image))]
    assert texts(joined, *parts) == ["Ft", "Ellis"]
    assert texts(joined, *parts[:1], *parts[3:]) == ["FtEllis"]


def test_a_spread_word_conflicts_with_its_own_letters_but_not_with_words_between_them() -> None:
    spread = Reading(Word("IOWA", 0.9, box_polygon(0, 0, 900, 60), 0, 0.9), 1, 1, spread=True)
    assert texts(spread, *[reading("W", 500, line=line) for line in range(2, 7)]) == ["IOWA"]
    assert texts(spread, reading("Ames", 300, top=20, line=2)) == ["IOWA", "Ames"]


def test_the_outline_of_a_word_is_the_most_typical_one() -> None:
    tall = Reading(Word("Rolla", 0.99, box_polygon(0, -15, 60, 38), 0, 0.99), 3, 3)
    (word,) = merge_readings([tall, reading("Rolla", 0, 0.8, line=1), reading("Rolla", 1, 0.8, line=2)])
    assert word.polygon[2][1] == 20


def test_words_are_sorted_by_row_and_column() -> None:
    assert texts(reading("low", 0, top=300), reading("right", 300, top=4), reading("left", 0)) == [
        "left",
        "right",
        "low",
    ]


@pytest.mark.parametrize(
    ("text", "expected"), [("St.", "st"), ("(Ft.Benton)", "ft.benton"), ("–", ""), ("D'Oro", "d'oro")]
)
def test_texts_are_compared_without_case_and_outer_punctuation(text: str, expected: str) -> None:
    assert normalised(text) == expected
