"""Text regions: connected components of the text detector's output, each a text line or a part of one."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from dptools.maps.detector import Probability
from dptools.maps.images import Floats

THRESHOLD, MIN_MEAN = 0.3, 0.5
"""A pixel belongs to a region from this probability on. The mean probability of a region is at least MIN_MEAN. Both
are the defaults of PaddleOCR."""

MIN_PIXELS = 12
"""Smallest region, in pixels of the probability image."""

UNCLIP = 1.6
"""The network reports text lines shrunk by a distance. They are widened by UNCLIP * area / perimeter, the rule of
PaddleOCR; see Liao et al., "Real-time scene text detection with differentiable binarization" (2020)."""

MIN_ELONGATION = 1.6
"""Ratio of length to height below which a region has no direction of its own."""


@dataclass(frozen=True)
class Region:
    """A detected piece of text.

    Attributes:
        points: Columns and rows of its pixels on the enlarged map, N x 2. They cover the middle of the text.
        length: Extent of the points along the text, in pixels.
        margin: Distance from the points to the border of the text, in pixels.
        height: Height of the text, in pixels.
        ends: The centres of the first and the last letter, 2 x 2.
        outward: Directions of the text at its ends, away from the region, as unit vectors, 2 x 2. None if the region
            is about as long as high, for instance a single letter.
    """

    points: Floats
    length: float
    margin: float
    height: float
    ends: Floats
    outward: Floats | None

    @property
    def centre(self) -> Floats:
        """Column and row of the mean of the points."""
        mean: Floats = self.points.mean(0)
        return mean


def find_regions(probability: Probability, scale: float) -> list[Region]:
    """Return the text regions.

    Args:
        probability: Output of the text detector, H x W.
        scale: Size of the map on which the regions are placed, relative to the probability image.
    """
    from scipy import ndimage

    components, _ = ndimage.label(probability > THRESHOLD, np.ones((3, 3)))
    regions = []
    for number, (rows, columns) in enumerate(ndimage.find_objects(components), 1):
        y, x = np.nonzero(components[rows, columns] == number)
        if len(x) >= MIN_PIXELS and probability[rows, columns][y, x].mean() >= MIN_MEAN:
            points = np.stack([x + columns.start + 0.5, y + rows.start + 0.5], 1) * scale
            regions.append(_measure(points, area=len(x) * scale**2, pixel=scale))
    return regions


def principal_axis(points: Floats) -> tuple[Floats, float]:
    """Return the direction of the largest extent as a unit vector, and the ratio of the two variances."""
    values, vectors = np.linalg.eigh(np.cov((points - points.mean(0)).T) + 1e-6 * np.eye(2))
    axis: Floats = vectors[:, 1]
    return axis, float(values[1] / values[0])


def _measure(points: Floats, area: float, pixel: float) -> Region:
    axis, _ = principal_axis(points)
    along = (points - points.mean(0)) @ axis
    length = float(np.ptp(along)) + pixel
    thickness = area / length
    margin = UNCLIP * area / (2 * (length + thickness))
    height = thickness + 2 * margin
    if length + 2 * margin < MIN_ELONGATION * height:
        return Region(points, length, margin, height, np.stack([points.mean(0)] * 2), None)
    ends = list(_ends(points, along, axis, thickness))
    reach = 1.5 * thickness + margin - height / 2  # From the middle of an end to the centre of its outer letter.
    positions = np.array([middle + reach * direction for middle, direction in ends])
    return Region(points, length, margin, height, positions, np.array([direction for _, direction in ends]))


def _ends(points: Floats, along: Floats, axis: Floats, thickness: float) -> Iterator[tuple[Floats, Floats]]:
    """Yield for both ends the middle of the last part, three times as long as thick, and the outward direction."""
    first, last = along <= along.min() + 3 * thickness, along >= along.max() - 3 * thickness
    for part, sign in ((first, -1), (last, 1)):
        direction, ratio = principal_axis(points[part]) if part.sum() > 2 else (axis, 1.0)
        direction = direction if ratio > 2 else axis
        yield points[part].mean(0), direction * sign * np.sign(direction @ axis or 1)
