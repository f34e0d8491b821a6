"""Merge repeated readings of the same words. Readings that agree vote for each other, and the best one is kept."""

import math
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from dptools.maps.words import Word

if TYPE_CHECKING:
    from shapely import Polygon

MIN_WEIGHT = 0.7
"""Readings with a lower weight are dropped; see :func:`merge_readings`."""

MIN_IOU = 0.5
"""Smallest intersection over union of two outlines that match."""

MAX_OVERLAP = 0.3
"""Two words conflict if their common area exceeds this fraction of the smaller outline. Only one of them is kept."""


def merge_readings(readings: Iterable[Word], passes: int) -> list[Word]:
    """Return the words of a map, sorted by row and column, after non-maximum suppression of overlapping readings.

    The weight of a reading is its joint confidence, times its length (at most 8), times its votes, divided by
    ``passes``. The votes are the readings with the same text at the same place.

    Args:
        readings: All readings of the map, in pixels of the same enlarged map.
        passes: Number of times that each line was read. Readings of the whole page count as additional votes.
    """
    from shapely import Polygon, STRtree

    words = [word for word in readings if normalised(word.text)]
    shapes = [Polygon(word.polygon).buffer(0) for word in words]
    weights = [
        votes * word.joint_confidence * min(len(normalised(word.text)), 8) / passes
        for word, votes in zip(words, _votes(words, shapes), strict=True)
    ]
    tree, selected = STRtree(shapes), set[int]()
    for best in sorted(range(len(words)), key=lambda index: (-weights[index], index)):
        if weights[best] < MIN_WEIGHT or not shapes[best].area:
            continue
        if not any(other in selected and _overlap(shapes[best], shapes[other]) for other in tree.query(shapes[best])):
            selected.add(best)
    return [words[index] for index in sorted(selected, key=lambda index: _position(shapes[index]))]


def normalised(text: str) -> str:
    """Return a text as it is compared: case-folded, without punctuation at its ends."""
    return re.sub(r"^\W+|\W+$", "", text).casefold()


def iou(one: "Polygon", other: "Polygon") -> float:
    """Return the intersection over union of two outlines, in [0, 1]."""
    if not one.intersects(other):
        return 0.0
    common = one.intersection(other).area
    union = one.area + other.area - common
    return common / union if union else 0.0


def _votes(words: Sequence[Word], shapes: "Sequence[Polygon]") -> Iterator[int]:
    """Yield for each reading the number of readings with the same text at the same place, itself included."""
    boxes_of = defaultdict(list)
    for word, shape in zip(words, shapes, strict=True):
        boxes_of[normalised(word.text)].append(shape.envelope)
    for word, shape in zip(words, shapes, strict=True):
        yield sum(iou(shape.envelope, other) > MIN_IOU for other in boxes_of[normalised(word.text)])


def _overlap(one: "Polygon", other: "Polygon") -> bool:
    smaller = min(one.area, other.area)
    return bool(one.intersection(other).area > MAX_OVERLAP * smaller)


def _position(shape: "Polygon") -> tuple[int, float]:
    """Return the sort key of an outline: its row, in steps of 32 pixels, and its column."""
    left, top, _, bottom = shape.bounds
    return math.floor((top + bottom) / 64), left
