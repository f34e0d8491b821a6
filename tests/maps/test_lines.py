"""Letters that make lines."""

import numpy as np
import pytest

from dptools.maps.letters import TILE, Letters, find_letters
from dptools.maps.lines import find_lines


def letters(places: list[tuple[float, float]], size: float = 30) -> Letters:
    x, y = np.array(places, float).reshape(-1, 2).T
    return Letters(x, y, np.full(len(x), size), np.full(len(x), size))


def longest(found: Letters) -> list[int]:
    line = max(find_lines(found), key=len)
    return list(line if line[0] < line[-1] else line[::-1])


@pytest.mark.parametrize("angle", [0, 30, 90, 135, -75])
def test_a_word_is_a_line_at_any_angle(angle: float) -> None:
    step = np.array([np.cos(np.radians(angle)), np.sin(np.radians(angle))]) * 32
    assert longest(letters([tuple(200 + place * step) for place in range(6)])) == list(range(6))


def test_a_line_may_bend() -> None:
    turns = np.radians(np.arange(9) * 12)
    assert longest(letters([(300 * np.cos(t), 300 * np.sin(t)) for t in turns], size=60)) == list(range(9))


def test_spaced_capitals_are_a_line_if_there_are_three() -> None:
    assert longest(letters([(place * 90, 0) for place in range(5)])) == list(range(5))
    assert find_lines(letters([(place * 90, 0) for place in range(2)])) == []


def test_a_word_goes_on_behind_a_letter_that_was_not_found() -> None:
    places = [(place * 30, 0.0) for place in range(7) if place != 3]
    assert longest(letters(places)) == list(range(6))


def test_words_of_other_sizes_and_far_ones_are_not_joined() -> None:
    apart = letters([(0, 0), (30, 0), (0, 200), (30, 200)])
    assert sorted(map(sorted, find_lines(apart))) == [[0, 1], [2, 3]]


@pytest.mark.parametrize("places", [[], [(5.0, 5.0)], [(5.0, 5.0), (5.0, 5.0)], [(0.0, 0.0), (500.0, 0.0)]])
def test_few_letters_are_no_line(places: list[tuple[float, float]]) -> None:
    assert find_lines(letters(places)) == []


def test_a_letter_on_the_border_of_tiles_is_found_once() -> None:
    grey = np.full((TILE + 300, TILE + 300), 230, np.uint8)
    for row, column in ((TILE - 15, TILE - 15), (TILE - 30, 500), (800, TILE), (100, 100)):
        grey[row : row + 30, column : column + 8] = 20
        grey[row : row + 8, column : column + 24] = 20
    found, ink = find_letters(grey, 0.2)
    assert len(found) == 4
    assert ink.shape == grey.shape
    assert np.array_equal(found.pieces(ink), ink)
    assert np.array_equal(ink, grey < 100)
