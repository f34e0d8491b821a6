"""Outlines of words on the map."""

from collections.abc import Iterable, Sequence

import numpy as np

from dptools.maps.images import Mask
from dptools.maps.textline import Point, RectifiedLine

MIN_FILL = 0.15
"""A row of text has at least this share of the filled pixels of a well-filled row (the 90th percentile)."""

MAX_REACH = 0.7
"""Largest distance between the text's middle and its upper or lower edge, in letter heights."""


def box_polygon(left: float, top: float, width: float, height: float) -> tuple[Point, ...]:
    """Return the corners of a box, clockwise from the top left."""
    return (left, top), (left + width, top), (left + width, top + height), (left, top + height)


def bounding_box(polygon: Iterable[Sequence[float]]) -> tuple[float, float, float, float]:
    """Return the left, top, right and bottom of a polygon."""
    columns, rows = zip(*polygon, strict=True)
    return min(columns), min(rows), max(columns), max(rows)


def word_outline(line: RectifiedLine, start: int, end: int) -> tuple[Point, ...]:
    """Return the outline of a word on the map: its upper side, then its lower side backwards.

    Args:
        line: The rectified line.
        start: Estimated first column of the word. The outline is fitted to the foreground near it.
        end: Estimated last column of the word.
    """
    top, bottom, left, right = _tight_box(line, start, end)
    columns = np.linspace(left, right, max(2, min(8, (right - left) // 20))).astype(int)
    upper = [line.map_point(top, column) for column in columns]
    lower = [line.map_point(bottom, column) for column in columns[::-1]]
    return (*upper, *lower)


def _tight_box(line: RectifiedLine, start: int, end: int) -> tuple[int, int, int, int]:
    """Return the bounding box of the foreground near some columns: top, bottom, left and right, all inclusive."""
    height, width = line.foreground.shape
    start, end = max(0, min(start, width - 2)), max(1, min(end, width - 1))
    top, bottom = _text_rows(line.foreground[:, start : end + 1], line.letter)
    filled = line.foreground[top : bottom + 1].max(0)
    left, right = _snap(filled, start, height, 1), _snap(filled, end, height, -1)
    if right - left < 0.3 * (end - start):
        left, right = start, max(end, start + 1)
    return (*_text_rows(line.foreground[:, left : right + 1], line.letter), left, right)


def _snap(filled: Mask, column: int, height: int, step: int) -> int:
    """Return the first filled column of a search near ``column``.

    The search starts at the empty column nearest to ``column`` and moves by ``step``.
    """
    slack = round(0.175 * height)
    nearby = (column + offset * sign for offset in range(slack + 1) for sign in (-1, 1))
    edge = next((other for other in nearby if 0 <= other < len(filled) and not filled[other]), column)
    while 0 < edge < len(filled) - 1 and not filled[edge] and abs(edge - column) < height:
        edge += step
    return edge


def _text_rows(foreground: Mask, letter: float) -> tuple[int, int]:
    """Return the first and last row of the text.

    A row belongs to the text if it is filled about as much as others, so that a line which crosses the text does not
    enlarge the outline, and if it is near the middle. The rows may have small gaps, such as the one below the dot of an
    i. If they are too few for text, the middle half of the rows is returned.

    Args:
        foreground: The foreground of a word, H x W.
        letter: Height of a letter, in rows.
    """
    height = len(foreground)
    counts = foreground.sum(1)
    near = abs(np.arange(height) + 0.5 - height / 2) <= MAX_REACH * letter
    rows = np.flatnonzero(near & (counts > MIN_FILL * np.percentile(counts, 90)))
    if len(rows):
        runs = np.split(rows, np.flatnonzero(np.diff(rows) > height // 9 + 1) + 1)
        run = min(runs, key=lambda run: abs(run - height // 2).min())
        if run[-1] - run[0] > height // 6:
            return int(run[0]), int(run[-1])
    return height // 4, height * 3 // 4
