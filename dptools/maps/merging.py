"""Merge repeated readings of the same words. Readings that agree vote for each other, and the best one is kept."""

import math
import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dptools.maps.outlines import bounding_box
from dptools.maps.words import Word

if TYPE_CHECKING:
    from shapely import Polygon

MIN_WEIGHT = 1.2
"""Readings with a lower weight are dropped; see :func:`merge_readings`."""

OTHER_LINES, OTHER_TEXTS = 0.5, 0.2
"""Weights of the votes from other lines than the best one, and of readings at the same place with another text."""

SINGLE_LETTER = 0.5
"""Factor of the weights of single letters, because many symbols look like a letter."""

MAX_LENGTH = 8
"""Longer words have no larger weight."""

MIN_IOU = 0.5
"""Smallest intersection over union of two outlines that match."""

MAX_OVERLAP = 0.3
"""Two words conflict if their common area exceeds this fraction of the smaller outline. Only one of them is kept."""


@dataclass(frozen=True)
class Reading:
    """A word as read once.

    Attributes:
        word: The word.
        line: Number of the text line. The votes of one line count once at most.
        image: Number of the image of the line. The words of one image were read together.
        share: Weight of one reading of the line: 1 / number of readings.
        spread: Whether the letters are spread over the map, so that other words can be between them.
    """

    word: Word
    line: int
    image: int
    share: float = 1.0
    spread: bool = False


@dataclass(frozen=True)
class _Overlap:
    """Two outlines that have a common area: their intersection over union, and the common fraction of each."""

    other: int
    iou: float
    own_fraction: float
    other_fraction: float


def merge_readings(readings: Iterable[Reading], min_confidence: float = 0.0) -> list[Word]:
    """Return the words of a map, sorted by row and column, after non-maximum suppression of overlapping readings.

    The support of a reading is the joint confidence of the readings of the same text at the same place, averaged over
    the readings of a line. Of several lines, the best one counts fully and the others in part. The weight of a reading
    is its support times its length. A word is dropped if more images of lines show it as two words.

    Args:
        readings: All readings of the map, in pixels of the same enlarged map.
        min_confidence: Words of a lower confidence support others, but are not returned.
    """
    from shapely import Polygon

    candidates = [reading for reading in readings if normalised(reading.word.text)]
    shapes = [Polygon(reading.word.polygon).buffer(0) for reading in candidates]
    candidates = [reading for reading, shape in zip(candidates, shapes, strict=True) if shape.area]
    shapes = [shape for shape in shapes if shape.area]
    texts = [normalised(reading.word.text) for reading in candidates]
    overlaps = _overlaps(shapes)
    weights = [_weight(index, candidates, texts, overlaps[index]) for index in range(len(candidates))]
    chosen = dict[int, int]()
    for best in sorted(range(len(candidates)), key=lambda index: (-weights[index], index)):
        if weights[best] < MIN_WEIGHT:
            break
        if candidates[best].word.confidence < min_confidence or _splits(best, candidates, texts, overlaps[best]):
            continue
        if not any(
            overlap.other in chosen and _conflict(candidates, texts, best, overlap) for overlap in overlaps[best]
        ):
            chosen[best] = _typical(best, texts, overlaps)
    words = [
        Word(candidates[best].word.text, candidates[best].word.confidence, mate.polygon, mate.angle)
        for best, mate in ((best, candidates[mate].word) for best, mate in chosen.items())
    ]
    return sorted(words, key=_position)


def normalised(text: str) -> str:
    """Return a text as it is compared: case-folded, without punctuation at its ends."""
    return without_outer_punctuation(text).casefold()


def without_outer_punctuation(text: str) -> str:
    """Return a text without punctuation and spaces at its ends."""
    return re.sub(r"^\W+|\W+$", "", text)


def iou(one: "Polygon", other: "Polygon") -> float:
    """Return the intersection over union of two outlines, in [0, 1]."""
    if not one.intersects(other):
        return 0.0
    common = one.intersection(other).area
    union = one.area + other.area - common
    return common / union if union else 0.0


def _overlaps(shapes: "Sequence[Polygon]") -> list[list[_Overlap]]:
    """Return the overlaps of each outline, also with itself."""
    from shapely import STRtree

    tree = STRtree(shapes)
    overlaps: list[list[_Overlap]] = []
    for shape in shapes:
        others = sorted(map(int, tree.query(shape)))
        areas = [(other, shape.intersection(shapes[other]).area) for other in others]
        overlaps.append(
            [
                _Overlap(
                    other, area / (shape.area + shapes[other].area - area), area / shape.area, area / shapes[other].area
                )
                for other, area in areas
                if area
            ]
        )
    return overlaps


def _weight(index: int, readings: Sequence[Reading], texts: Sequence[str], overlaps: Sequence[_Overlap]) -> float:
    agreeing, others = defaultdict[int, float](float), defaultdict[int, float](float)
    for overlap in overlaps:
        if overlap.iou > MIN_IOU:
            reading = readings[overlap.other]
            votes = agreeing if texts[overlap.other] == texts[index] else others
            votes[reading.line] += reading.word.joint_confidence * reading.share
    best, *rest = sorted((min(vote, 1.0) for vote in agreeing.values()), reverse=True)
    support = best + OTHER_LINES * sum(rest) + OTHER_TEXTS * sum(min(vote, 1.0) for vote in others.values())
    length = len(texts[index])
    return support * (min(length, MAX_LENGTH) if length > 1 else SINGLE_LETTER)


def _splits(index: int, readings: Sequence[Reading], texts: Sequence[str], overlaps: Sequence[_Overlap]) -> bool:
    """Return whether more images show a word as two words than as one."""
    whole, parts = 0.0, defaultdict[int, list[int]](list)
    for overlap in overlaps:
        if overlap.iou > MIN_IOU and texts[overlap.other] == texts[index]:
            whole += readings[overlap.other].word.joint_confidence
        elif overlap.other_fraction > 0.7:
            parts[readings[overlap.other].image].append(overlap.other)
    split = 0.0
    for image in parts.values():
        for first in image:
            if texts[index].startswith(texts[first]):
                rest = normalised(texts[index][len(texts[first]) :])
                confidences = [readings[other].word.joint_confidence for other in image if texts[other] == rest]
                split += min(readings[first].word.joint_confidence, max(confidences, default=0.0))
    return split > whole


def _conflict(readings: Sequence[Reading], texts: Sequence[str], index: int, overlap: _Overlap) -> bool:
    """Return whether two words cannot both be on the map. A spread word conflicts with its own letters only."""
    own, other = readings[index].spread, readings[overlap.other].spread
    if own != other:
        name, within = (overlap.own_fraction, overlap.other) if own else (overlap.other_fraction, index)
        return name > MAX_OVERLAP or len(texts[within]) == 1
    return max(overlap.own_fraction, overlap.other_fraction) > MAX_OVERLAP


def _typical(index: int, texts: Sequence[str], overlaps: Sequence[Sequence[_Overlap]]) -> int:
    """Return the reading of the same text whose outline agrees best with those of the other readings of the text."""
    mates = {
        overlap.other for overlap in overlaps[index] if overlap.iou > MIN_IOU and texts[overlap.other] == texts[index]
    }
    agreement = {mate: sum(overlap.iou for overlap in overlaps[mate] if overlap.other in mates) for mate in mates}
    return max(sorted(mates), key=lambda mate: agreement[mate])


def _position(word: Word) -> tuple[int, float]:
    """Return the sort key of a word: its row, in steps of 32 pixels, and its column."""
    left, top, _, bottom = bounding_box(word.polygon)
    return math.floor((top + bottom) / 64), left
