"""Of all that is read of a map, the words: readings that agree vote for each other, and the strongest stays."""

import math
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from dptools.maps.words import Word

if TYPE_CHECKING:
    from shapely import Polygon

LEAST = 0.7
"""Weight of a word, at least: see :func:`merge`."""

SAME, OVERLAP = 0.5, 0.3
"""Intersection over union from which two equal texts are one word; part of the smaller one's area from which two words
stand in each other's place."""


def merge(readings: Iterable[Word], looks: int) -> list[Word]:
    """The words of a map, from left to right in lines from its top.

    A reading's weight is its certainty, by its length up to 8, by the number of readings that say the same at the same
    place, by 1 / looks. Of readings in one place the heaviest is kept, if it weighs at least LEAST.

    Args:
        looks: how often each line was read; that the page was read too brings further votes.
    """
    from shapely import Polygon, STRtree

    found = [word for word in readings if key(word.text)]
    shapes = [Polygon(word.polygon).buffer(0) for word in found]
    weights = [
        votes * word.certainty * min(len(key(word.text)), 8) / looks
        for word, votes in zip(found, _votes(found, shapes), strict=True)
    ]
    tree, kept = STRtree(shapes), set[int]()
    for best in sorted(range(len(found)), key=lambda index: (-weights[index], index)):
        if weights[best] < LEAST or not shapes[best].area:
            continue
        if not any(other in kept and _cover(shapes[best], shapes[other]) for other in tree.query(shapes[best])):
            kept.add(best)
    return [found[index] for index in sorted(kept, key=lambda index: _place(shapes[index]))]


def key(text: str) -> str:
    """A text as it is compared: without case, and without punctuation at its ends."""
    return re.sub(r"^\W+|\W+$", "", text).casefold()


def _votes(found: Sequence[Word], shapes: "Sequence[Polygon]") -> Iterator[int]:
    """For each reading, how many say the same there."""
    alike = defaultdict(list)
    for word, shape in zip(found, shapes, strict=True):
        alike[key(word.text)].append(shape.envelope)
    for word, shape in zip(found, shapes, strict=True):
        yield sum(iou(shape.envelope, other) > SAME for other in alike[key(word.text)])


def iou(one: "Polygon", other: "Polygon") -> float:
    """Intersection over union."""
    if not one.intersects(other):
        return 0.0
    common = one.intersection(other).area
    whole = one.area + other.area - common
    return common / whole if whole else 0.0


def _cover(one: "Polygon", other: "Polygon") -> bool:
    smaller = min(one.area, other.area)
    return bool(one.intersection(other).area > OVERLAP * smaller)


def _place(shape: "Polygon") -> tuple[int, float]:
    """Lines of 32 pixels, and the place in a line."""
    left, top, _, bottom = shape.bounds
    return math.floor((top + bottom) / 64), left
