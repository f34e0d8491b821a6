"""Lines of text, at any angle and along curves: letters, each the next one's neighbour."""

import math
from collections import defaultdict
from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np

from dptools.maps.ink import LARGEST
from dptools.maps.letters import Letters

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

Line = tuple[int, ...]
"""Numbers of letters, from one end to the other."""

CLOSE, SPACED, BRIDGED = 1.35, 3.6, 3.0
"""How many letter sizes lie between the centres of neighbours in a word, in spaced capitals, and across a letter that
was not found."""

Link = tuple[float, int, int]
"""Distance in letter sizes, and two letters."""


def find_lines(letters: Letters) -> list[Line]:
    """All lines of two letters or more: words, spaced words of three, and words joined where a letter is missing."""
    if len(letters) < 2:
        return []
    places, sizes = letters.centres, letters.sizes
    words = join(places, _links(places, sizes, CLOSE, 2.0), 35)
    spaced = join(places, _regular(places, _links(places, sizes, SPACED, 1.5)), 25, evenness=1.6)
    found = words + [line for line in spaced if len(line) >= 3]
    found += _bridges(places, sizes, found)
    return list({frozenset(line): line for line in reversed(found)}.values())[::-1]


def join(places: "Floats", links: Iterable[Link], turn: float, evenness: float = math.inf) -> list[Line]:
    """Link letters into lines, the closest first; each has two neighbours at most.

    Args:
        places: N x 2.
        turn: degrees between one link and the next, at most.
        evenness: ratio of the lengths of one link and the next, at most.
    """
    beside: dict[int, list[int]] = defaultdict(list)
    line_of = list(range(len(places)))

    def end(letter: int) -> int:
        while line_of[letter] != letter:
            letter = line_of[letter]
        return letter

    def goes_on(letter: int, to: int) -> bool:
        if len(beside[letter]) != 1:
            return not beside[letter]
        before, after = places[letter] - places[beside[letter][0]], places[to] - places[letter]
        lengths = math.hypot(*before), math.hypot(*after)
        straight = before @ after >= math.cos(math.radians(turn)) * lengths[0] * lengths[1]
        return bool(straight and max(lengths) <= evenness * min(lengths))

    for _, one, other in sorted(links):
        if end(one) != end(other) and goes_on(one, other) and goes_on(other, one):
            beside[one].append(other)
            beside[other].append(one)
            line_of[end(one)] = end(other)
    return _walk(beside)


def _walk(beside: dict[int, list[int]]) -> list[Line]:
    """From each end to the other."""
    lines, seen = [], set()
    for start in [letter for letter, others in beside.items() if len(others) == 1]:
        if start in seen:
            continue
        line, follows = [start], beside[start]
        while follows:
            line.append(follows[0])
            follows = [letter for letter in beside[line[-1]] if letter != line[-2]]
        seen.update(line)
        lines.append(tuple(line))
    return lines


def _links(places: "Floats", sizes: "Floats", reach: float, ratio: float) -> list[Link]:
    """Pairs of letters that are near each other and of like size."""
    from scipy.spatial import cKDTree

    pairs = cKDTree(places).query_pairs(min(reach, 2.7) * LARGEST, output_type="ndarray")
    one, other = pairs.reshape(-1, 2).T
    distance = np.hypot(*(places[one] - places[other]).T) / ((sizes[one] + sizes[other]) / 2)
    alike = np.maximum(sizes[one], sizes[other]) <= ratio * np.minimum(sizes[one], sizes[other])
    near = alike & (distance <= reach) & (distance > 0)
    return list(zip(distance[near].tolist(), one[near].tolist(), other[near].tolist(), strict=True))


def _regular(places: "Floats", links: list[Link], turn: float = 22, evenness: float = 1.5) -> list[Link]:
    """The links that go on into a third letter, straight and as far again."""
    beside = defaultdict(list)
    for _, one, other in links:
        beside[one].append(other)
        beside[other].append(one)
    kept = set()
    for letter, others in beside.items():
        away = places[others] - places[letter]
        lengths = np.hypot(*away.T)
        opposite = -(away @ away.T) >= math.cos(math.radians(turn)) * np.outer(lengths, lengths)
        even = np.maximum.outer(lengths, lengths) <= evenness * np.minimum.outer(lengths, lengths)
        for index in np.flatnonzero((opposite & even).any(1)):
            kept |= {(letter, others[index]), (others[index], letter)}
    return [link for link in links if link[1:] in kept]


def _bridges(places: "Floats", sizes: "Floats", lines: list[Line]) -> list[Line]:
    """Each two lines of which one goes on where the other ends."""
    from scipy.spatial import cKDTree

    ends = [(number, way) for number, line in enumerate(lines) for way in (line, line[::-1])]
    if not ends:
        return []
    out = np.array([_direction(places, way) for _, way in ends])
    size = np.array([np.median(sizes[list(way)]) for _, way in ends])
    tips = np.array([places[way[-1]] for _, way in ends])
    found = []
    for one, other in sorted(cKDTree(tips).query_pairs(2.7 * LARGEST)):
        gap = tips[other] - tips[one]
        distance, (small, large) = math.hypot(*gap), sorted((size[one], size[other]))
        near = 0 < distance <= BRIDGED * (small + large) / 2 and large <= 1.5 * small
        if near and out[one] @ gap > 0.9 * distance and -out[other] @ gap > 0.9 * distance:
            joined = ends[one][1] + ends[other][1][::-1]
            found += [joined] if len(set(joined)) == len(joined) else []
    return found


def _direction(places: "Floats", way: Line) -> "Floats":
    """In which a line leaves its last letters; of length 1."""
    along = places[way[-1]] - places[way[-min(4, len(way))]]
    unit: Floats = along / max(math.hypot(*along), 1e-9)
    return unit
