"""Geometry of text lines: the curve along a line, and the rectified image of the line."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from dptools.maps.images import Floats, Grey, Mask
from dptools.maps.letters import Letters
from dptools.maps.lines import Line

Point = tuple[float, float]
"""Column and row on the map, in pixels."""


@dataclass(frozen=True)
class RectifiedLine:
    """A text line resampled so that it runs horizontally, from left to right.

    Attributes:
        grey: The greyscale image, H x W.
        foreground: The foreground without lines, H x W.
        x: For each pixel its column on the map, H x W.
        y: For each pixel its row on the map, H x W.
    """

    grey: Grey
    foreground: Mask
    x: Floats
    y: Floats

    @property
    def clean(self) -> Grey:
        """The greyscale image in and next to the foreground, white elsewhere, H x W."""
        from scipy.ndimage import binary_dilation

        near = binary_dilation(self.foreground, np.ones((3, 3)))
        cleaned: Grey = np.where(near, self.grey, 255).astype(np.uint8)
        return cleaned

    def map_point(self, row: int, column: int) -> Point:
        """Return the position of a pixel on the map."""
        return float(self.x[row, column]), float(self.y[row, column])


@dataclass(frozen=True)
class TextLine:
    """The curve through the centres of a line's letters, in the direction of reading.

    The coordinates (u, v) are those of the map, shifted so that ``origin`` is (0, 0), and rotated by ``angle``.

    Attributes:
        angle: Direction from the first letter to the last, in radians, clockwise on the image.
        origin: Mean of the letters' centres: column and row.
        letters: The letters' coordinates u, ascending, in pixels.
        curve: v as a polynomial in u.
        height: Height of a letter, in pixels.
    """

    angle: float
    origin: Floats
    letters: Floats
    curve: np.poly1d
    height: float

    def grid(self, along: Floats, across: Floats) -> tuple[Floats, Floats]:
        """Return columns and rows on the map, each A x B, of a grid that follows the curve.

        Beyond the outer letters the curve goes on as a straight line.

        Args:
            along: B positions along the line, in pixels.
            across: A distances from the curve, in pixels, positive below it.
        """
        inside = along.clip(self.letters[0], self.letters[-1])
        slope = self.curve.deriv()(inside)
        base, norm = self.curve(inside) + slope * (along - inside), np.hypot(1, slope)
        u, v = along - across[:, None] * slope / norm, base + across[:, None] / norm
        cos, sin = math.cos(self.angle), math.sin(self.angle)
        return self.origin[0] + u * cos - v * sin, self.origin[1] + u * sin + v * cos


def reading_directions(letters: Letters, line: Line) -> Iterator[TextLine]:
    """Yield a line from left to right, or in both directions if it is within 15 degrees of vertical."""
    x, y = letters.centres[line[-1]] - letters.centres[line[0]]
    angle = math.degrees(math.atan2(y, x))
    if abs(angle) < 105:
        yield _fit(letters, line)
    if abs(angle) > 75:
        yield _fit(letters, line[::-1])


def rectify(
    grey: Grey, foreground: Mask, line: TextLine, *, half_height: float, margin: float, rows: int
) -> RectifiedLine:
    """Return the rectified image of a text line.

    Args:
        grey: The map, H x W.
        foreground: The map's foreground without lines, H x W.
        line: The geometry of the line.
        half_height: Distance from the curve to the upper and lower border, in letter heights.
        margin: Distance from the outer letters' centres to the left and right border, in letter heights.
        rows: Height of the result in pixels.
    """
    from scipy.ndimage import map_coordinates

    reach, beyond = half_height * line.height, margin * line.height
    step = 2 * reach / rows
    along = np.arange(line.letters[0] - beyond, line.letters[-1] + beyond, step)
    x, y = line.grid(_without_gaps(along, line), np.arange(-reach, reach, step)[:rows])
    image = map_coordinates(grey, [y, x], order=1, mode="constant", cval=255, output=np.uint8)
    mask = map_coordinates(foreground, [y, x], order=0, mode="constant", cval=0, output=np.bool_)
    return RectifiedLine(image, mask, x, y)


def _without_gaps(along: Floats, line: TextLine) -> Floats:
    """Return the positions without those in the gaps between widely spaced letters."""
    letters = line.letters
    if len(letters) < 2 or np.median(np.diff(letters)) <= 1.3 * line.height:
        return along
    after = np.searchsorted(letters, along).clip(1, len(letters) - 1)
    near = np.minimum(abs(along - letters[after - 1]), abs(letters[after] - along)) < 0.62 * line.height
    positions: Floats = along[near | (along < letters[0]) | (along > letters[-1])]
    return positions


def _fit(letters: Letters, line: Line) -> TextLine:
    indices = list(line)
    centres = letters.centres[indices]
    x, y = centres[-1] - centres[0]
    angle = math.atan2(y, x)
    cos, sin, origin = math.cos(angle), math.sin(angle), centres.mean(0)
    offsets = centres - origin
    along, across = offsets @ (cos, sin), offsets @ (-sin, cos)
    degree = sum(len(line) >= count for count in (3, 5, 9))
    curve = np.poly1d(np.polyfit(along, across, degree))
    height = _letter_height(letters.width[indices], letters.height[indices], angle)
    return TextLine(angle, origin, np.sort(along), curve, height)


def _letter_height(widths: Floats, heights: Floats, angle: float) -> float:
    """Return the letters' height across their line, estimated from their upright bounding boxes.

    If the line is nearly horizontal or vertical, the box gives the height. On a slanted line the estimate is the
    smaller side of the box, but at least 0.8 times the larger side.
    """
    cos, sin = abs(math.cos(angle)), abs(math.sin(angle))
    if min(cos, sin) < 0.35:
        across = sin * widths + cos * heights
    else:
        across = np.maximum(np.minimum(widths, heights), 0.8 * np.maximum(widths, heights))
    return float(np.percentile(across, 60))
