"""Candidate text lines of a map, from the regions of the text detector and from linked letters."""

from collections.abc import Iterable, Iterator

import numpy as np

from dptools.maps.chains import chain_regions, spread_letters
from dptools.maps.detector import Probability
from dptools.maps.letters import Letters
from dptools.maps.lines import find_lines
from dptools.maps.regions import find_regions
from dptools.maps.textline import TextLine, reading_directions, region_lines

MIN_PROBABILITY, NEIGHBOURHOOD = 0.15, 9
"""Letters are used if the detector reports at least this probability of text within a square of NEIGHBOURHOOD pixels
of the probability image."""

MAX_SHIFT, MAX_HEIGHT_RATIO = 0.3, 1.2
"""Two lines are the same if both ends are closer than MAX_SHIFT letter heights and if their heights differ less."""


def candidate_lines(letters: Letters, probability: Probability, scale: float) -> list[TextLine]:
    """Return the lines to read.

    Args:
        letters: Letter candidates of the enlarged map.
        probability: Output of the text detector, H x W.
        scale: Size of the enlarged map, relative to the probability image.
    """
    near = _near_text(letters, probability, scale)
    linked = (line for letter_line in find_lines(near) for line in reading_directions(near, letter_line))
    return [*_distinct(_detected(probability, scale)), *_distinct(linked)]


def _detected(probability: Probability, scale: float) -> Iterator[TextLine]:
    regions = find_regions(probability, scale)
    for group in [*((index,) for index in range(len(regions))), *chain_regions(regions)]:
        yield from region_lines([regions[index] for index in group])
    for group in spread_letters(regions):
        yield from region_lines([regions[index] for index in group], spread=True)


def _near_text(letters: Letters, probability: Probability, scale: float) -> Letters:
    """Return the letters where the detector reports text."""
    from scipy.ndimage import maximum_filter

    if not len(letters):
        return letters
    highest = maximum_filter(probability, NEIGHBOURHOOD)
    rows, columns = (
        (values / scale).astype(int).clip(0, side - 1)
        for values, side in zip((letters.y, letters.x), highest.shape, strict=True)
    )
    near = highest[rows, columns] > MIN_PROBABILITY
    return Letters(letters.x[near], letters.y[near], letters.width[near], letters.height[near])


def _distinct(candidates: Iterable[TextLine]) -> list[TextLine]:
    """Return the lines without those that repeat an earlier one. Lines of spread letters are all kept."""
    from scipy.spatial import cKDTree

    lines = list(candidates)
    if not lines:
        return []
    ends = np.array([line.ends for line in lines]).reshape(len(lines), 2, 2)
    tree, kept = cKDTree(ends.reshape(len(lines), 4)), set[int]()
    for index, line in enumerate(lines):
        height = line.height
        near = [other for other in tree.query_ball_point(ends[index].ravel(), 2 * MAX_SHIFT * height) if other in kept]
        same = any(
            np.hypot(*(ends[other] - ends[index]).T).max() < MAX_SHIFT * height
            and max(height, lines[other].height) < MAX_HEIGHT_RATIO * min(height, lines[other].height)
            for other in near
        )
        if line.spread or not same:
            kept.add(index)
    return [lines[index] for index in sorted(kept)]
