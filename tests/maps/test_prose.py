"""A page of running text is told from a map."""

from dptools.maps.prose import is_prose
from dptools.maps.words import Word


def word(left: float, top: float, width: float = 60, angle: float = 0.0) -> Word:
    right, bottom = left + width, top + 20
    return Word("word", 1.0, ((left, top), (right, top), (right, bottom), (left, bottom)), angle)


def test_rows_of_many_words_are_prose() -> None:
    assert is_prose([word(70 * column, 30 * row) for row in range(8) for column in range(6)])


def test_scattered_names_are_no_prose() -> None:
    pairs = [word(200 * column + 70 * part, 90 * row) for row in range(8) for column in range(4) for part in range(2)]
    assert not is_prose(pairs)


def test_rows_that_are_turned_are_no_prose() -> None:
    assert not is_prose([word(70 * column, 30 * row, angle=40) for row in range(8) for column in range(6)])


def test_a_few_words_are_no_prose() -> None:
    assert not is_prose([word(70 * column, 0) for column in range(9)])
