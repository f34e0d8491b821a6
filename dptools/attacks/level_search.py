"""Search for the smallest perturbation level that succeeds, with fewer evaluations than a linear search."""

from collections.abc import Callable, Sequence
from itertools import pairwise

# The search assumes that between two evaluated levels, the margin is at most this many times as steep as nearby.
SAFETY = 1.5

# A function from levels to margins. The attack succeeds at a level whose margin is above 0.
Margins = Callable[[Sequence[int]], Sequence[float]]


def smallest_success(margins: Margins, max_level: int, width: int = 1) -> int | None:
    """Return the smallest level, 1 <= level <= max_level, with a margin above 0; None if there is none.

    The search evaluates levels 1, 2, 4, 8, ... up to the first success. It then evaluates more levels in the gaps below
    that success. It skips a gap if the margin could not exceed 0 there, even if it were SAFETY times as steep as
    measured nearby. If the margin is no steeper, a linear search from 1 upwards gives the same result.

    Args:
        margins: Function to search.
        max_level: Largest level.
        width: Number of levels to evaluate in one call.
    """
    known: dict[int, float] = {}
    while levels := _next_levels(known, max_level, width):
        known.update(zip(levels, margins(levels), strict=True))
    return _first_success(known)


def _first_success(known: dict[int, float]) -> int | None:
    return min((level for level, margin in known.items() if margin > 0), default=None)


def _next_levels(known: dict[int, float], max_level: int, width: int) -> list[int]:
    """Return the levels to evaluate next; none when the search is over."""
    success, highest = _first_success(known), max(known, default=0)
    if success is None and highest < max_level:
        doubled = [min(max(1, highest) * 2**power, max_level) for power in range(0 if not highest else 1, width + 1)]
        return list(dict.fromkeys(doubled))[:width]
    below = sorted(level for level in known if success is None or level <= success)
    gaps = [gap for index, gap in enumerate(pairwise(below)) if _may_hide_success(below, known, index)]
    return [
        level for index, gap in enumerate(gaps[:width]) for level in _inside(*gap, count=_share(width, gaps, index))
    ]


def _may_hide_success(below: list[int], known: dict[int, float], index: int) -> bool:
    """Return whether an earlier success may lie in the gap that begins at ``below[index]``."""
    start, end = below[index], below[index + 1]
    if end - start < 2:
        return False
    if known[end] > 0:
        return True
    nearby = pairwise(below[max(0, index - 1) : index + 3])
    steepest = max(abs(known[b] - known[a]) / (b - a) for a, b in nearby)
    return (known[start] + known[end] + SAFETY * steepest * (end - start)) / 2 > 0


def _share(width: int, gaps: list[tuple[int, int]], index: int) -> int:
    """Return how many of ``width`` levels go into one gap; the last gap takes the remainder."""
    searched = min(width, len(gaps))
    return 1 if index < searched - 1 else width - searched + 1


def _inside(start: int, end: int, count: int) -> list[int]:
    """Return up to ``count`` evenly spaced levels between start and end, both excluded."""
    count = min(count, end - start - 1)
    return [start + (end - start) * place // (count + 1) for place in range(1, count + 1)]
