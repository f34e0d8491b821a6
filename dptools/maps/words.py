"""Words: the characters of a rectified line, split into words and placed on the map."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from dptools.maps.images import Mask
from dptools.maps.outlines import word_outline
from dptools.maps.textline import Point, RectifiedLine

MIN_GAP, MIN_ONLY_GAP, MIN_RELATIVE_GAP = 0.16, 0.3, 2.2
"""A gap separates words if it is wider than 0.16 line heights and 2.2 times the line's median gap. If a line has
only one gap, it must be wider than 0.3 line heights."""


@dataclass(frozen=True)
class Character:
    """One character of a rectified line.

    Attributes:
        text: The character.
        confidence: The reader's confidence, in [0, 1].
        column: Column of the character's middle in the rectified line.
        starts_word: Whether the reader recognised a space before it.
    """

    text: str
    confidence: float
    column: float
    starts_word: bool = False


@dataclass(frozen=True)
class Word:
    """A word on a map.

    Attributes:
        text: The word.
        confidence: Mean confidence of the characters, in [0, 1].
        polygon: Outline as columns and rows in pixels, clockwise in the direction of reading, from the top left of
            the first letter. The first half of the points is the upper side.
        angle: Direction of reading in degrees, anticlockwise from the horizontal, in (-180, 180].
        joint_confidence: Product of the characters' confidences, in [0, 1].
    """

    text: str
    confidence: float
    polygon: tuple[Point, ...]
    angle: float
    joint_confidence: float = 1.0

    def scaled(self, factor: float) -> "Word":
        """Return the word with its outline multiplied by a factor, as on an enlarged map."""
        return replace(self, polygon=tuple((x * factor, y * factor) for x, y in self.polygon))


def extract_words(line: RectifiedLine, characters: Sequence[Character]) -> Iterator[Word]:
    """Yield the words of a rectified line, with their outlines on the map.

    Args:
        line: The rectified line.
        characters: Its characters, from left to right.
    """
    pitch = _pitch(characters, line.foreground.shape[0])
    for word in split_words(line.foreground, characters):
        start, end = round(word[0].column - pitch / 2), round(word[-1].column + pitch / 2)
        polygon = word_outline(line, start, end)
        confidences = [char.confidence for char in word]
        text = "".join(char.text for char in word)
        yield Word(text, float(np.mean(confidences)), polygon, _angle(polygon), math.prod(confidences))


def split_words(foreground: Mask, characters: Sequence[Character]) -> list[Sequence[Character]]:
    """Return the characters grouped by word. A word starts after a space or after a wide gap in the foreground.

    Args:
        foreground: The foreground of the rectified line, H x W.
        characters: The characters of the line, from left to right.
    """
    if not characters:
        return []
    height = foreground.shape[0]
    filled = foreground[height // 5 : height * 4 // 5].max(0)
    gaps = [_longest_gap(filled[int(one.column) : int(other.column) + 1]) for one, other in pairwise(characters)]
    min_gap = _min_gap(gaps, height)
    starts = [index for index, gap in enumerate(gaps, 1) if gap > min_gap or characters[index].starts_word]
    return [characters[start:end] for start, end in pairwise([0, *starts, len(characters)])]


def _min_gap(gaps: Sequence[int], height: int) -> float:
    """Return the width in columns above which a gap separates two words."""
    if len(gaps) < 2:
        return MIN_ONLY_GAP * height
    typical = min(gaps) if len(gaps) == 2 else float(np.median(gaps))
    return max(MIN_RELATIVE_GAP * typical, MIN_GAP * height)


def _longest_gap(filled: Mask) -> int:
    """Return the length of the longest run of false values."""
    edges = np.flatnonzero(np.diff(np.concatenate([[True], filled, [True]]).astype(np.int8)))
    return int((edges[1::2] - edges[::2]).max(initial=0))


def _pitch(characters: Sequence[Character], height: int) -> float:
    """Return the median distance between consecutive characters, in columns."""
    columns = [char.column for char in characters]
    return float(np.median(np.diff(columns))) if len(columns) > 1 else height / 2


def _angle(polygon: tuple[Point, ...]) -> float:
    """Return the angle of the upper side, in degrees, anticlockwise. Rows grow downwards."""
    (x0, y0), (x1, y1) = polygon[0], polygon[len(polygon) // 2 - 1]
    return math.degrees(math.atan2(y0 - y1, x1 - x0))
