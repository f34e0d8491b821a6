"""Geometry of text lines: the curve along a line, and the rectified image of the line."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from dptools.maps.images import Floats, Grey, Mask
from dptools.maps.letters import Letters
from dptools.maps.lines import Line
from dptools.maps.regions import Region, principal_axis

Point = tuple[float, float]
"""Column and row on the map, in pixels."""

LETTER_HEIGHT = 0.75
"""Height of a letter, relative to the height of the text that the detector reports."""

MIN_ELONGATED_VARIANCE = 2.2
"""Ratio of the variances along and across a region below which its text is assumed to be upright."""

WIDE_GAP, CONDENSED_GAP = 0.35, 0.2
"""If the median gap between letters is wider than WIDE_GAP line heights, all gaps are reduced in proportion, so that
the median becomes CONDENSED_GAP line heights."""


@dataclass(frozen=True)
class RectifiedLine:
    """A text line resampled so that it runs horizontally, from left to right.

    Attributes:
        grey: The greyscale image, H x W.
        foreground: The foreground without lines, H x W.
        x: For each pixel its column on the map, H x W.
        y: For each pixel its row on the map, H x W.
        letter: Height of a letter, in rows.
    """

    grey: Grey
    foreground: Mask
    x: Floats
    y: Floats
    letter: float

    @property
    def clean(self) -> Grey:
        """The greyscale image in and next to the foreground, white elsewhere, H x W."""
        from scipy.ndimage import binary_dilation

        near = binary_dilation(self.foreground, np.ones((3, 3)))
        cleaned: Grey = np.where(near, self.grey, 255).astype(np.uint8)
        return cleaned

    def condensed(self) -> "RectifiedLine":
        """Return the line with narrower gaps between its letters; unchanged if the letters are not widely spaced."""
        height, width = self.grey.shape
        filled = self.foreground[height // 4 : height * 3 // 4].max(0)
        edges = np.flatnonzero(np.diff(np.concatenate([[False], filled, [False]]).astype(np.int8)))
        starts, ends = edges[2::2], edges[1:-1:2]
        gaps = starts - ends
        if len(gaps) < 2 or np.median(gaps) <= WIDE_GAP * height:
            return self
        keep = np.ones(width, bool)
        for end, removed in zip(ends, (gaps * (1 - CONDENSED_GAP * height / np.median(gaps))).astype(int), strict=True):
            keep[end + 1 : end + 1 + removed] = False
        parts = (self.grey[:, keep], self.foreground[:, keep], self.x[:, keep], self.y[:, keep])
        return RectifiedLine(*parts, self.letter)

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
        spread: Whether the letters are spread over the map, so that other words can be between them.
    """

    angle: float
    origin: Floats
    letters: Floats
    curve: np.poly1d
    height: float
    spread: bool = False

    @property
    def ends(self) -> Floats:
        """Positions of the first and the last letter on the map, 2 x 2: columns and rows."""
        columns, rows = self.grid(self.letters[[0, -1]], np.zeros(1))
        return np.stack([columns[0], rows[0]], 1)

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


def region_lines(regions: Sequence[Region], spread: bool = False) -> Iterator[TextLine]:
    """Yield the line through some regions from left to right, or in both directions if it is nearly vertical.

    Args:
        regions: The regions of one line.
        spread: Whether each region is one letter of a word that is spread over the map.
    """
    points = np.concatenate([region.points for region in regions])
    lengths = [region.length for region in regions]
    height = float(np.average([region.height for region in regions], weights=lengths))
    margin = float(np.average([region.margin for region in regions], weights=lengths))
    axis, elongation = principal_axis(points)
    axis = axis if elongation > MIN_ELONGATED_VARIANCE else np.array([1.0, 0.0])
    axis = axis if axis[0] >= 0 else -axis
    centres = np.array([region.centre for region in regions])
    for direction in (axis, -axis) if abs(axis[1]) > math.sin(math.radians(75)) else (axis,):
        yield _fit_points(points, direction, height, margin, centres if spread else None)


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
    return RectifiedLine(image, mask, x, y, line.height / step)


def _without_gaps(along: Floats, line: TextLine) -> Floats:
    """Return the positions without those in the gaps between widely spaced letters."""
    letters = line.letters
    if len(letters) < 2 or np.median(np.diff(letters)) <= 1.3 * line.height:
        return along
    after = np.searchsorted(letters, along).clip(1, len(letters) - 1)
    near = np.minimum(abs(along - letters[after - 1]), abs(letters[after] - along)) < 0.62 * line.height
    positions: Floats = along[near | (along < letters[0]) | (along > letters[-1])]
    return positions


def _fit_points(points: Floats, direction: Floats, height: float, margin: float, letters: Floats | None) -> TextLine:
    """Return the line through points in a direction.

    Args:
        points: Columns and rows of the pixels in the middle of the text, N x 2.
        direction: The direction of reading, as a unit vector.
        height: Height of the text in pixels.
        margin: Distance from the points to the border of the text, in pixels.
        letters: Centres of the letters. By default, places of letters are set at even distances.
    """
    origin = points.mean(0)
    across_axis = np.array([-direction[1], direction[0]])
    along, across = (points - origin) @ direction, (points - origin) @ across_axis
    steps = np.floor((along - along.min()) / 2).astype(int)
    counts = np.bincount(steps)
    middle_u, middle_v = (np.bincount(steps, values)[counts > 0] / counts[counts > 0] for values in (along, across))
    degree = min(sum(np.ptp(along) >= length * height for length in (2, 3, 6)), len(middle_u) - 1)
    curve = np.poly1d(np.polyfit(middle_u, middle_v, degree))
    letter = LETTER_HEIGHT * height
    first, last = along.min() - margin + letter / 2, along.max() + margin - letter / 2
    first, last = min(first, last), max(first, last, min(first, last) + 1)
    places = np.linspace(first, last, max(2, int((last - first) / (0.8 * letter)) + 2))
    if letters is not None:
        places = np.sort((letters - origin) @ direction)
    return TextLine(math.atan2(direction[1], direction[0]), origin, places, curve, letter, letters is not None)


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
