"""Text lines at any angle and along curves, built by linking neighbouring letters."""

import math
from collections import defaultdict
from collections.abc import Iterable

import numpy as np

from dptools.maps.foreground import MAX_LETTER
from dptools.maps.images import Floats
from dptools.maps.letters import Letters

Line = tuple[int, ...]
"""Indices of letters, from one end of a text line to the other."""

Link = tuple[float, int, int]
"""The distance between two letters, in letter sizes, and the indices of the letters."""

WORD_REACH, SPACED_REACH, BRIDGE_REACH = 1.35, 3.6, 3.0
"""Largest distances between the centres of two neighbours, in letter sizes: in a word, in widely spaced capitals, and
across a letter that was not detected."""


def find_lines(letters: Letters) -> list[Line]:
    """Return all text lines: words, spaced words of three letters or more, and words joined across a missing letter.

    A letter may be in several lines. A single letter is not a line.
    """
    if len(letters) < 2:
        return []
    centres, sizes = letters.centres, letters.sizes
    words = link_letters(centres, _links(centres, sizes, WORD_REACH, 2.0), 35)
    regular = regular_links(centres, _links(centres, sizes, SPACED_REACH, 1.5))
    spaced = link_letters(centres, regular, 25, max_ratio=1.6)
    lines = words + [line for line in spaced if len(line) >= 3]
    lines += _bridged_lines(centres, sizes, lines)
    return list({frozenset(line): line for line in reversed(lines)}.values())[::-1]


def link_letters(centres: Floats, links: Iterable[Link], max_turn: float, max_ratio: float = math.inf) -> list[Line]:
    """Return lines built greedily from links, the shortest links first. A letter gets at most two neighbours.

    Args:
        centres: Columns and rows of the letters' centres, N x 2.
        links: The links to choose from.
        max_turn: Largest angle between consecutive links, in degrees.
        max_ratio: Largest ratio between the lengths of consecutive links.
    """
    neighbours: dict[int, list[int]] = defaultdict(list)
    parent = list(range(len(centres)))

    def root(letter: int) -> int:
        while parent[letter] != letter:
            letter = parent[letter]
        return letter

    def can_extend(letter: int, to: int) -> bool:
        if len(neighbours[letter]) != 1:
            return not neighbours[letter]
        before, after = centres[letter] - centres[neighbours[letter][0]], centres[to] - centres[letter]
        lengths = math.hypot(*before), math.hypot(*after)
        straight = before @ after >= math.cos(math.radians(max_turn)) * lengths[0] * lengths[1]
        return bool(straight and max(lengths) <= max_ratio * min(lengths))

    for _, one, other in sorted(links):
        if root(one) != root(other) and can_extend(one, other) and can_extend(other, one):
            neighbours[one].append(other)
            neighbours[other].append(one)
            parent[root(one)] = root(other)
    return _chains(neighbours)


def _chains(neighbours: dict[int, list[int]]) -> list[Line]:
    """Return each chain of neighbours, from one end to the other."""
    chains, visited = [], set()
    for start in [letter for letter, others in neighbours.items() if len(others) == 1]:
        if start in visited:
            continue
        chain, following = [start], neighbours[start]
        while following:
            chain.append(following[0])
            following = [letter for letter in neighbours[chain[-1]] if letter != chain[-2]]
        visited.update(chain)
        chains.append(tuple(chain))
    return chains


def _links(centres: Floats, sizes: Floats, reach: float, max_size_ratio: float) -> list[Link]:
    """Return the pairs of letters that are near each other and similar in size."""
    from scipy.spatial import cKDTree

    pairs = cKDTree(centres).query_pairs(min(reach, 2.7) * MAX_LETTER, output_type="ndarray")
    one, other = pairs.reshape(-1, 2).T
    distance = np.hypot(*(centres[one] - centres[other]).T) / ((sizes[one] + sizes[other]) / 2)
    similar = np.maximum(sizes[one], sizes[other]) <= max_size_ratio * np.minimum(sizes[one], sizes[other])
    near = similar & (distance <= reach) & (distance > 0)
    return list(zip(distance[near].tolist(), one[near].tolist(), other[near].tolist(), strict=True))


def regular_links(centres: Floats, links: list[Link], max_turn: float = 22, max_ratio: float = 1.5) -> list[Link]:
    """Return the links that have, at one of their ends, another link of similar direction and length."""
    neighbours = defaultdict(list)
    for _, one, other in links:
        neighbours[one].append(other)
        neighbours[other].append(one)
    regular = set()
    for letter, others in neighbours.items():
        offsets = centres[others] - centres[letter]
        lengths = np.hypot(*offsets.T)
        opposite = -(offsets @ offsets.T) >= math.cos(math.radians(max_turn)) * np.outer(lengths, lengths)
        even = np.maximum.outer(lengths, lengths) <= max_ratio * np.minimum.outer(lengths, lengths)
        for index in np.flatnonzero((opposite & even).any(1)):
            regular |= {(letter, others[index]), (others[index], letter)}
    return [link for link in links if link[1:] in regular]


def _bridged_lines(centres: Floats, sizes: Floats, lines: list[Line]) -> list[Line]:
    """Return the concatenation of each pair of lines that continue each other across a gap."""
    from scipy.spatial import cKDTree

    directed = [way for line in lines for way in (line, line[::-1])]
    if not directed:
        return []
    directions = np.array([_end_direction(centres, line) for line in directed])
    line_sizes = np.array([np.median(sizes[list(line)]) for line in directed])
    ends = np.array([centres[line[-1]] for line in directed])
    bridged = []
    for one, other in sorted(cKDTree(ends).query_pairs(2.7 * MAX_LETTER)):
        gap = ends[other] - ends[one]
        distance, (small, large) = math.hypot(*gap), sorted((line_sizes[one], line_sizes[other]))
        near = 0 < distance <= BRIDGE_REACH * (small + large) / 2 and large <= 1.5 * small
        if near and directions[one] @ gap > 0.9 * distance and -directions[other] @ gap > 0.9 * distance:
            joined = directed[one] + directed[other][::-1]
            bridged += [joined] if len(set(joined)) == len(joined) else []
    return bridged


def _end_direction(centres: Floats, line: Line) -> Floats:
    """Return the direction of a line at its last letters, as a unit vector."""
    offset = centres[line[-1]] - centres[line[-min(4, len(line))]]
    unit: Floats = offset / max(math.hypot(*offset), 1e-9)
    return unit
