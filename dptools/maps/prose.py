"""Recognise pages of running text, which are no maps."""

from collections.abc import Sequence

from dptools.maps.outlines import bounding_box
from dptools.maps.words import Word

MIN_WORDS = 40
"""The smallest number of words of a page of prose."""

MIN_RUN = 4
"""The number of words in a row that count as running text. Names on maps rarely have more than three."""

MIN_SHARE = 0.5
"""The smallest share of words in such rows."""

MAX_ANGLE = 6.0
"""The largest angle of a row, in degrees."""

MAX_GAP = 1.2
"""The largest gap between two words of a row, in heights of the words."""


def is_prose(words: Sequence[Word]) -> bool:
    """Return whether most words stand in horizontal rows of many words, as on a page of a book."""
    if len(words) < MIN_WORDS:
        return False
    boxes = sorted(bounding_box(word.polygon) for word in words if abs(word.angle) <= MAX_ANGLE)
    rows: list[list[tuple[float, float, float, float]]] = []
    for box in boxes:
        row = next((row for row in rows if _follows(row[-1], box)), None)
        if row is None:
            rows.append([box])
        else:
            row.append(box)
    return sum(len(row) for row in rows if len(row) >= MIN_RUN) >= MIN_SHARE * len(words)


def _follows(last: tuple[float, float, float, float], box: tuple[float, float, float, float]) -> bool:
    """Return whether a box stands to the right of the last one, in the same row."""
    height = max(last[3] - last[1], box[3] - box[1])
    same_row = abs((last[1] + last[3]) - (box[1] + box[3])) / 2 < 0.5 * height
    return same_row and -0.5 * height <= box[0] - last[2] <= MAX_GAP * height
