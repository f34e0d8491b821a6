"""Tests of the detection of letters and text lines."""

import numpy as np
import pytest

from dptools.maps.letters import TILE, Letters, find_letters
from dptools.maps.lines import find_lines


def letters(centres: list[tuple[float, float]], size: float = 30) -> Letters:
    x, y = np.array(centres, float).reshape(-1, 2).T
    return Letters(x, y, np.full(len(x), size), np.full(len(x), size))


def longest_line(letters: Letters) -> list[int]:
    line = max(find_lines(letters), key=len)
    return list(line if line[0] < line[-1] else line[::-1])


@pytest.mark.parametrize("angle", [0, 30, 90, 135, -75])
def test_a_word_is_a_line_at_any_angle(angle: float) -> None:
    step = np.array([np.cos(np.radians(angle)), np.sin(np.radians(angle))]) * 32
    assert longest_line(letters([tuple(200 + index * step) for index in range(6)])) == list(range(6))


def test_a_curved_word_is_one_line() -> None:
    angles = np.radians(np.arange(9) * 12)
    assert longest_line(letters([(300 * np.cos(t), 300 * np.sin(t)) for t in angles], size=60)) == list(range(9))


def test_widely_spaced_capitals_are_a_line_from_three_letters() -> None:
    assert longest_line(letters([(index * 90, 0) for index in range(5)])) == list(range(5))
    assert find_lines(letters([(index * 90, 0) for index in range(2)])) == []


def test_a_line_continues_across_an_undetected_letter() -> None:
    centres = [(index * 30, 0.0) for index in range(7) if index != 3]
    assert longest_line(letters(centres)) == list(range(6))


def test_distant_words_are_not_joined() -> None:
    distant = letters([(0, 0), (30, 0), (0, 200), (30, 200)])
    assert sorted(map(sorted, find_lines(distant))) == [[0, 1], [2, 3]]


@pytest.mark.parametrize("centres", [[], [(5.0, 5.0)], [(5.0, 5.0), (5.0, 5.0)], [(0.0, 0.0), (500.0, 0.0)]])
def test_isolated_letters_are_not_a_line(centres: list[tuple[float, float]]) -> None:
    assert find_lines(letters(centres)) == []


def test_a_letter_on_a_tile_border_is_found_once() -> None:
    grey = np.full((TILE + 300, TILE + 300), 230, np.uint8)
    for row, column in ((TILE - 15, TILE - 15), (TILE - 30, 500), (800, TILE), (100, 100)):
        grey[row : row + 30, column : column + 8] = 20
        grey[row : row + 8, column : column + 24] = 20
    candidates, foreground = find_letters(grey, 0.2)
    assert len(candidates) == 4
    assert foreground.shape == grey.shape
    assert np.array_equal(candidates.mask(foreground), foreground)
    assert np.array_equal(foreground, grey < 100)
