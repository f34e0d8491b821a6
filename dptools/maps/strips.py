"""Strips: lines of text straightened, and the way back from a strip to the map."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from dptools.maps.letters import Letters
from dptools.maps.lines import Line

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Grey = NDArray[np.uint8]
    Mask = NDArray[np.bool_]

Point = tuple[float, float]
"""Column and row on the map, in pixels."""


@dataclass(frozen=True)
class Strip:
    """A straightened line.

    Attributes:
        grey: H x W uint8, as on the map.
        ink: H x W, without lines.
        x, y: H x W, where on the map each pixel is.
    """

    grey: "Grey"
    ink: "Mask"
    x: "Floats"
    y: "Floats"

    @property
    def clean(self) -> "Grey":
        """The grey where there is ink, white elsewhere."""
        from scipy.ndimage import binary_dilation

        cleaned: Grey = np.where(binary_dilation(self.ink, np.ones((3, 3))), self.grey, 255).astype(np.uint8)
        return cleaned

    def at(self, row: int, column: int) -> Point:
        """Where a pixel is on the map."""
        return float(self.x[row, column]), float(self.y[row, column])


@dataclass(frozen=True)
class Course:
    """How a line runs: a polynomial in coordinates that are turned by its angle.

    Attributes:
        letters: along the line, ascending, in pixels.
        height: of a letter, in pixels.
    """

    angle: float
    middle: "Floats"
    letters: "Floats"
    curve: "np.poly1d"
    height: float

    def points(self, along: "Floats", across: "Floats") -> "tuple[Floats, Floats]":
        """Columns and rows on the map, each A x B, of A places across the line and B along it."""
        inside = along.clip(self.letters[0], self.letters[-1])
        slope = self.curve.deriv()(inside)
        base, norm = self.curve(inside) + slope * (along - inside), np.hypot(1, slope)
        u, v = along - across[:, None] * slope / norm, base + across[:, None] / norm
        cos, sin = math.cos(self.angle), math.sin(self.angle)
        return self.middle[0] + u * cos - v * sin, self.middle[1] + u * sin + v * cos


def courses(letters: Letters, line: Line) -> Iterator[Course]:
    """The ways to read a line: from left to right, and both ways where it is steep."""
    places = letters.centres[list(line)]
    (x, y) = places[-1] - places[0]
    angle = math.degrees(math.atan2(y, x))
    if abs(angle) < 105:
        yield _course(letters, line)
    if abs(angle) > 75:
        yield _course(letters, line[::-1])


def straighten(grey: "Grey", ink: "Mask", course: Course, half: float, ends: float, rows: int) -> Strip:
    """Cut a line out.

    Args:
        half: from the line's middle to the strip's border, in letters' heights.
        ends: how far the strip goes on at both ends, in letters' heights.
        rows: the strip's height in pixels.
    """
    from scipy.ndimage import map_coordinates

    reach, beyond = half * course.height, ends * course.height
    step = 2 * reach / rows
    along = np.arange(course.letters[0] - beyond, course.letters[-1] + beyond, step)
    x, y = course.points(_closed_up(along, course), np.arange(-reach, reach, step)[:rows])
    strip = map_coordinates(grey, [y, x], order=1, mode="constant", cval=255, output=np.uint8)
    dark = map_coordinates(ink, [y, x], order=0, mode="constant", cval=0, output=np.bool_)
    return Strip(strip, dark, x, y)


def _closed_up(along: "Floats", course: Course) -> "Floats":
    """Without what lies between the letters, where they are spaced."""
    letters = course.letters
    if len(letters) < 2 or np.median(np.diff(letters)) <= 1.3 * course.height:
        return along
    after = np.searchsorted(letters, along).clip(1, len(letters) - 1)
    near = np.minimum(abs(along - letters[after - 1]), abs(letters[after] - along)) < 0.62 * course.height
    kept: Floats = along[near | (along < letters[0]) | (along > letters[-1])]
    return kept


def _course(letters: Letters, line: Line) -> Course:
    places, chosen = letters.centres[list(line)], list(line)
    x, y = places[-1] - places[0]
    angle = math.atan2(y, x)
    cos, sin, middle = math.cos(angle), math.sin(angle), places.mean(0)
    away = places - middle
    along, across = away @ (cos, sin), away @ (-sin, cos)
    degree = sum(len(line) >= least for least in (3, 5, 9))
    curve = np.poly1d(np.polyfit(along, across, degree))
    height = _height(letters.width[chosen], letters.height[chosen], angle)
    return Course(angle, middle, np.sort(along), curve, height)


def _height(widths: "Floats", heights: "Floats", angle: float) -> float:
    """Of letters across their line: that of their boxes if it is nearly upright, else a guess from both sides."""
    cos, sin = abs(math.cos(angle)), abs(math.sin(angle))
    if min(cos, sin) < 0.35:
        across = sin * widths + cos * heights
    else:
        across = np.maximum(np.minimum(widths, heights), 0.8 * np.maximum(widths, heights))
    return float(np.percentile(across, 60))
