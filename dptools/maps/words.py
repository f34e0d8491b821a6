"""Words: what is read in strips, put in its place on the map."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from dptools.maps.strips import Point, Strip

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Mask = NDArray[np.bool_]

GAP, LONE_GAP, WIDER = 0.16, 0.3, 2.2
"""Between words, in strip heights, at least, also where it is the only one; and in gaps of the line."""


@dataclass(frozen=True)
class Character:
    """One character of a strip.

    Attributes:
        confidence: in [0, 1].
        column: of the strip, where its middle is.
        opens: a space stands before it.
    """

    text: str
    confidence: float
    column: float
    opens: bool = False


@dataclass(frozen=True)
class Word:
    """A word on a map.

    Attributes:
        confidence: of its characters, the mean, in [0, 1].
        polygon: its outline, clockwise for one who reads it, from its first letter's top; columns and rows in pixels.
        angle: of its line, in degrees from the horizontal, anticlockwise, in (-180, 180].
        certainty: the product of its characters' confidences.
    """

    text: str
    confidence: float
    polygon: tuple[Point, ...]
    angle: float
    certainty: float = 1.0

    def scaled(self, factor: float) -> "Word":
        """The word on the map enlarged by a factor."""
        return replace(self, polygon=tuple((x * factor, y * factor) for x, y in self.polygon))


def words(strip: Strip, characters: Sequence[Character]) -> Iterator[Word]:
    """The words of a strip."""
    for part in split(strip.ink, characters):
        pitch = _pitch(characters, strip.ink.shape[0])
        start, end = (round(part[0].column - pitch / 2), round(part[-1].column + pitch / 2))
        outline = _outline(strip, *_drawn_to_ink(strip.ink, start, end))
        confidences = [char.confidence for char in part]
        text = "".join(char.text for char in part)
        yield Word(text, float(np.mean(confidences)), outline, _angle(outline), math.prod(confidences))


def split(ink: "Mask", characters: Sequence[Character]) -> list[Sequence[Character]]:
    """Characters by words: a new one starts after a space, and after a gap in the ink that is wide for the line."""
    if not characters:
        return []
    height = ink.shape[0]
    dark = ink[height // 5 : height * 4 // 5].max(0)
    gaps = [_gap(dark[int(one.column) : int(other.column) + 1]) for one, other in pairwise(characters)]
    wide = _wide(gaps, height)
    cuts = [at for at, gap in enumerate(gaps, 1) if gap > wide or characters[at].opens]
    return [characters[start:end] for start, end in pairwise([0, *cuts, len(characters)])]


def boxed(left: float, top: float, width: float, height: float) -> tuple[Point, ...]:
    """The outline of a box."""
    return (left, top), (left + width, top), (left + width, top + height), (left, top + height)


def _wide(gaps: Sequence[int], height: int) -> float:
    """The columns from which a gap parts words."""
    if len(gaps) < 2:
        return LONE_GAP * height
    usual = min(gaps) if len(gaps) == 2 else float(np.median(gaps))
    return max(WIDER * usual, GAP * height)


def _gap(dark: "NDArray[np.bool_]") -> int:
    """Columns of the longest run without ink."""
    edges = np.flatnonzero(np.diff(np.concatenate([[True], dark, [True]]).astype(np.int8)))
    return int((edges[1::2] - edges[::2]).max(initial=0))


def _pitch(characters: Sequence[Character], height: int) -> float:
    """From one character to the next, in columns."""
    columns = [char.column for char in characters]
    return float(np.median(np.diff(columns))) if len(columns) > 1 else height / 2


def _drawn_to_ink(ink: "Mask", start: int, end: int) -> tuple[int, int, int, int]:
    """First and last row and column of the ink about there, columns inclusive."""
    height, width = ink.shape
    start, end = max(0, min(start, width - 2)), max(1, min(end, width - 1))
    top, bottom = _run(ink[:, start : end + 1].max(1))
    dark = ink[top : bottom + 1].max(0)
    left, right = _edge(dark, start, height, 1), _edge(dark, end, height, -1)
    if right - left < 0.3 * (end - start):
        left, right = start, max(end, start + 1)
    return (*_run(ink[:, left : right + 1].max(1)), left, right)


def _edge(dark: "NDArray[np.bool_]", at: int, height: int, inwards: int) -> int:
    """The first column with ink, inwards from the gap next to a column."""
    slack = round(0.175 * height)
    gaps = [at + off * sign for off in range(slack + 1) for sign in (-1, 1) if 0 <= at + off * sign < len(dark)]
    column = next((gap for gap in gaps if not dark[gap]), at)
    while 0 < column < len(dark) - 1 and not dark[column] and abs(column - at) < height:
        column += inwards
    return column


def _run(dark: "NDArray[np.bool_]") -> tuple[int, int]:
    """First and last row of the ink around the middle, across small gaps, such as below the dot of an i."""
    height = len(dark)
    rows = np.flatnonzero(dark)
    if len(rows):
        runs = np.split(rows, np.flatnonzero(np.diff(rows) > height // 9 + 1) + 1)
        run = min(runs, key=lambda run: abs(run - height // 2).min())
        if run[-1] - run[0] > height // 6:
            return int(run[0]), int(run[-1])
    return height // 4, height * 3 // 4


def _outline(strip: Strip, top: int, bottom: int, left: int, right: int) -> tuple[Point, ...]:
    """Along the word's top and back along its bottom."""
    columns = np.linspace(left, right, max(2, min(8, (right - left) // 20))).astype(int)
    return (*(strip.at(top, column) for column in columns), *(strip.at(bottom, column) for column in columns[::-1]))


def _angle(outline: tuple[Point, ...]) -> float:
    """From the first corner to the last of the upper side; rows grow downwards."""
    (x0, y0), (x1, y1) = outline[0], outline[len(outline) // 2 - 1]
    return math.degrees(math.atan2(y0 - y1, x1 - x0))
