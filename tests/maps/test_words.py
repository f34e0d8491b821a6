"""From characters in a strip to words on the map."""

import numpy as np
import pytest

from dptools.maps.letters import Letters
from dptools.maps.merging import key, merge
from dptools.maps.strips import Course, courses, straighten
from dptools.maps.words import Character, Word, boxed, split, words


def course(places: list[tuple[float, float]], size: float = 20) -> list[Course]:
    x, y = np.array(places, float).T
    sizes = np.full(len(x), size)
    return list(courses(Letters(x, y, sizes, sizes), tuple(range(len(x)))))


def characters(text: str, first: float, pitch: float) -> list[Character]:
    return [Character(char, 0.9, first + place * pitch) for place, char in enumerate(text)]


def test_a_line_is_read_from_left_to_right_and_a_steep_one_both_ways() -> None:
    assert [way.angle for way in course([(0, 0), (30, 0), (60, 0)])] == pytest.approx([0])
    assert [way.angle for way in course([(60, 0), (30, 0), (0, 0)])] == pytest.approx([0])
    assert sorted(way.angle for way in course([(0, 0), (0, 30)])) == pytest.approx([-np.pi / 2, np.pi / 2])


def test_a_straightened_strip_leads_back_to_the_map() -> None:
    grey = np.add.outer(np.arange(200) * 0, np.arange(200)).astype(np.uint8)
    (way,) = course([(50, 60), (80, 60), (110, 60)])
    strip = straighten(grey, grey < 0, way, half=1, ends=1, rows=40)
    assert strip.grey.shape == strip.ink.shape == strip.x.shape == strip.y.shape
    assert strip.grey.shape[0] == 40
    assert np.allclose(strip.grey, strip.x, atol=1)
    assert strip.at(20, 0) == pytest.approx((30, 60), abs=1)


def test_a_rotated_line_is_straight_in_its_strip() -> None:
    rows, columns = np.mgrid[:300, :300]
    line = abs((rows - 150) + (columns - 150)) < 4  # rises to the right at 45 degrees
    grey = np.where(line, 0, 255).astype(np.uint8)
    (way,) = course([(100, 200), (150, 150), (200, 100)])
    strip = straighten(grey, line, way, half=1, ends=0, rows=40)
    assert strip.grey[18:22].mean() < 60
    assert strip.grey[[2, -3]].mean() > 200
    assert strip.ink[20].all()


def test_what_lies_between_spaced_letters_is_closed_up() -> None:
    grey = np.full((60, 700), 255, np.uint8)
    (way,) = course([(100 * place + 50, 30) for place in range(6)])
    assert straighten(grey, grey < 0, way, 1, 1, 40).grey.shape[1] < 250


def test_words_are_split_at_spaces_and_at_wide_gaps_of_the_ink() -> None:
    ink = np.zeros((48, 400), bool)
    for start in (10, 30, 50, 120, 140, 160):
        ink[10:38, start : start + 16] = True
    read = [
        Character(char, 0.9, column + 8.0) for char, column in zip("FtEllis", (10, 30, 50, 120, 140, 160), strict=False)
    ]
    assert ["".join(char.text for char in part) for part in split(ink, read)] == ["FtE", "lli"]
    spaced = [Character("a", 1, 18), Character("b", 1, 38, opens=True), Character("c", 1, 58)]
    assert [len(part) for part in split(ink, spaced)] == [1, 2]
    assert split(ink, []) == []


def test_a_words_outline_follows_its_ink_and_tells_its_angle() -> None:
    grey = np.full((200, 300), 255, np.uint8)
    for start in (100, 124, 148):
        grey[90:110, start : start + 16] = 0
    (way,) = course([(108, 100), (132, 100), (156, 100)])
    strip = straighten(grey, grey < 128, way, half=1, ends=2, rows=48)
    columns = [int(np.abs(strip.x[24] - x).argmin()) for x in (108, 132, 156)]
    (word,) = words(strip, [Character(char, 0.9, column) for char, column in zip("abc", columns, strict=True)])
    x, y = np.array(word.polygon).T
    assert (x.min(), x.max()) == pytest.approx((100, 164), abs=2)
    assert (y.min(), y.max()) == pytest.approx((90, 110), abs=2)
    assert word.angle == pytest.approx(0, abs=2)
    assert (word.text, word.confidence) == ("abc", pytest.approx(0.9))
    assert word.certainty == pytest.approx(0.9**3)


def reading(text: str, left: float, certainty: float = 0.9, top: float = 0) -> Word:
    return Word(text, certainty, boxed(left, top, 12 * len(text), 20), 0, certainty)


def test_of_readings_in_one_place_the_heaviest_is_kept() -> None:
    kept = merge([reading("Dixo", 0, 0.99), *[reading("Dixon", 0, 0.8)] * 3, reading("Rolla", 200)], looks=4)
    assert [word.text for word in kept] == ["Dixon", "Rolla"]


def test_readings_that_agree_vote_for_each_other() -> None:
    once = [reading("Steeper", 0, 0.9), reading("Sleeper", 0, 0.6)]
    assert [word.text for word in merge(once, 2)] == ["Steeper"]
    assert [word.text for word in merge([*once, reading("sleeper.", 2, 0.6)], 2)] == ["Sleeper"]


def test_marks_that_were_seen_once_are_no_words() -> None:
    assert merge([reading("1", 0, 0.99), reading("--", 100, 0.99), reading("...", 200)], looks=10) == []


def test_words_come_by_lines_from_the_top() -> None:
    found = [reading("low", 0, top=300), reading("right", 300, top=4), reading("left", 0)]
    assert [word.text for word in merge(found, 1)] == ["left", "right", "low"]


@pytest.mark.parametrize(
    ("text", "compared"), [("St.", "st"), ("(Ft.Benton)", "ft.benton"), ("–", ""), ("D'Oro", "d'oro")]
)
def test_texts_are_compared_without_case_and_outer_punctuation(text: str, compared: str) -> None:
    assert key(text) == compared
