"""Chains of text regions that continue each other: words whose letters are far apart, or that a line interrupts."""

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from dptools.maps.images import Floats
from dptools.maps.regions import Region

REACHES = (1.3, 3.0)
"""Largest distances between the centres of the letters at two ends that are linked, in text heights. Each value gives
its own chains."""

MAX_TURN, MAX_HEIGHT_RATIO, MAX_STEP_RATIO = 30, 1.5, 1.8
"""Largest angle between two regions and the link between them, in degrees; largest ratio of their heights; and, for
single letters, largest ratio of the distances to both neighbours."""

SPREAD_REACH, SPREAD_TURN, SPREAD_RATIO, SPREAD_HEIGHT_RATIO = 9.0, 20, 1.35, 1.35
"""The same limits for letters that are spread over the map, such as the name of a country."""

Group = tuple[int, ...]
"""Indices of regions."""


@dataclass(frozen=True)
class _Link:
    """A link between an end (0 or 1) of one region and an end of another; ``gap`` leads from the first to the second.

    The distance is in text heights.
    """

    distance: float
    one: int
    other: int
    one_end: int
    other_end: int
    gap: Floats


def chain_regions(regions: Sequence[Region]) -> list[Group]:
    """Return the groups of two or more regions that can be one line of text."""
    groups = [group for reach in REACHES for group in _chain(regions, _links(regions, reach))]
    return list(dict.fromkeys(groups))


def spread_letters(regions: Sequence[Region]) -> list[Group]:
    """Return the groups of three or more single letters of equal size at equal distances, in order."""
    from dptools.maps.lines import link_letters, regular_links

    single = [index for index, region in enumerate(regions) if region.outward is None]
    if len(single) < 3:
        return []
    centres = np.array([regions[index].centre for index in single])
    heights = np.array([regions[index].height for index in single])
    links = []
    for one in range(len(single)):
        distances = np.hypot(*(centres[one + 1 :] - centres[one]).T) / heights[one]
        ratios = np.maximum(heights[one + 1 :] / heights[one], heights[one] / heights[one + 1 :])
        near = np.flatnonzero((distances <= SPREAD_REACH) & (distances > 0) & (ratios <= SPREAD_HEIGHT_RATIO))
        links += [(float(distances[other]), one, one + 1 + int(other)) for other in near]
    regular = regular_links(centres, links, SPREAD_TURN, SPREAD_RATIO)
    lines = link_letters(centres, regular, SPREAD_TURN, SPREAD_RATIO)
    return [tuple(single[index] for index in line) for line in lines if len(line) >= 3]


def _links(regions: Sequence[Region], reach: float) -> list[_Link]:
    from scipy.spatial import cKDTree

    if not regions:
        return []
    ends = np.concatenate([region.ends for region in regions])
    radius = reach * max(region.height for region in regions)
    best: dict[Group, _Link] = {}
    for first, second in sorted(cKDTree(ends).query_pairs(radius)):
        one, other = first // 2, second // 2
        heights = sorted((regions[one].height, regions[other].height))
        gap = ends[second] - ends[first]
        distance = math.hypot(*gap) / (sum(heights) / 2)
        if one == other or not 0 < distance <= reach or heights[1] > MAX_HEIGHT_RATIO * heights[0]:
            continue
        if _straight(regions[one], first % 2, gap) and _straight(regions[other], second % 2, -gap):
            link = _Link(distance, one, other, first % 2, second % 2, gap)
            best[one, other] = min(best.get((one, other), link), link, key=lambda link: link.distance)
    return sorted(best.values(), key=lambda link: (link.distance, link.one, link.other))


def _straight(region: Region, end: int, gap: Floats) -> bool:
    """Return whether a link leaves a region in the direction of its text. A single letter has no direction."""
    if region.outward is None:
        return True
    return bool(region.outward[end] @ gap >= math.cos(math.radians(MAX_TURN)) * math.hypot(*gap))


def _chain(regions: Sequence[Region], links: Iterable[_Link]) -> list[Group]:
    """Link regions greedily, the shortest links first. Each end gets one link at most."""
    gaps: dict[int, dict[int, Floats]] = defaultdict(dict)
    group_of = {index: {index} for index in range(len(regions))}

    def slot(index: int, end: int, gap: Floats) -> int | None:
        """Return the end that a link takes, or None if the region cannot be linked there."""
        used = gaps[index]
        if regions[index].outward is not None:
            return None if end in used else end
        if not used:
            return 0
        before = next(iter(used.values()))
        lengths = sorted((math.hypot(*before), math.hypot(*gap)))
        opposite = -(before @ gap) >= math.cos(math.radians(MAX_TURN)) * lengths[0] * lengths[1]
        return 1 if len(used) == 1 and opposite and lengths[1] <= MAX_STEP_RATIO * lengths[0] else None

    for link in links:
        one_slot, other_slot = slot(link.one, link.one_end, link.gap), slot(link.other, link.other_end, -link.gap)
        if group_of[link.one] is group_of[link.other] or one_slot is None or other_slot is None:
            continue
        gaps[link.one][one_slot], gaps[link.other][other_slot] = link.gap, -link.gap
        group_of[link.one] |= group_of[link.other]
        for index in group_of[link.one]:
            group_of[index] = group_of[link.one]
    return sorted({tuple(sorted(group)) for group in group_of.values() if len(group) > 1})
